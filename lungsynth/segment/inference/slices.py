"""The network over a whole scan: slice by slice, lung by lung, so that only lungs cost time."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from lungsynth.ct.hu import AIR_HU
from lungsynth.ct.volume import Volume
from lungsynth.segment.inference.grid import Grid, from_grid, mask_to_grid, pixel_mm, to_grid

MARGIN_PX = 10
"""Pixels seen round a lung's box: the wall behind a nodule that sits on it."""
CHUNK = {"cpu": 2, "cuda": 32}
"""Slices in one call. Few on a CPU: their channels then stay in a core's cache, and 8 take twice the time a slice."""
IMAGES = 32
"""Single slices brought to the grid together; bounds the memory of the copies."""


@dataclass(frozen=True)
class SliceNetwork:
    """A network with what must be known of its input.

    Attributes:
        module: HU float32 [n, slices, h, w] -> logits [n, 1, h, w] of the middle slices, in eval mode.
        grid: the pixel sizes that it works on.
        slices: neighbours that it sees, an odd number.
        multiple: h and w must be multiples of it.
    """

    module: nn.Module
    grid: Grid
    slices: int = 3
    multiple: int = 1

    @property
    def device(self) -> torch.device:
        """Where it is."""
        return next(self.module.parameters()).device


def volume_probability(network: SliceNetwork, volume: Volume, lungs: np.ndarray, every: int = 1) -> np.ndarray:
    """The probability of nodule in every voxel of a scan, uint8 0..255 [z, y, x]; 0 far from the lungs.

    Args:
        volume: HU of the scan; neighbours of the first and last slice are these slices again.
        lungs: labels [z, y, x] on the scan's grid, each label (side) is seen in a box of its own.
        every: segment each n-th slice only and leave 0 in the others (mining needs no more).
    """
    mm = pixel_mm(volume)
    spacing_mm = network.grid.mm(mm)
    out = np.zeros(volume.hu.shape, np.uint8)
    present = np.flatnonzero(lungs.any((1, 2)))
    if not len(present):
        return out
    # One slice more at either end: a nodule on the diaphragm reaches below the lowest lung pixel.
    wanted = np.unique(np.clip(np.concatenate([present - 1, present, present + 1]), 0, len(out) - 1))[::every]
    around = np.arange(network.slices) - network.slices // 2
    needed = np.unique(np.clip(wanted[:, None] + around, 0, len(out) - 1))
    hu = to_grid(volume.hu[needed], mm, spacing_mm)
    lung = mask_to_grid(lungs[needed], mm, spacing_mm)
    place = np.searchsorted(needed, np.clip(wanted[:, None] + around, 0, len(out) - 1))
    result = segment_stacks(network, hu, lung, place)
    out[wanted] = np.rint(255 * from_grid(result, spacing_mm, mm, out.shape[1:])).astype(np.uint8)
    return out


def image_probability(
    network: SliceNetwork, images: np.ndarray, mm_per_px: np.ndarray, lungs: np.ndarray
) -> np.ndarray:
    """The probability of nodule in single slices, each its own neighbour, float32 0..1 [n, h, w].

    images: HU int16 [n, h, w]; mm_per_px: [n]; lungs: labels [n, h, w], outside whose boxes the probability is 0.
    """
    out = np.empty(images.shape, np.float32)
    native = np.array([network.grid.mm(mm) == mm for mm in mm_per_px], bool)
    # What is not resampled needs no pixel size of its own, and runs together.
    for mm in [None, *np.unique(mm_per_px[~native])]:
        which = native if mm is None else ~native & (mm_per_px == mm)
        if which.any():
            out[which] = _alike(network, images[which], float(mm_per_px[which][0]), lungs[which])
    return np.clip(out, 0, 1)


def _alike(network: SliceNetwork, images: np.ndarray, mm_per_px: float, lungs: np.ndarray) -> np.ndarray:
    """`image_probability` of images of one pixel size, before values are cut to 0..1."""
    out = np.empty(images.shape, np.float32)
    grid_mm = network.grid.mm(mm_per_px)
    for start in range(0, len(images), IMAGES):
        part = slice(start, start + IMAGES)
        hu = to_grid(images[part], mm_per_px, grid_mm)
        lung = mask_to_grid(lungs[part], mm_per_px, grid_mm)
        place = np.repeat(np.arange(len(hu))[:, None], network.slices, axis=1)
        found = segment_stacks(network, hu, lung, place)
        out[part] = from_grid(found, grid_mm, mm_per_px, images.shape[1:])
    return out


def segment_stacks(network: SliceNetwork, hu: np.ndarray, lungs: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Probabilities float32 [n, h, w] of n slices, each seen with its neighbours.

    hu int16 and lungs uint8 [m, h, w]: slices on the network's grid; place int [n, slices]: which of the m slices make
    up the n-th input. Outside the boxes of the lungs (labels of any of its slices) the probability is 0.
    """
    out = np.zeros((len(place), *hu.shape[1:]), np.float32)
    labels = [label for label in np.unique(lungs) if label]
    step = CHUNK.get(network.device.type, 2)
    for start in range(0, len(place), step):
        chunk = place[start : start + step]
        for label in labels:
            box = _box(lungs[np.unique(chunk)] == label, network.multiple)
            if box is None:
                continue
            # Two boxes overlap in the mediastinum: whatever either sees there stays.
            view = out[start : start + step][:, *box]
            np.maximum(view, _run(network, hu[:, *box][chunk]), out=view)
    return out


def _box(mask: np.ndarray, multiple: int) -> tuple[slice, slice] | None:
    """The smallest box of rows and columns round a mask [n, h, w], with margin, a multiple of `multiple` if it fits."""
    if not mask.any():
        return None
    box = []
    for axis, size in ((1, mask.shape[1]), (2, mask.shape[2])):
        hit = np.flatnonzero(mask.any(axis=(0, 3 - axis)))
        low, high = max(0, hit[0] - MARGIN_PX), min(size, hit[-1] + 1 + MARGIN_PX)
        high = min(size, low + -(-(high - low) // multiple) * multiple)
        low = max(0, high - -(-(high - low) // multiple) * multiple)
        box.append(slice(low, high))
    return tuple(box)


def _run(network: SliceNetwork, hu: np.ndarray) -> np.ndarray:
    """Probabilities [n, h, w] of inputs [n, slices, h, w]; sizes that the pools do not divide are padded with air."""
    height, width = hu.shape[-2:]
    with torch.inference_mode():
        x = torch.from_numpy(np.ascontiguousarray(hu, np.float32)).to(network.device)
        short = [-size % network.multiple for size in (width, height)]
        x = functional.pad(x, (0, short[0], 0, short[1]), value=AIR_HU)
        return network.module(x).sigmoid()[:, 0, :height, :width].cpu().numpy()
