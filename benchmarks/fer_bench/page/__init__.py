"""One HTML page on a result: verdict, plots, tables and where it was measured, in a file that needs nothing else."""
