"""How a candidate is shown to a network of outlines: a cube of the scan, as large as the candidate asks for."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

from lungsynth.ct.shape import mask_diameter_mm
from lungsynth.segment.volumetric.cubes import CLIP_HU, PREFILTER
from lungsynth.study.stages.segment import OutlineNetwork

CHANNELS = 6
REACH = 0.6
"""So far, over its side, may a cube reach from its candidate, with the filter before it is cut."""
TYPICAL_MM = 1.0, 2.5
"""Sides of a voxel and distance of slices that reach the network as 0; a doubling adds .5."""


@dataclass(frozen=True)
class View:
    """A cube in a volume.

    Attributes:
        centre: (z, y, x) of its middle in voxels; side_mm: of the cube.
        axes: [3, 3], columns are the cube's axes in the volume's (z, y, x), in mm; the unit matrix: the volume's own.
    """

    centre: np.ndarray
    side_mm: float
    axes: np.ndarray


def within(reach_mm: float, place: tuple[slice, ...], spacing_mm: tuple[float, ...]) -> tuple[slice, ...]:
    """A place in a volume (slices z, y, x) with all that lies no farther from it along each axis."""
    room = np.ceil(reach_mm / np.asarray(spacing_mm)).astype(int)
    return tuple(slice(max(0, side.start - more), side.stop + more) for side, more in zip(place, room, strict=True))


def of_candidate(mask: np.ndarray, spacing_mm: tuple[float, ...], network: OutlineNetwork) -> View:
    """The cube round a candidate, bool [z, y, x]: `network.times` the diameter of the ball of its volume."""
    side_mm = float(np.clip(network.times * mask_diameter_mm(mask, spacing_mm), *network.side_mm))
    return View(np.argwhere(mask).mean(0), side_mm, np.eye(3))


def seen(
    hu: np.ndarray,
    probability: np.ndarray,
    masks: list[np.ndarray],
    spacing_mm: tuple[float, ...],
    view: View,
    side: int,
) -> tuple[Tensor, Tensor]:
    """What lies in a cube, float32 [2 + masks, c, c, c], by straight lines; and which of it the volume holds, 0/1.

    Args:
        hu: [z, y, x]; probability: uint8 0..255; masks: bool, or shares 0..1, all of one shape; side: voxels of the
            cube's side.

    Returns:
        HU in `CLIP_HU`, the probability 0..1, the share of each mask; and [c, c, c], 1 within half a voxel of the
        volume's last.
    """
    shrunk = view.side_mm / side / np.asarray(spacing_mm)
    smooth = np.clip(hu, *CLIP_HU).astype(np.float32)
    smooth = ndimage.gaussian_filter(smooth, np.where(shrunk > 1, PREFILTER * shrunk, 0), mode="nearest")
    arrays = torch.from_numpy(np.stack([smooth, probability.astype(np.float32) / 255, *masks]).astype(np.float32))
    steps = (torch.arange(side) - (side - 1) / 2) * (view.side_mm / side)
    places = torch.stack(torch.meshgrid(steps, steps, steps, indexing="ij"), dim=-1)
    to_voxels = torch.from_numpy(view.axes.T / np.asarray(spacing_mm)).float()
    voxels = places @ to_voxels + torch.from_numpy(view.centre).float()
    shape = torch.tensor(hu.shape)
    known = ((voxels >= -0.5) & (voxels <= shape - 0.5)).all(-1).float()
    grid = ((2 * voxels + 1) / shape - 1).flip(-1)
    cut = functional.grid_sample(arrays[None], grid[None], "bilinear", "border", align_corners=False)[0]
    return cut, known


def shown(
    hu: Tensor, probability: Tensor, candidate: Tensor, known: Tensor, voxel_mm: float, slice_mm: float
) -> Tensor:
    """A network's input, float32 [CHANNELS, c, c, c]: HU as -1..1, probability as -1..1 and candidate, 0 where nothing
    is known; what is known; voxel and slice distance.

    hu, probability, candidate, known: [c, c, c], as `seen` gives them.
    """
    low, high = CLIP_HU
    grey = ((hu - low) * (2 / (high - low)) - 1).clamp(-1, 1)
    scales = [
        torch.full_like(hu, 0.5 * float(np.log2(value / typical)))
        for value, typical in zip((voxel_mm, slice_mm), TYPICAL_MM, strict=True)
    ]
    return torch.stack([grey * known, known, (2 * probability - 1) * known, candidate * known, *scales])


def back(cube: np.ndarray, shape: tuple[int, ...], spacing_mm: tuple[float, ...], view: View) -> np.ndarray:
    """A cube's values [c, c, c] at a volume's voxels, float32 [z, y, x], by straight lines, 0 outside the cube.

    view: along the volume's own axes.
    """
    step = np.asarray(spacing_mm) / (view.side_mm / len(cube))
    start = (len(cube) - 1) / 2 - view.centre * step
    return ndimage.affine_transform(cube, step, start, shape, order=1, mode="constant", cval=0)
