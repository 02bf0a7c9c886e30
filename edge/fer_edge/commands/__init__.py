"""The verbs of `fer-edge`, one to a file; what is heavy is imported by the verb that needs it."""
