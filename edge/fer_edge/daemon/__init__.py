"""The process that runs for months: its threads, its ladder, and who looks after what."""
