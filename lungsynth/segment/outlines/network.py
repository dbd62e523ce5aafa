"""How the network that outlines candidates in space is trained."""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from scipy import ndimage
from scipy.spatial.transform import Rotation
from torch import Tensor, nn
from torch.nn import functional

from lungsynth.segment.inference.candidates import EVERY_NEIGHBOUR, sharing_most
from lungsynth.segment.outlines import views
from lungsynth.segment.outlines.bodies import Body
from lungsynth.segment.outlines.unet import OutlineNet
from lungsynth.segment.outlines.views import View
from lungsynth.segment.training.descent import Descent
from lungsynth.segment.volumetric.network import NOISE_HU, OFFSET_HU
from lungsynth.study.stages.segment import OutlineNetwork, Outlines
from lungsynth.train.data import Shape, Source, need
from lungsynth.train.trainable import LossFamily, Update

ZOOM = 0.3
"""Largest change of the log of a cube's side."""
JITTER = 0.05
"""Sd of the distance of a cube's middle from the candidate's, over its side."""
THIN_MM, TILT_DEG = 1.5, 10.0
"""Up to this slice distance every second cube is turned in any way; others about z, and tilted with this sd."""
STRETCH = 0.07
"""Sd of the log of a stretch of each axis."""
LEVELS, OTHER_START = (0.3, 0.6, 0.8), 0.3
"""In this share of the cubes the candidate is the body above one of these probabilities: candidates lose parts."""
HIDE, LEAST_VOXELS = 0.3, 4
"""Each side of a cube is hidden in this share of them, so many voxels from the middle and more: crops are known hardly
farther than their nodule along z, and where they end must not tell where it does."""
BLUR, ODDS = 0.8, 0.5
"""Largest sd of a blur in voxels; sd of an offset of the detector's log odds: it has learnt from these nodules too."""


class OutlineKind(Descent):
    """A `Trainable`; batches are {"seen": of `views.shown`, "mask": the nodule's share of each voxel, "known": 0/1}."""

    loss_family: ClassVar[LossFamily] = "supervised"
    averaged: ClassVar[tuple[str, ...]] = ("outlines",)

    def __init__(self, settings: Outlines):
        self.settings = settings
        self.shape = Shape(views.CHANNELS, settings.network.side)

    def source(self, bodies: Sequence[Body], batch: int) -> Source:
        """The loop's data: each batch anew, from nodules as they are, whole surroundings often, and invented ones.

        Raises:
            TrainingError: fewer nodules than a batch.
        """
        need(len(bodies), batch, "nodules in three dimensions")
        own = self.settings
        pools = [[body for body in bodies if body.how != "found"]]
        pools += [[body for body in bodies if body.how == "found" and body.whole is whole] for whole in (True, False)]
        shares = np.array([own.invented, own.whole, 1 - own.invented - own.whole])
        there = np.array([bool(pool) for pool in pools])
        # Of what there is, as wished; alike where nothing of it was wished.
        shares = shares * there if (shares * there).any() else there
        shares = shares / shares.sum()

        def draw(rng: np.random.Generator) -> dict[str, Tensor]:
            drawn = [pools[k] for k in rng.choice(len(pools), batch, p=shares)]
            cubes = [changed(pool[rng.integers(len(pool))], own.network, rng) for pool in drawn]
            return dict(zip(("seen", "mask", "known"), map(torch.stack, zip(*cubes, strict=True)), strict=True))

        return Source(draw, self.shape)

    def build(self, shape: Shape, classes: int = 1, real: Any = None) -> dict[str, nn.Module]:
        """The network with fresh weights."""
        return {"outlines": OutlineNet(self.settings.network.widths)}

    def step(
        self, modules: dict[str, nn.Module], batches: Iterator[dict[str, Tensor]], rng: torch.Generator, step: int
    ) -> Iterator[Update]:
        """One update on one batch."""
        batch = next(batches)
        dice, entropy = losses(modules["outlines"](batch["seen"]), batch["mask"], batch["known"])
        yield Update("outlines", dice + entropy, {"dice": dice.detach(), "cross_entropy": entropy.detach()})


def losses(logits: Tensor, masks: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """Soft Dice loss and binary cross entropy of what is known, each the mean over cubes [n, c, c, c].

    Every cube has its own Dice, so that each nodule weighs the same.
    """
    p, m = logits.sigmoid() * known, masks * known
    shared, total = (x.sum((1, 2, 3)) for x in (p * m, p + m))
    dice = 1 - (2 * shared + 1) / (total + 1)
    entropy = functional.binary_cross_entropy_with_logits(logits, masks, reduction="none") * known
    return dice.mean(), (entropy.sum((1, 2, 3)) / known.sum((1, 2, 3)).clamp(min=1)).mean()


def changed(body: Body, network: OutlineNetwork, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Training's look at a nodule: input, the nodule's share of each voxel and what is known, see `OutlineKind`."""
    spacing, side = body.volume.spacing_mm, network.side
    candidate = _start(body, rng)
    view = _moved(views.of_candidate(candidate, spacing, network), spacing, rng)
    (hu, probability, start, mask), known = views.seen(
        body.volume.hu, body.probability, [candidate, body.share / 255], spacing, view, side
    )
    for axis, end in np.argwhere(rng.random((3, 2)) < HIDE):
        far = rng.integers(LEAST_VOXELS, side // 2)
        known[(slice(None),) * axis + ((slice(side // 2 + far, None), slice(0, side // 2 - far))[end],)] = 0
    odds = probability.logit(eps=1 / 255) + ODDS * float(rng.standard_normal())
    grey = torch.from_numpy(_grey(hu.numpy(), rng))
    return views.shown(grey, odds.sigmoid(), start, known, view.side_mm / side, spacing[0]), mask, known


def _start(body: Body, rng: np.random.Generator) -> np.ndarray:
    """The detector's candidate, or the body on the nodule above another level of its probability."""
    if rng.random() >= OTHER_START:
        return body.candidate
    parts, _ = ndimage.label(body.probability >= rng.choice(LEVELS) * 255, EVERY_NEIGHBOUR)
    other = sharing_most(parts, body.mask)
    return body.candidate if other is None else other


def _moved(view: View, spacing_mm: tuple[float, ...], rng: np.random.Generator) -> View:
    """A cube turned, mirrored, stretched, enlarged or made smaller, and moved by a little."""
    any_way = spacing_mm[0] <= THIN_MM and rng.random() < 0.5
    about_z = Rotation.from_rotvec([rng.uniform(0, 2 * np.pi), 0, 0])
    tilt = Rotation.from_rotvec(np.deg2rad(TILT_DEG) * rng.standard_normal(3))
    turned = Rotation.random(rng=rng) if any_way else about_z * tilt
    mirrored = np.where(rng.random(3) < 0.5, -1.0, 1.0)
    axes = turned.as_matrix() * (mirrored * np.exp(STRETCH * rng.standard_normal(3)))
    side_mm = view.side_mm * float(np.exp(rng.uniform(-ZOOM, ZOOM)))
    return View(view.centre + JITTER * side_mm * rng.standard_normal(3) / spacing_mm, side_mm, axes)


def _grey(hu: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """HU float32 [c, c, c] as other kernels and doses have them."""
    noise = ndimage.gaussian_filter(rng.standard_normal(hu.shape, dtype=np.float32), 0.5) * 2.5
    offset = OFFSET_HU * rng.standard_normal()
    out = ndimage.gaussian_filter(hu, BLUR * rng.random()) + noise * (NOISE_HU * rng.random() ** 2) + offset
    return out.astype(np.float32)
