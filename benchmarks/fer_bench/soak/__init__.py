"""What heat does to a machine under load: cold figures against hot ones, until the temperature is steady."""
