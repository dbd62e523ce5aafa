"""Faster R-CNN on slices and the 3-D network behind it: how they learn and how they find nodules in a scan."""

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from lungsynth.segment.detector import Detected
from lungsynth.segment.inference.grid import Grid
from lungsynth.segment.inference.planes import Scan
from lungsynth.segment.inference.points import table_of_places
from lungsynth.segment.kinds.faster_rcnn import boxes as plane
from lungsynth.segment.kinds.faster_rcnn.cubes import turned
from lungsynth.segment.kinds.faster_rcnn.modules import CubeNetwork, Proposer
from lungsynth.segment.kinds.faster_rcnn.scan import found_in, merged
from lungsynth.segment.kinds.faster_rcnn.settings import Settings
from lungsynth.segment.registry import DETECTORS
from lungsynth.segment.training.augment import window
from lungsynth.segment.training.batches import Contexts
from lungsynth.segment.training.descent import Descent
from lungsynth.segment.training.windows import Cutter, Windows
from lungsynth.study.errors import DataError
from lungsynth.study.stages.segment import Cubes, Inference, Network
from lungsynth.train.data import Shape, Source
from lungsynth.train.trainable import LossFamily, Update

MOST_NODULES = 6
"""In one window."""
FAR, NEAR = 0.2, 0.4
"""IoU below which an anchor or a box is no nodule's, and from which it is one's. Ren 2015 has .3 and .5 or .7, for
things of a hundred pixels: of a box of four pixels one that is a pixel off in both directions shares .39.
"""


