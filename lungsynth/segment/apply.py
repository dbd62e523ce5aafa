"""The trained segmenter for others: whole scans, and single slices such as composites (the lesion gate uses it)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from lungsynth.ct.volume import Volume
from lungsynth.segment.inference import slices as inference
from lungsynth.segment.inference.grid import Grid, from_grid, mask_to_grid, to_grid
from lungsynth.segment.inference.views import EightViews
from lungsynth.segment.registry import DETECTORS
from lungsynth.study.stages import Segment


@dataclass(frozen=True)
class Segmenter:
    """A network in eval mode with what it needs to know of its input: grid and number of slices."""

    network: nn.Module
    grid: Grid
    slices: int = 3


def grid_of(segment: Segment) -> Grid:
    """The grid that a study's segmenter works on."""
    return Grid(segment.spacing_mm, segment.native_mm)


def make_kind(segment: Segment, start: Path | None = None) -> Any:
    """The kind that a study names with its settings, as the training loop takes it; `start`: released weights."""
    settings = DETECTORS.settings(segment.kind)(**segment.block())
    return DETECTORS.get(segment.kind)(settings, segment.slices, start)


def load(segment: Segment, weights: Path, device: Any = "cpu") -> Segmenter:
    """A study's segmenter in eval mode.

    Args:
        segment: the study's settings of it.
        weights: a training's state (averaged weights, where the kind keeps them) or released weights (.safetensors).
    """
    if weights.suffix == ".safetensors":
        network = make_kind(segment, weights).build()["segmenter"].to(device).eval().requires_grad_(False)
    else:
        from lungsynth.train.loop import load as load_modules

        network = load_modules(make_kind(segment), weights, device)["segmenter"]
    network = EightViews(network) if segment.views == 8 else network
    return Segmenter(network, grid_of(segment), segment.slices)


def segment_volume(segmenter: Segmenter, volume: Volume, lungs: np.ndarray, every: int = 1) -> np.ndarray:
    """Probability of nodule in a scan, uint8 0..255 [z, y, x]; lungs: labels on the scan's grid.

    every: segment each n-th slice only, 0 in the others.
    """
    return inference.probability(segmenter.network, volume, lungs, segmenter.grid, segmenter.slices, every)


def bare(segmenter: Segmenter) -> nn.Module:
    """The network itself, whatever number of views it is asked for."""
    network = segmenter.network
    return network.network if isinstance(network, EightViews) else network


def segment_patches(segmenter: Segmenter, images: np.ndarray, mm_per_px: np.ndarray) -> np.ndarray:
    """Probability of nodule in patches or windows of different pixel sizes, float32 0..1 [n, h, w].

    images: HU int16 [n, h, w], each its own neighbour; mm_per_px: [n].
    """
    out = np.empty(images.shape, np.float32)
    native = np.array([segmenter.grid.mm(mm) == mm for mm in mm_per_px], bool)
    if native.any():
        # None of them is resampled, so that any of their sizes serves for all.
        out[native] = segment_images(segmenter, images[native], float(mm_per_px[native][0]))
    for k in np.flatnonzero(~native):
        out[k] = segment_images(segmenter, images[k : k + 1], float(mm_per_px[k]))[0]
    return out


def segment_images(
    segmenter: Segmenter, images: np.ndarray, mm_per_px: float, lungs: np.ndarray | None = None
) -> np.ndarray:
    """Probability of nodule in single slices, float32 0..1 [n, h, w].

    Args:
        images: HU int16 [n, h, w]; each is its own neighbour, as in a third of the training.
        mm_per_px: their pixel size; they are brought to the segmenter's grid and back.
        lungs: labels uint8 [n, h, w]; outside the lungs' boxes the probability is 0. None: the whole image is seen.
    """
    lungs = np.ones(images.shape, np.uint8) if lungs is None else lungs
    out = np.empty(images.shape, np.float32)
    grid_mm = segmenter.grid.mm(mm_per_px)
    for start in range(0, len(images), 32):  # bounds the memory of the grid's copies
        part = slice(start, start + 32)
        hu = to_grid(images[part], mm_per_px, grid_mm)
        lung = mask_to_grid(lungs[part], mm_per_px, grid_mm)
        place = np.repeat(np.arange(len(hu))[:, None], segmenter.slices, axis=1)
        found = inference.segment_stacks(segmenter.network, hu, lung, place)
        out[part] = from_grid(found, grid_mm, mm_per_px, images.shape[1:])
    return np.clip(out, 0, 1)
