"""Which patches of a scan the classifier is asked about: a lattice over the lungs, slice by slice."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lungsynth.segment.inference.grid import Grid, grid_position, mask_to_grid, pixel_mm, to_grid
from lungsynth.segment.inference.planes import Scan
from lungsynth.segment.kinds.cnn_vgg.settings import Sweep
from lungsynth.train.data import Shape


@dataclass(frozen=True)
class Plane:
    """The patches of one slice.

    Attributes:
        hu: int16 [slices, rows, columns], the slice and its neighbours on the network's grid, with half a patch around.
        corners: int [n, 2], row and column of each patch in `hu`; places: float [n, 3], its middle on the scan's grid.
    """

    hu: np.ndarray
    corners: np.ndarray
    places: np.ndarray


def planes_of(scan: Scan, grid: Grid, shape: Shape, sweep: Sweep) -> Iterator[Plane]:
    """The planes of a scan that have lungs, `stride_mm` apart, each with its patches."""
    mm, last = pixel_mm(scan.volume), len(scan.volume.hu) - 1
    grid_mm, half = grid.mm(mm), shape.size_px // 2
    stride, around = max(1, round(sweep.stride_mm / grid_mm)), np.arange(shape.channels) - shape.channels // 2
    every = max(1, round(sweep.stride_mm / scan.volume.spacing_mm[0]))
    for k in np.flatnonzero(scan.lungs.any((1, 2)))[::every]:
        hu = to_grid(scan.volume.hu[np.clip(k + around, 0, last)], mm, grid_mm)
        asked = _asked(hu[len(hu) // 2], mask_to_grid(scan.lungs[k : k + 1], mm, grid_mm)[0], stride, sweep.least_hu)
        sizes = zip(asked.T, hu.shape[1:], scan.volume.hu.shape[1:], strict=True)
        across = [grid_position(at, grid_size, size, grid_mm / mm) for at, grid_size, size in sizes]
        places = np.stack([np.full(len(asked), k, float), *across], axis=1)
        yield Plane(np.pad(hu, ((0, 0), (half, half), (half, half)), mode="symmetric"), asked, places)


def patches_of(plane: Plane, start: int, stop: int, size: int) -> np.ndarray:
    """Patches float32 [n, slices, size, size] from the start-th to before the stop-th."""
    return np.stack(
        [plane.hu[:, row : row + size, column : column + size] for row, column in plane.corners[start:stop]]
    ).astype(np.float32)


def _asked(hu: np.ndarray, lungs: np.ndarray, stride: int, least_hu: float) -> np.ndarray:
    """Middles [n, 2] of patches, `stride` px apart, that have something dense of the lungs within half a stride.

    hu, lungs: [rows, columns] on the network's grid.
    """
    rows, columns = (np.arange(stride // 2, size, stride) for size in hu.shape)
    seen = (hu > least_hu) & (lungs > 0)
    for axis, at in enumerate((rows, columns)):
        seen = np.logical_or.reduceat(seen, at - stride // 2, axis=axis)
    down, right = np.nonzero(seen)
    return np.stack([rows[down], columns[right]], axis=1)