@DETECTORS.register("faster_rcnn")
class FasterRcnnKind(Descent):
    """Modules "proposer" and "cubes"; each batch moves both.

    Batches are {"hu": [n, slices, w, w], "boxes": [n, k, 4] (zeros: none), "cube": [n, planes, s, s], "nodule": [n]}.
    """

    loss_family: ClassVar[LossFamily] = "supervised"
    averaged: ClassVar[tuple[str, ...]] = ("proposer", "cubes")
    settings: Settings

    def __init__(self, settings: Settings, network: Network):
        self.settings, self.network = settings, network
        self.shape = Shape(network.slices, settings.window_px)
        self.grid = Grid(network.spacing_mm, network.native_mm)
        self.sides = tuple(side / network.spacing_mm for side in settings.architecture.anchors_mm)

    def build(self, shape: Shape, classes: int = 1, real: Any = None) -> dict[str, nn.Module]:
        """Both networks with fresh weights."""
        own = self.settings.architecture
        return {"proposer": Proposer(own, shape.channels, len(self.sides)), "cubes": CubeNetwork(own)}

    def source(self, contexts: list[Windows], batch: int) -> Source:
        """See `Detector`: windows with the boxes of their nodules, and the cube round each context's middle."""
        own, cube = self.settings, self.settings.architecture.cube
        drawn_from = Contexts(contexts, own.window_px, own.negatives)
        all_of, masks, holds = drawn_from.windows, drawn_from.windows.consensus, drawn_from.holds
        if all_of.cubes.shape[1] < cube.planes or all_of.cubes.shape[2] < cube.side_px:
            raise DataError(
                f"cubes of {all_of.cubes.shape[1]} planes and {all_of.cubes.shape[2]} px are smaller than those of "
                f"{cube.planes} planes and {cube.side_px} px that are judged"
            )

        def draw(rng: np.random.Generator) -> dict[str, Tensor]:
            rows = drawn_from.draw(batch, rng)
            pairs = [window(all_of.images[n], masks[n], own.window_px, own.augmentation, rng) for n in rows]
            found = [plane.boxes_of(mask[0], MOST_NODULES) for _, mask in pairs]
            cubes = [turned(all_of.cubes[n], cube.planes, cube.side_px, own.augmentation, rng) for n in rows]
            arrays = {
                "hu": np.stack([hu for hu, _ in pairs]),
                "boxes": np.stack(found),
                "cube": np.stack(cubes),
                "nodule": holds[rows].astype(np.float32),
            }
            return {name: torch.from_numpy(value) for name, value in arrays.items()}

        return Source(draw, self.shape)

    def step(
        self, modules: dict[str, nn.Module], batches: Iterator[dict[str, Tensor]], rng: torch.Generator, step: int
    ) -> Iterator[Update]:
        """An update of the proposer, then one of the 3-D network, on the same batch."""
        batch = next(batches)
        loss, terms = self._loss(modules["proposer"], batch["hu"], batch["boxes"], rng)
        yield Update("proposer", loss, terms)
        logits = modules["cubes"](batch["cube"])
        yield Update("cubes", functional.binary_cross_entropy_with_logits(logits, batch["nodule"]))

    def _loss(
        self, module: Proposer, hu: Tensor, boxes: Tensor, rng: torch.Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Mean over images of the four losses of Ren 2015: which anchors, where, which boxes, where."""
        how, size = self.settings.proposals, tuple(hu.shape[-2:])
        grid, logits, changes = module(hu)
        anchors = plane.anchors(*grid.shape[-2:], module.stride, self.sides).to(hu.device)
        terms: dict[str, list[Tensor]] = {"anchors": [], "places": [], "judged": [], "refined": []}
        for n, nodules in enumerate(boxes):
            nodules = nodules[nodules[:, 2] > nodules[:, 0]]
            state, whose = plane.matched(anchors, nodules, FAR, NEAR, best_too=True)
            told = logits[n], changes[n], state, whose, 4 * how.sampled
            for name, term in zip(("anchors", "places"), _losses(*told, anchors, nodules, rng), strict=True):
                terms[name].append(term)
            asked = plane.proposed(changes[n].detach(), logits[n].detach(), anchors, size, how)
            asked = torch.cat([asked, nodules])
            state, whose = plane.matched(asked, nodules, FAR, NEAR)
            told = *module.judged(grid[n], asked), state, whose, how.sampled
            for name, term in zip(("judged", "refined"), _losses(*told, asked, nodules, rng), strict=True):
                terms[name].append(term)
        means = {name: torch.stack(each).mean() for name, each in terms.items()}
        return sum(means.values()), {name: mean.detach() for name, mean in means.items()}

    def detect(self, modules: dict[str, nn.Module], scan: Scan, inference: Inference) -> Detected:
        """See `Detector`: boxes of all slices, merged, and judged once more in three dimensions.

        A candidate's probability is the geometric mean of both judgements.
        """
        own, how = self.settings.architecture, self.settings.proposals
        boxes = found_in(modules["proposer"], scan, self.grid, self.shape.channels, self.sides, self.settings)
        found = merged(boxes, scan.volume.spacing_mm, how.merge_overlap)[: how.judged]
        index = np.array([one.index for one in found]).reshape(-1, 3)
        if not len(found):
            return Detected(table_of_places(scan, index, []))
        cube = Cubes(planes=own.cube.planes, step_mm=own.cube.step_mm, side_px=own.cube.side_px)
        cutter = Cutter(scan, self.grid, own.cube.side_px, 1, cube)
        cubes = cutter.cut(np.rint(index), ["candidate"] * len(index)).cubes.astype(np.float32)
        device = next(modules["cubes"].parameters()).device
        with torch.inference_mode():
            logits = modules["cubes"](torch.from_numpy(cubes).to(device)) / own.temperature
        sure = np.sqrt(logits.sigmoid().cpu().numpy() * np.array([one.probability for one in found]))
        order = np.argsort(-sure, kind="stable")
        sizes = np.array([one.diameter_mm for one in found])
        return Detected(table_of_places(scan, index[order], sure[order], sizes[order]))


def _losses(
    logits: Tensor,
    changes: Tensor,
    state: Tensor,
    whose: Tensor,
    count: int,
    boxes: Tensor,
    nodules: Tensor,
    rng: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Cross entropy of sampled boxes, both sorts with equal weight, and smooth L1 of their places."""
    chosen = plane.sampled(state, logits.detach(), count, rng)
    told = (state[chosen] == 1).float()
    each, own = functional.binary_cross_entropy_with_logits(logits[chosen], told, reduction="none"), chosen[told > 0]
    entropy = each[told == 0].sum() / max(1, len(chosen) - len(own))
    if not len(own):
        return entropy, 0.0 * changes.sum()
    entropy = (entropy + each[told > 0].mean()) / 2
    target = plane.encoded(nodules[whose[own]], boxes[own])
    return entropy, functional.smooth_l1_loss(changes[own], target, reduction="sum") / len(own)
