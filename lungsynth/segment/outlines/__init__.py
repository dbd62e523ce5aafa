"""Outlines in space: a small 3-D network outlines what a detector has found."""
