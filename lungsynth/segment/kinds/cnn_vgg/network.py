"""The patch classifier: how it is built, learns, and is swept over the lungs."""

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from lungsynth.nets.vgg import VggTrunk
from lungsynth.segment.detector import Detected
from lungsynth.segment.inference.grid import Grid
from lungsynth.segment.inference.planes import Scan
from lungsynth.segment.inference.points import gathered, table_of_places
from lungsynth.segment.kinds.cnn_vgg.settings import Architecture, Settings
from lungsynth.segment.kinds.cnn_vgg.sweep import patches_of, planes_of
from lungsynth.segment.registry import DETECTORS
from lungsynth.segment.training.augment import window
from lungsynth.segment.training.batches import Contexts
from lungsynth.segment.training.descent import Descent
from lungsynth.segment.training.windows import Windows
from lungsynth.segment.voxels import in_window
from lungsynth.study.stages.segment import Inference, Network
from lungsynth.train.data import Shape, Source
from lungsynth.train.trainable import LossFamily, Update

CHUNK = {"cpu": 64, "cuda": 1024}
"""Patches in one call."""


class Vgg(nn.Module):
    """HU [n, slices, patch_px, patch_px] -> logits [n]: whether a nodule lies in the patch's middle."""

    def __init__(self, architecture: Architecture, slices: int = 3):
        super().__init__()
        self.window_hu, self.temperature = architecture.window_hu, architecture.temperature
        self.trunk = VggTrunk(slices, architecture.blocks)
        side = 1 if architecture.average else architecture.patch_px // architecture.halvings
        self.average = architecture.average
        self.head = nn.Sequential(
            nn.Linear(self.trunk.channels * side**2, architecture.hidden), nn.ReLU(), nn.Linear(architecture.hidden, 1)
        )
        self.to(memory_format=torch.channels_last)

    def forward(self, hu: Tensor) -> Tensor:
        x = functional.max_pool2d(self.trunk(in_window(hu, self.window_hu)), 2)
        logits = self.head(x.mean((2, 3)) if self.average else x.flatten(1))[:, 0]
        return logits if self.training else logits / self.temperature


@DETECTORS.register("cnn_vgg")
class VggKind(Descent):
    """One module, "classifier"; batches are {"hu": [n, slices, p, p], "nodule": 0/1 [n]}."""

    loss_family: ClassVar[LossFamily] = "supervised"
    averaged: ClassVar[tuple[str, ...]] = ("classifier",)
    settings: Settings

    def __init__(self, settings: Settings, network: Network):
        self.settings, self.network = settings, network
        self.shape = Shape(network.slices, settings.architecture.patch_px)
        self.grid = Grid(network.spacing_mm, network.native_mm)

    def build(self, shape: Shape, classes: int = 1, real: Any = None) -> dict[str, nn.Module]:
        """The network with fresh weights."""
        return {"classifier": Vgg(self.settings.architecture, shape.channels)}

    def source(self, contexts: list[Windows], batch: int) -> Source:
        """See `Detector`: patches with a nodule in the middle, with one beside it, and without."""
        own, size = self.settings, self.shape.size_px
        drawn_from, reach = Contexts(contexts, size, own.negatives), own.reach_px(self.network)
        images, masks, holds = drawn_from.windows.images, drawn_from.windows.consensus, drawn_from.holds
        middle = slice(size // 2 - reach, size // 2 + reach + 1)

        def draw(rng: np.random.Generator) -> dict[str, Tensor]:
            hu, nodule = [], []
            for row in drawn_from.draw(batch, rng):
                in_the_middle = holds[row] and rng.random() >= own.beside
                how = (own.augmentation, rng, reach if in_the_middle else None)
                patch, mask = window(images[row], masks[row], size, *how)
                hu.append(patch)
                nodule.append(mask[0, middle, middle].any())
            return {"hu": torch.from_numpy(np.stack(hu)), "nodule": torch.from_numpy(np.array(nodule, np.float32))}

        return Source(draw, self.shape)

    def step(
        self, modules: dict[str, nn.Module], batches: Iterator[dict[str, Tensor]], rng: torch.Generator, step: int
    ) -> Iterator[Update]:
        """One update: binary cross entropy."""
        batch = next(batches)
        logits = modules["classifier"](batch["hu"])
        yield Update("classifier", functional.binary_cross_entropy_with_logits(logits, batch["nodule"]))

    def detect(self, modules: dict[str, nn.Module], scan: Scan, inference: Inference) -> Detected:
        """See `Detector`: the sweep's answers, those near each other merged into one candidate.

        A candidate's probability is that of its best answer; its size is not known.
        """
        sweep = self.settings.sweep
        index, sure = self._answers(modules["classifier"], scan)
        kept = sure >= sweep.least
        index, sure = index[kept], sure[kept]
        groups = gathered(scan.volume.to_mm(index), sure, sweep.merge_mm)
        if sweep.merge == "suppress":
            places = [index[group[0]] for group in groups]
        else:
            places = [np.average(index[group], axis=0, weights=sure[group]) for group in groups]
        return Detected(table_of_places(scan, np.reshape(places, (-1, 3)), [float(sure[group[0]]) for group in groups]))

    def _answers(self, module: nn.Module, scan: Scan) -> tuple[np.ndarray, np.ndarray]:
        """Slice, row and column of every patch's middle on the scan's grid [n, 3], and its probability [n]."""
        device, places, answers = next(module.parameters()).device, [np.empty((0, 3))], [np.empty(0)]
        step = CHUNK.get(device.type, CHUNK["cpu"])
        for plane in planes_of(scan, self.grid, self.shape, self.settings.sweep):
            places.append(plane.places)
            for start in range(0, len(plane.corners), step):
                hu = torch.from_numpy(patches_of(plane, start, start + step, self.shape.size_px)).to(device)
                with torch.inference_mode():
                    answers.append(module(hu).sigmoid().cpu().numpy())
        return np.concatenate(places), np.concatenate(answers)
