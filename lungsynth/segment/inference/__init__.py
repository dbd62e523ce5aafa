"""From a network to candidates: the grid it works on, slices of a scan, components of a probability."""
