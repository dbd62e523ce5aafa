"""Cubes round places in a scan: one size and pixel for all scans, with what is known of the slices."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from lungsynth.ct.hu import AIR_HU
from lungsynth.study.stages.segment import CubeNetwork

CLIP_HU = (-1000, 400)
"""HU below and above are these: of some training cubes nobody knows more."""
PREFILTER = 0.35
"""Sd of the Gaussian before an axis shrinks, over the shrinkage; the one of `lungsynth.ct.resample`."""


@dataclass(frozen=True)
class Cubes:
    """What the network is shown of some places.

    Attributes:
        hu: int16 [n, c, c, c] (z, y, x) in `CLIP_HU`, `AIR_HU` where nothing is known.
        box_mm: float32 [n, 3, 2] how far from the middle the scan is known, down and up each axis z, y, x.
        slice_mm: float32 [n] from one slice of the scan to the next.
    """

    hu: np.ndarray
    box_mm: np.ndarray
    slice_mm: np.ndarray

    def __len__(self) -> int:
        return len(self.hu)


def places_mm(network: CubeNetwork) -> np.ndarray:
    """[c] where the voxels of a cube lie along each of its axes, from its middle."""
    return (np.arange(network.side) - (network.side - 1) / 2) * network.spacing_mm


def known(box_mm: np.ndarray, network: CubeNetwork) -> np.ndarray:
    """Which voxels of a cube lie in a box [..., 3, 2] round its middle, bool [..., c, c, c]."""
    places = places_mm(network)
    inside = (places >= box_mm[..., :1]) & (places <= box_mm[..., 1:])
    return inside[..., 0, :, None, None] & inside[..., 1, None, :, None] & inside[..., 2, None, None, :]


def reach(shape: tuple[int, ...], spacing_mm: np.ndarray, centre: np.ndarray, network: CubeNetwork) -> np.ndarray:
    """[3, 2] how far from a place a scan is known, in mm; no farther than the cube reaches.

    A voxel is known to its edge, half a voxel beyond its centre.
    """
    most = network.side * network.spacing_mm / 2
    ends = np.stack([-0.5 - centre, np.asarray(shape) - 0.5 - centre], axis=1) * np.asarray(spacing_mm)[:, None]
    return np.clip(ends, -most, most).astype(np.float32)


def cube(hu: np.ndarray, spacing_mm: tuple[float, ...], centre: np.ndarray, network: CubeNetwork) -> np.ndarray:
    """One cube: int16 [c, c, c], the scan between its voxels by straight lines, its edge repeated beyond it.

    Args:
        hu: [z, y, x] of a scan, or a part of one; centre: (z, y, x) in voxels of `hu`, fractions allowed.
    """
    step = network.spacing_mm / np.asarray(spacing_mm, float)
    half = (network.side - 1) / 2 * step
    centre = np.asarray(centre, float)
    # Room for the filter, so that a part of the scan gives what the whole would.
    low = np.clip(np.floor(centre - half - 3 * step).astype(int), 0, np.array(hu.shape) - 1)
    high = np.clip(np.ceil(centre + half + 3 * step).astype(int) + 1, low + 1, hu.shape)
    part = np.clip(hu[tuple(slice(a, b) for a, b in zip(low, high, strict=True))], *CLIP_HU).astype(np.float32)
    part = ndimage.gaussian_filter(part, np.where(step > 1, PREFILTER * step, 0), mode="nearest")
    side = (network.side,) * 3
    out = ndimage.affine_transform(part, step, centre - half - low, side, order=1, mode="nearest")
    return np.rint(out).astype(np.int16)


def cut(hu: np.ndarray, spacing_mm: tuple[float, ...], centres: np.ndarray, network: CubeNetwork) -> Cubes:
    """Cubes round places [n, 3] (z, y, x in voxels) of a scan."""
    centres = np.asarray(centres, float).reshape(-1, 3)
    found = np.empty((len(centres), *(network.side,) * 3), np.int16)
    boxes = np.empty((len(centres), 3, 2), np.float32)
    for n, centre in enumerate(centres):
        found[n] = cube(hu, spacing_mm, centre, network)
        boxes[n] = reach(hu.shape, spacing_mm, centre, network)
    return hidden(Cubes(found, boxes, np.full(len(centres), spacing_mm[0], np.float32)), network)


def hidden(cubes: Cubes, network: CubeNetwork) -> Cubes:
    """The same with air where nothing is known by their boxes."""
    return Cubes(np.where(known(cubes.box_mm, network), cubes.hu, AIR_HU), cubes.box_mm, cubes.slice_mm)
