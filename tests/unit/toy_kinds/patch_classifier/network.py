"""Proposals by opening, judged by one convolution and a line."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from lungsynth.segment.detector import Detected
from lungsynth.segment.inference import baseline
from lungsynth.segment.inference.grid import Grid
from lungsynth.segment.registry import DETECTORS
from lungsynth.segment.training.windows import Cutter, join
from lungsynth.study.errors import DataError
from lungsynth.train.data import Shape, Source
from lungsynth.train.trainable import Update


@DETECTORS.register("patch_classifier")
class PatchClassifier:
    """A detector without a probability of every voxel."""

    loss_family = "supervised"
    averaged = ()

    def __init__(self, settings, network):
        self.settings, self.network = settings, network
        self.shape = Shape(network.slices, settings.architecture.patch_px)

    def build(self, shape, classes=1, real=None):
        """One module."""
        filters = self.settings.architecture.filters
        parts = nn.Conv2d(shape.channels, filters, 5), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        return {"classifier": nn.Sequential(*parts, nn.Linear(filters, 1))}

    def optimisers(self, modules):
        """Adam."""
        return {"classifier": torch.optim.Adam(modules["classifier"].parameters(), self.settings.learning_rate)}

    def step(self, modules, batches, rng, step):
        """Cross entropy."""
        batch = next(batches)
        logits = modules["classifier"](_scaled(batch["hu"]))[:, 0]
        yield Update("classifier", functional.binary_cross_entropy_with_logits(logits, batch["nodule"]))

    def source(self, contexts, batch):
        """The middles of contexts, as many with a nodule as without."""
        every = join(contexts)
        images, holds = _middle(every.images, self.shape.size_px), every.table["what"].to_numpy() == "nodule"
        pools = [np.flatnonzero(holds), np.flatnonzero(~holds)]
        if not len(pools[0]):
            raise DataError("the contexts are too few: 0 nodule")

        def draw(rng):
            rows = np.concatenate([rng.choice(pool, batch // 2) for pool in pools])
            return {
                "hu": torch.from_numpy(images[rows].astype(np.float32)),
                "nodule": torch.from_numpy(holds[rows].astype(np.float32)),
            }

        return Source(draw, self.shape)

    def detect(self, modules, scan, inference):
        """What an opening leaves, ranked by the classifier."""
        found, _ = baseline.find(scan.name, scan.volume, scan.lungs, self.settings.opening_mm)
        if not len(found):
            return Detected(found)
        grid = Grid(self.network.spacing_mm, self.network.native_mm)
        cutter = Cutter(scan, grid, self.shape.size_px, self.shape.channels)
        centres = scan.volume.to_index(found[["x_mm", "y_mm", "z_mm"]].to_numpy())
        patches = torch.from_numpy(cutter.cut(centres, ["candidate"] * len(found)).images.astype(np.float32))
        device = next(modules["classifier"].parameters()).device
        with torch.inference_mode():
            sure = modules["classifier"](_scaled(patches.to(device)))[:, 0].sigmoid().cpu().numpy()
        return Detected(found.assign(probability=sure))


def _scaled(hu):
    return ((hu + 300) / 700).clamp(-1, 1)


def _middle(images, size):
    room = (images.shape[-1] - size) // 2
    return images[..., room : room + size, room : room + size]
