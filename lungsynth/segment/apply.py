"""The trained segmenter for others: whole scans, and single slices such as composites (the lesion gate uses it)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from lungsynth.ct.volume import Volume
from lungsynth.segment import inference
from lungsynth.segment.grid import from_grid, mask_to_grid, to_grid
from lungsynth.segment.registry import SEGMENTERS


@dataclass(frozen=True)
class Segmenter:
    """A network in eval mode with what it needs to know of its input: grid in mm and number of slices."""

    network: nn.Module
    spacing_mm: float
    slices: int = 3


def make_kind(kind: str, block: dict[str, Any], slices: int = 3) -> Any:
    """The kind `kind` with its settings `block`, as the training loop takes it."""
    return SEGMENTERS.get(kind)(SEGMENTERS.settings(kind)(**block), slices)


def load(
    kind: str, block: dict[str, Any], state: Path, spacing_mm: float, slices: int = 3, device: str = "cpu"
) -> Segmenter:
    """The segmenter whose training state is the file `state`; averaged weights, where the kind keeps them."""
    from lungsynth.train.loop import load as load_modules

    modules = load_modules(make_kind(kind, block, slices), state, device)
    return Segmenter(modules["segmenter"], spacing_mm, slices)


def segment_volume(segmenter: Segmenter, volume: Volume, lungs: np.ndarray, every: int = 1) -> np.ndarray:
    """Probability of nodule in a scan, uint8 0..255 [z, y, x]; lungs: labels on the scan's grid.

    every: segment each n-th slice only, 0 in the others.
    """
    return inference.probability(segmenter.network, volume, lungs, segmenter.spacing_mm, segmenter.slices, every)


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
    for start in range(0, len(images), 32):  # bounds the memory of the grid's copies
        part = slice(start, start + 32)
        hu = to_grid(images[part], mm_per_px, segmenter.spacing_mm)
        lung = mask_to_grid(lungs[part], mm_per_px, segmenter.spacing_mm)
        place = np.repeat(np.arange(len(hu))[:, None], segmenter.slices, axis=1)
        found = inference.segment_stacks(segmenter.network, hu, lung, place)
        out[part] = from_grid(found, segmenter.spacing_mm, mm_per_px, images.shape[1:])
    return np.clip(out, 0, 1)
