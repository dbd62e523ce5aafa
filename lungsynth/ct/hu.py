"""The values of Hounsfield units that several rooms stand on."""

AIR_HU = -1000
"""What is empty: outside a cut-out nodule, beyond the edge of an image."""
HU_RANGE = (-1024, 3071)
"""What a scan may hold, 12 bits of a scanner; the lower end is padding, too."""
