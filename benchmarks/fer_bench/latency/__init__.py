"""How long one inference takes: per artifact, runtime and threads."""
