"""The same measurements on a board over ssh."""
