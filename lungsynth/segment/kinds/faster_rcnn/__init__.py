"""Ding 2017: region proposals on slices, merged over slices, and a 3-D network that drops false positives."""
