"""How long one inference takes: per model, runtime, threads and scenario."""
