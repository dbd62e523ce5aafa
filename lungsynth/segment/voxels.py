"""Bases for detectors that judge every voxel: a probability becomes candidates, slices make up a scan."""

from typing import Any, ClassVar

import numpy as np
from torch import nn

from lungsynth.ct.volume import Volume
from lungsynth.segment.detector import Detected
from lungsynth.segment.inference import candidates, slices
from lungsynth.segment.inference.grid import Grid
from lungsynth.segment.inference.planes import Scan
from lungsynth.segment.inference.views import EightViews
from lungsynth.segment.settings import SliceSettings
from lungsynth.segment.training.batches import batches
from lungsynth.segment.training.windows import Windows
from lungsynth.study.stages.segment import Inference, Network, OperatingPointSettings
from lungsynth.train.data import Shape, Source
from lungsynth.train.trainable import LossFamily

UNCHOSEN = 0.5
"""Threshold of the probability where no tune scan has chosen one."""


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


class SliceDetector(VoxelDetector):
    """Of a network that judges the middle one of some neighbouring slices.

    A kind adds `build`, `optimisers` and `step` (see `Trainable`). Its one module is called "segmenter": HU float32
    [n, slices, h, w] -> logits [n, 1, h, w]; batches are {"hu": float32 [n, slices, w, w], "mask": 0/1 [n, 1, w, w]}.
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
        return Source(batches(contexts, own.window_px, batch, own.augmentation, own.negatives), self.shape)

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
