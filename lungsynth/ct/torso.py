"""The patient in a chest CT, on a coarse grid: body with its cavities, and where its middle is."""

from typing import NamedTuple

import numpy as np
from scipy import ndimage as ndi

from lungsynth.ct.gas import is_gas
from lungsynth.ct.hu import HU_RANGE
from lungsynth.ct.outline import IN_PLANE, filled

ALL_IN_PLANE = np.zeros((3, 3, 3), bool)
ALL_IN_PLANE[1] = True

GRID_MM = 2.5
SOFT_HU = -250.0
"""Skin, fat and muscle are denser, sheets and the couch's foam are not."""
EDGE_GAP_MM = 120.0
"""Where the image's edge cuts a lung, the chest wall on both sides of the cut is no further apart."""
LEAST_CAVITY = 0.1
"""Share of the body that a lung behind a thin wall takes in its largest slice, but no pocket under the back."""


class Grid(NamedTuple):
    """A scan averaged over blocks of pixels: `hu` float32 [z, y, x] with the step of its axes in mm."""

    hu: np.ndarray
    factor: tuple[int, int, int]
    step_mm: tuple[float, float, float]

    @property
    def voxel_ml(self) -> float:
        return float(np.prod(self.step_mm)) / 1000

    @property
    def pixel_mm2(self) -> float:
        return self.step_mm[1] * self.step_mm[2]


def grid_of(hu: np.ndarray, spacing_mm: tuple[float, float, float]) -> Grid:
    """Block means near GRID_MM of HU [z, y, x]; the last blocks are filled up with the outermost pixels."""
    factor = tuple(
        max(1, int(f)) for f in (1.3 * GRID_MM / spacing_mm[0], *(np.rint(GRID_MM / s) for s in spacing_mm[1:]))
    )
    short = [(-n) % f for n, f in zip(hu.shape, factor, strict=True)]
    if any(short):
        hu = np.pad(hu, [(0, s) for s in short], mode="edge")
    for axis in (2, 1, 0):
        if factor[axis] > 1:
            steps = [hu[(slice(None),) * axis + (slice(i, None, factor[axis]),)] for i in range(factor[axis])]
            hu = sum((s.astype(np.float32) for s in steps[1:]), steps[0].astype(np.float32)) / factor[axis]
    step = tuple(s * f for s, f in zip(spacing_mm, factor, strict=True))
    return Grid(np.clip(hu, *HU_RANGE).astype(np.float32, copy=False), factor, step)


def body_of(grid: Grid) -> np.ndarray:
    """The patient without couch and sheets, lungs and bowel filled in; where the image's edge cuts a lung, up to it."""
    reach = max(1, round(3.0 / grid.step_mm[1]))
    soft = grid.hu > SOFT_HU
    body = _closed(_trunk(grid.hu, soft, reach, IN_PLANE), grid)
    return body | _behind_thin_walls(grid, soft, body, reach)


def _trunk(hu: np.ndarray, soft: np.ndarray, reach: int, neighbours: np.ndarray) -> np.ndarray:
    """The largest piece of tissue of every slice, free of what is thinner than twice `reach` pixels."""
    if reach == 0:
        return _largest_per_slice(soft, neighbours)
    thick = ndi.binary_erosion(soft, IN_PLANE, iterations=reach, border_value=1)
    trunk = _largest_per_slice(thick, neighbours)
    return ndi.binary_dilation(trunk, IN_PLANE, iterations=2 * reach) & (hu > -500)


def _closed(trunk: np.ndarray, grid: Grid) -> np.ndarray:
    """The trunk with its cavities, those too that the image's edge opens."""
    framed = np.pad(trunk, ((0, 0), (1, 1), (1, 1)))
    gap_px = round(EDGE_GAP_MM / grid.step_mm[1])
    for end in (0, -1):
        framed[:, end, 1:-1] = _bridged(trunk[:, end], gap_px)
        framed[:, 1:-1, end] = _bridged(trunk[:, :, end], gap_px)
    return filled(framed)[:, 1:-1, 1:-1]


def _behind_thin_walls(grid: Grid, soft: np.ndarray, body: np.ndarray, reach: int) -> np.ndarray:
    """Cavities that a chest wall of few millimetres closes, as of a child or a wasted patient.

    Such a wall goes with the couch when thin pieces are cut off. Where less is cut off, a pocket between couch and back
    may close too; but that is small, or holds plain air.
    """
    found = np.zeros_like(body)
    closed = filled(_largest_per_slice(soft, ALL_IN_PLANE)) | body
    share = (closed & ~body).sum((1, 2)) / np.maximum(closed.sum((1, 2)), 1)
    planes = np.flatnonzero(share > LEAST_CAVITY / 4)
    for less in range(reach - 1, -1, -1) if share.max() > LEAST_CAVITY else ():
        cavity = filled(_trunk(grid.hu[planes], soft[planes], less, ALL_IN_PLANE)) & ~(body | found)[planes]
        found[planes] |= _with_lung(grid.hu[planes], cavity, closed[planes].sum((1, 2)), reach)
    return found


def _with_lung(hu: np.ndarray, cavity: np.ndarray, whole_px: np.ndarray, reach: int) -> np.ndarray:
    """The parts of a cavity that are as large as a lung in a body of `whole_px` a slice, and hold no plain gas."""
    parts, n = ndi.label(ndi.binary_opening(cavity, IN_PLANE, iterations=reach))
    keep = np.zeros(n + 1, bool)
    for i, box in enumerate(ndi.find_objects(parts), 1):
        part = parts[box] == i
        large = (part.sum((1, 2)) > LEAST_CAVITY * whole_px[box[0]]).any()
        keep[i] = large and not is_gas(hu[box], part, depth=reach)
    return ndi.binary_dilation(keep[parts], IN_PLANE, iterations=2 * reach, mask=cavity)


def _bridged(lines: np.ndarray, gap_px: int) -> np.ndarray:
    """Rows of True and False in which the gaps between two runs of True are filled up to a length."""
    if not lines.any():
        return lines
    places = np.arange(lines.shape[1])
    before = np.maximum.accumulate(np.where(lines, places, -gap_px - lines.shape[1]), axis=1)
    after = np.minimum.accumulate(np.where(lines, places, gap_px + 2 * lines.shape[1])[:, ::-1], axis=1)[:, ::-1]
    return after - before <= gap_px


def _largest_per_slice(mask: np.ndarray, neighbours: np.ndarray) -> np.ndarray:
    """The largest part of every slice."""
    parts, n = ndi.label(mask, neighbours)
    if n == 0:
        return mask
    sizes = np.bincount(parts.ravel(), minlength=n + 1)
    planes = np.array([-1, *(box[0].start for box in ndi.find_objects(parts))])
    keep = np.zeros(n + 1, bool)
    for k in np.unique(planes[1:]):
        here = np.flatnonzero(planes == k)
        keep[here[np.argmax(sizes[here])]] = True
    return keep[parts]


def midline_of(body: np.ndarray) -> float:
    """Column of the middle of a body [z, y, x]."""
    columns = np.flatnonzero(body.any((0, 1)))
    weight = body.sum((0, 1))[columns]
    return float((columns * weight).sum() / weight.sum()) if len(columns) else body.shape[2] / 2


def middle_of(body: np.ndarray) -> tuple[float, float]:
    """Row and column of the middle of a body [z, y, x]."""
    rows = np.flatnonzero(body.any((0, 2)))
    weight = body.sum((0, 2))[rows]
    row = float((rows * weight).sum() / weight.sum()) if len(rows) else body.shape[1] / 2
    return row, midline_of(body)
