"""How deep a pixel lies inside a mask."""

import numpy as np
from scipy import ndimage


def inside_mm(mask: np.ndarray, spacing_mm: float | tuple[float, ...]) -> np.ndarray:
    """Euclidean distance in mm of every mask pixel to the nearest pixel outside, 0 outside; float32, shape of `mask`.

    The distance is to the centre of the nearest outside pixel, so it is about half a pixel too long, the same for all.
    All that lies beyond the array counts as outside, so a mask that meets the border has an edge there.
    """
    mask = np.asarray(mask, bool)
    sampling = (spacing_mm,) * mask.ndim if np.isscalar(spacing_mm) else tuple(spacing_mm)
    depth = np.zeros(mask.shape, np.float32)
    # The nearest pixel outside lies in the mask's box or next to it, and the box is a small part of most images.
    for box in ndimage.find_objects(mask.view(np.uint8)):
        padded = np.pad(mask[box], 1)
        inner = tuple(slice(1, -1) for _ in range(mask.ndim))
        depth[box] = ndimage.distance_transform_edt(padded, sampling=sampling)[inner]
    return depth
