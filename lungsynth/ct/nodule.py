"""What is measured of a nodule in one slice: size, density, texture, box, contrast. The only place that does."""

from typing import Any

import numpy as np

from lungsynth.ct import shape
from lungsynth.ct.hu import AIR_HU

MEASURES = ("diameter_mm", "texture", "mean_hu")
BOX = ("row", "column", "row_min", "column_min", "row_max", "column_max")


def measure(image: np.ndarray, mask: np.ndarray, mm_per_px: float) -> dict[str, Any]:
    """Diameter 2 sqrt(area / pi) in mm, texture class and mean HU in the mask, by the names of `MEASURES`.

    Args:
        image: HU [h, w]; mask: above 0 in the nodule. An empty one has the diameter 0 and the density of air.
    """
    where = mask > 0
    mean_hu = float(image[where].mean()) if where.any() else float(AIR_HU)
    return {
        "diameter_mm": shape.equivalent_diameter_mm(where, mm_per_px),
        "texture": shape.texture_class(mean_hu),
        "mean_hu": mean_hu,
    }


def place(mask: np.ndarray) -> dict[str, float | int]:
    """Centre of area and inclusive box of a mask that is not empty, in px, by the names of `BOX`."""
    where = mask > 0
    row, column = shape.centroid_px(where)
    rows, columns = np.flatnonzero(where.any(1)), np.flatnonzero(where.any(0))
    corners = (rows[0], columns[0], rows[-1], columns[-1])
    return dict(zip(BOX, (row, column, *map(int, corners)), strict=True))


def describe(image: np.ndarray, mask: np.ndarray, mm_per_px: float) -> dict[str, Any]:
    """A lesion's row: `place` of its mask, then `measure`."""
    return {**place(mask), **measure(image, mask, mm_per_px)}


def contrast(image: np.ndarray, masks: np.ndarray, label: int, ring_mm: tuple[float, float], mm_per_px: float) -> float:
    """Mean HU in the nodule with that label minus mean HU in its ring, other nodules left out.

    Args:
        image: HU [h, w]; masks: k in the pixels of nodule k; ring_mm: the ring's distances outside the nodule.

    Returns:
        HU; NaN where the ring has no pixel.
    """
    where = masks == label
    margin = int(np.ceil(ring_mm[1] / mm_per_px)) + 1
    near = tuple(slice(max(0, hit.min() - margin), hit.max() + margin + 1) for hit in np.nonzero(where))
    ring = shape.ring_mm(where[near], *ring_mm, mm_per_px) & (masks[near] == 0)
    return float(image[where].mean() - image[near][ring].mean()) if ring.any() else float("nan")
