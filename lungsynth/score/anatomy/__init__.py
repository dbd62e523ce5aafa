"""Anatomy: how many of the measures of a slice lie where those of real chest CT do, from the image alone."""
