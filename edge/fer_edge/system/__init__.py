"""The machine it runs on: the board, its heat, systemd, the log, and secrets in files."""
