"""Extractors: what a picture looks like in 64 numbers, and what stands on that: likeness, neighbours, scores."""
