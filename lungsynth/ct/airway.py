"""Trachea and main bronchi, which are no lung."""

import numpy as np
from scipy import ndimage as ndi

from lungsynth.ct.gas import GAS_HU
from lungsynth.ct.outline import IN_PLANE
from lungsynth.ct.torso import Grid, midline_of


def airway_of(grid: Grid, air: np.ndarray, body: np.ndarray) -> np.ndarray:
    """Trachea and main bronchi: a tube of 8 to 150 ml near the midline that reaches the upper scan.

    The threshold falls until the tube no longer leaks into the lungs. All False where none is found.
    """
    smooth = ndi.gaussian_filter(grid.hu, (0.4, 0.5, 0.5))
    middle, top = midline_of(body), 0.72 * len(air)
    for threshold in (-920, -940, -960, -975):
        parts, n = ndi.label((smooth < threshold) & body)
        sizes = np.bincount(parts.ravel(), minlength=n + 1) * grid.voxel_ml
        boxes = ndi.find_objects(parts)
        tubes = [
            i
            for i in np.flatnonzero((sizes > 8) & (sizes < 150))
            if i and boxes[i - 1][0].stop > top and _is_central(parts, boxes[i - 1], i, middle, grid.step_mm[2])
        ]
        if tubes:
            tube = parts == max(tubes, key=lambda i: sizes[i])
            return ndi.binary_dilation(tube, IN_PLANE, iterations=max(1, round(2.5 / grid.step_mm[1]))) & air
    return np.zeros_like(air)


def airway_in_slice(grid: Grid, air: np.ndarray, body: np.ndarray) -> np.ndarray:
    """What one slice shows of trachea and main bronchi: small parts near the midline that are as dark as air."""
    smooth = ndi.gaussian_filter(grid.hu, (0, 0.5, 0.5))
    parts, n = ndi.label((smooth < GAS_HU + 15) & air)
    tube = np.zeros(n + 1, bool)
    middle = midline_of(body)
    for i in range(1, n + 1):
        rows, columns = np.nonzero(parts[0] == i)
        area = len(rows) * grid.pixel_mm2
        box = np.ptp(rows) + 1, np.ptp(columns) + 1
        round_enough = len(rows) > 0.5 * box[0] * box[1]
        central = abs(columns.mean() - middle) * grid.step_mm[2] < 30
        tube[i] = 40 < area < 700 and round_enough and central and _has_wall(grid, parts == i)
    return ndi.binary_dilation(tube[parts], IN_PLANE, iterations=max(1, round(2.5 / grid.step_mm[1]))) & air


def _has_wall(grid: Grid, tube: np.ndarray) -> bool:
    """Whether tissue lies round a part of a slice, as round the trachea; a bulla lies in the lung."""
    steps = max(1, round(2.5 / grid.step_mm[1]))
    wide = ndi.binary_dilation(tube, IN_PLANE, iterations=3 * steps)
    return bool(grid.hu[wide & ~ndi.binary_dilation(tube, IN_PLANE, iterations=steps)].mean() > -600)


def _is_central(parts: np.ndarray, box: tuple, index: int, middle: float, step_mm: float) -> bool:
    columns = np.nonzero(parts[box] == index)[2].mean() + box[2].start
    return abs(columns - middle) * step_mm < 35


def without_midline_tubes(grid: Grid, lungs: np.ndarray, body: np.ndarray) -> np.ndarray:
    """Drops what thick slices leave of the trachea: small dark round parts near the midline."""
    parts, n = ndi.label(lungs > 0, IN_PLANE)
    if n == 0:
        return lungs
    inside = np.nonzero(parts)
    label = parts[inside] - 1
    size = np.bincount(label, minlength=n)
    area, hu, columns = size * grid.pixel_mm2, *(np.bincount(label, v, n) / size for v in (grid.hu[inside], inside[2]))
    off_mm = np.abs(columns - midline_of(body)) * grid.step_mm[2]
    tube = np.r_[False, (area < 700) & ((off_mm < 25) & (hu < -880) | (off_mm < 40) & (hu < -910))]
    return np.where(tube[parts], 0, lungs).astype(np.uint8)
