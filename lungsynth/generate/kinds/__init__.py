"""The generators: one folder a kind."""
