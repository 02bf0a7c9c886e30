"""What the whole daemon costs on a clip, against loops written by hand."""
