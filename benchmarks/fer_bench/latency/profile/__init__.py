"""Where within one inference the time goes, as the runtimes themselves tell it."""
