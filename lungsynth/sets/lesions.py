"""What is measured of a lesion in an image, and under which names it stands in every table of lesions."""

import numpy as np

from lungsynth.ct import shape

PLACE = ("row", "column", "row_min", "column_min", "row_max", "column_max")
"""Centre of area and inclusive box, px."""
MEASURES = (*PLACE, "diameter_mm", "texture", "mean_hu")


def measure(image: np.ndarray, where: np.ndarray, mm_per_px: float) -> dict:
    """MEASURES of one lesion: centre and inclusive box (px), diameter 2 sqrt(area / pi) in mm, density word, mean HU.

    Args:
        image: int16 HU [h, w].
        where: bool [h, w], the lesion's mask; at least one pixel.
    """
    row, column = shape.centroid_px(where)
    rows, columns = np.flatnonzero(where.any(1)), np.flatnonzero(where.any(0))
    corners = map(int, (rows[0], columns[0], rows[-1], columns[-1]))
    mean_hu = float(image[where].mean())
    more = (shape.equivalent_diameter_mm(where, mm_per_px), shape.texture_class(mean_hu), mean_hu)
    return dict(zip(MEASURES, (row, column, *corners, *more), strict=True))
