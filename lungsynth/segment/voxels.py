"""Bases for detectors that judge every voxel: a probability becomes candidates, slices make up a scan."""

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from lungsynth.ct.volume import Volume
from lungsynth.segment.detector import Detected
from lungsynth.segment.inference import candidates, slices
from lungsynth.segment.inference.grid import Grid
from lungsynth.segment.inference.planes import Scan
from lungsynth.segment.inference.views import EightViews
from lungsynth.segment.scoring.threshold import UNCHOSEN
from lungsynth.segment.settings import FiveLevels, SliceSettings
from lungsynth.segment.training.batches import batches
from lungsynth.segment.training.descent import Descent
from lungsynth.segment.training.losses import dice_and_cross_entropy
from lungsynth.segment.training.windows import Windows
from lungsynth.study.stages.segment import Inference, Network, OperatingPointSettings
from lungsynth.train.data import Shape, Source
from lungsynth.train.trainable import LossFamily, Update

PRIOR_LOGIT = -3.0
"""A head starts at a nodule share of 5 % instead of 50: it saves the first tens of steps."""


def in_window(hu: Tensor, window_hu: tuple[float, float]) -> Tensor:
    """HU [n, slices, h, w] as -1 at the window's lower end and below to 1, in the layout that is fastest on a CPU."""
    low, high = window_hu
    return ((hu - low) * (2 / (high - low)) - 1).clamp(-1, 1).contiguous(memory_format=torch.channels_last)


class VoxelDetector:
    """A kind adds the two probabilities; settings of such a kind set `gives_probability`."""

    def volume_probability(
        self, modules: dict[str, Any], volume: Volume, lungs: np.ndarray, inference: Inference, every: int = 1
    ) -> np.ndarray:
        """Probability of nodule in every voxel, uint8 0..255 [z, y, x]; 0 far from the lungs.

        Args:
            lungs: labels [z, y, x] on the grid of `volume`, 0 outside.
            every: judge each n-th slice only and leave 0 in the others (mining needs no more).
        """
        raise NotImplementedError

    def image_probability(
        self,
        modules: dict[str, Any],
        images: np.ndarray,
        mm_per_px: np.ndarray,
        lungs: np.ndarray,
        inference: Inference,
    ) -> np.ndarray:
        """Probability of nodule in single slices without neighbours, float32 0..1 [n, h, w]; 0 far from the lungs.

        Args:
            images: HU int16 [n, h, w]; mm_per_px: [n] their pixel sizes; lungs: labels [n, h, w], 0 outside.
        """
        raise NotImplementedError

    def detect(
        self,
        modules: dict[str, Any],
        scan: Scan,
        inference: Inference,
        point: OperatingPointSettings | None = None,
    ) -> Detected:
        """See `Detector`: the components of the probability above `point.threshold`, .5 where it is null.

        point: the study's `segment.operating_point`; None: its defaults.
        """
        point = point or OperatingPointSettings()
        probability = self.volume_probability(modules, scan.volume, scan.lungs, inference)
        found, labels = candidates.find(
            scan.name, probability, scan.volume, scan.lungs, point.threshold or UNCHOSEN, point
        )
        return Detected(found, labels, probability)


class SliceDetector(Descent, VoxelDetector):
    """Of a network that judges the middle one of some neighbouring slices.

    A kind adds `build` (see `Trainable`). Its one module is called "segmenter": HU float32 [n, slices, h, w] -> logits
    [n, 1, h, w]; batches are {"hu": float32 [n, slices, w, w], "mask": 0..1 [n, 1, w, w]}, w one of `sizes_px`. One
    that answers more than once while it learns overrides `loss`, and one that learns otherwise `optimisers`, `rate` or
    `step`.
    """

    loss_family: ClassVar[LossFamily] = "supervised"
    averaged: ClassVar[tuple[str, ...]] = ("segmenter",)
    multiple: int = 1
    """Sides of the network's input must be multiples of this (2 to the number of its halvings)."""

    def __init__(self, settings: SliceSettings, network: Network):
        self.settings = settings
        self.shape = Shape(network.slices, settings.window_px)
        self.grid = Grid(network.spacing_mm, network.native_mm)

    def source(self, contexts: list[Windows], batch: int) -> Source:
        """See `Detector`: augmented windows, a share of them without a nodule."""
        own = self.settings
        draw = batches(contexts, own.sizes_px, batch, own.augmentation, own.negatives, own.targets)
        return Source(draw, self.shape)

    def loss(self, logits: Tensor, masks: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of what the network answers in training, and its terms for the log."""
        return dice_and_cross_entropy(logits, masks, self.settings.dice)

    def step(
        self, modules: dict[str, nn.Module], batches: Iterator[dict[str, Tensor]], rng: torch.Generator, step: int
    ) -> Iterator[Update]:
        """One update on one batch {"hu" [n, slices, h, w], "mask" [n, 1, h, w]}."""
        batch = next(batches)
        yield Update("segmenter", *self.loss(modules["segmenter"](batch["hu"]), batch["mask"]))

    def volume_probability(
        self, modules: dict[str, nn.Module], volume: Volume, lungs: np.ndarray, inference: Inference, every: int = 1
    ) -> np.ndarray:
        """See `VoxelDetector`: slice by slice on the network's grid."""
        return slices.volume_probability(self._network(modules, inference), volume, lungs, every)

    def image_probability(
        self,
        modules: dict[str, nn.Module],
        images: np.ndarray,
        mm_per_px: np.ndarray,
        lungs: np.ndarray,
        inference: Inference,
    ) -> np.ndarray:
        """See `VoxelDetector`: each image is its own neighbour, as in a third of the training."""
        return slices.image_probability(self._network(modules, inference), images, mm_per_px, lungs)

    def _network(self, modules: dict[str, nn.Module], inference: Inference) -> slices.SliceNetwork:
        """The network, in as many views as are asked for."""
        module = modules["segmenter"]
        seen = EightViews(module) if inference.views == 8 else module
        return slices.SliceNetwork(seen, self.grid, self.shape.channels, self.multiple)


class FiveLevelDetector(SliceDetector):
    """Of a network with five levels, see `FiveLevels`."""

    multiple = FiveLevels.halvings
