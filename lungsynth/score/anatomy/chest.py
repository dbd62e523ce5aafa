"""Body and lungs of one slice, found in the same way in real, generated and composed images.

This is not the segmentation of `ct.lungs`: that refuses what does not look like lungs, and a measure must look at it.
"""

from typing import NamedTuple

import numpy as np
from scipy import ndimage as ndi

from lungsynth.ct.hu import HU_RANGE
from lungsynth.ct.resample import resize
from lungsynth.ct.shape import largest_part
from lungsynth.score.anatomy.discs import closed, eroded, opened

GRID_MM = 1.25
SOFT_HU, AIR_HU = -250.0, -400.0
"""Skin and muscle are denser than the first, air and aerated lung less dense than the second."""
DISC_PX = 4
"""5 mm: the couch is thinner, and so far inside its wall a lung shows lung alone."""
GAP_PX = 6
"""Half the width of a vessel that opens to the lung's edge, with a little more: it belongs to the lung."""
LEAST_SHARE = 0.12
"""A lung is no smaller beside the largest part of the air; bowel, stomach and trachea are."""
LEAST_PART_MM2, LEAST_LUNGS_MM2 = 300.0, 2000.0
EVERY_SIDE = np.ones((3, 3), int)


class Chest(NamedTuple):
    """A slice with lungs.

    Attributes:
        pixels: HU float32 [h, w] of the image's own pixels, `mm_per_px` wide.
        hu: float32 [rows, columns], the slice on GRID_MM.
        body, lungs: bool, on the grid; vessels belong to the lungs, and the lungs to the body.
        inner: the lungs without the outer 5 mm.
    """

    pixels: np.ndarray
    mm_per_px: float
    hu: np.ndarray
    body: np.ndarray
    lungs: np.ndarray
    inner: np.ndarray


def chest_of(hu: np.ndarray, mm_per_px: float) -> Chest | None:
    """Body and lungs of an axial slice [h, w] in HU; None where it shows no lungs of 20 cm² and more."""
    pixels = np.clip(np.asarray(hu, np.float32), *HU_RANGE)
    rows, columns = (round(side * mm_per_px / GRID_MM) for side in pixels.shape)
    grid = resize(pixels, mm_per_px, GRID_MM, (rows, columns))
    body = body_of(grid)
    lungs = lungs_of(grid, body)
    inner = eroded(lungs, DISC_PX)
    if np.count_nonzero(lungs) * GRID_MM**2 < LEAST_LUNGS_MM2 or not inner.any():
        return None
    return Chest(pixels, mm_per_px, grid, body, lungs, inner)


def body_of(grid: np.ndarray) -> np.ndarray:
    """The largest thing that is no air, without couch and sheets, its holes filled; bool [h, w]."""
    thick = opened(grid > SOFT_HU, DISC_PX)
    return ndi.binary_fill_holes(closed(largest_part(thick), DISC_PX))


def lungs_of(grid: np.ndarray, body: np.ndarray) -> np.ndarray:
    """The large parts of the air in the body, each with its vessels; bool [h, w]."""
    air = (grid < AIR_HU) & body
    parts, n = ndi.label(ndi.binary_erosion(air, EVERY_SIDE), EVERY_SIDE)
    sizes = np.bincount(parts.ravel(), minlength=n + 1)
    sizes[0] = 0
    large = (sizes > LEAST_SHARE * sizes.max())[parts]
    return _with_vessels(ndi.binary_dilation(large, EVERY_SIDE, iterations=2) & air)


def _with_vessels(air: np.ndarray) -> np.ndarray:
    """Every part closed and filled by itself, so that two lungs stay apart."""
    out = np.zeros_like(air)
    parts, _ = ndi.label(air, EVERY_SIDE)
    room = 2 * GAP_PX
    for number, box in enumerate(ndi.find_objects(parts), 1):
        part = parts[box] == number
        if np.count_nonzero(part) * GRID_MM**2 > LEAST_PART_MM2:
            whole = ndi.binary_fill_holes(closed(np.pad(part, room), GAP_PX))
            out[box] |= whole[room:-room, room:-room]
    return out
