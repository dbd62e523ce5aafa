"""Styles modulate the convolutions of a generator."""
