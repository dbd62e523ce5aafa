"""The network that judges candidates in three dimensions, and how it is trained."""

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor, nn
from torch.nn import functional

from lungsynth.nets.blocks import conv_3d
from lungsynth.segment.volumetric.cubes import CLIP_HU, Cubes, known
from lungsynth.segment.volumetric.pairs import Pairs
from lungsynth.study.stages.segment import CubeNetwork, Volumetric
from lungsynth.train.data import Shape, Source, need
from lungsynth.train.trainable import LossFamily, Update

CHUNK = 64
"""Cubes in one call."""
TYPICAL_SLICE_MM = 2.5
"""Slice distance that reaches the network as 0; a doubling adds .5."""
SHIFT = 2
"""A cube is moved by up to so many voxels along each axis, in training."""
NOISE_HU, OFFSET_HU = 40.0, 15.0
"""Largest sd of the noise that is added in training, and sd of an offset of a whole cube."""
BLUR = 0.7
"""Largest sd in voxels of a blur in the planes of a cube: kernels of scanners differ, and say nothing of nodules."""
HIDE = 0.3
"""Share of the pairs of which one more side is hidden in training, as a scan's end or a crop's would hide it."""


def seen(hu: Tensor, box: Tensor, slice_mm: Tensor) -> Tensor:
    """A network's input, float32 [n, 3, c, c, c]: HU as -1..1, 0 where nothing is known; what is known; slice distance.

    hu: [n, c, c, c]; box: 0/1 of the same shape; slice_mm: [n].
    """
    low, high = CLIP_HU
    scaled = ((hu - low) * (2 / (high - low)) - 1).clamp(-1, 1) * box
    thickness = 0.5 * torch.log2(slice_mm / TYPICAL_SLICE_MM)
    return torch.stack([scaled, box, thickness[:, None, None, None].expand_as(scaled)], dim=1)


class CandidateNet(nn.Module):
    """Three levels of 3 x 3 x 3 convolutions from half of the size down; the means of the last over the cube and over
    its middle give the logit.

    Input of `seen` [n, 3, c, c, c] -> logits [n].
    """

    def __init__(self, widths: tuple[int, ...]):
        super().__init__()
        self.first = nn.Sequential(nn.Conv3d(3, widths[0], 4, stride=2, padding=1), conv_3d(widths[0], widths[0]))
        self.levels = nn.ModuleList(nn.Sequential(conv_3d(a, b), conv_3d(b, b)) for a, b in pairwise(widths))
        self.head = nn.Linear(2 * widths[-1], 1)
        self.to(memory_format=torch.channels_last_3d)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x.contiguous(memory_format=torch.channels_last_3d))
        for level in self.levels:
            x = level(functional.max_pool3d(x, 2))
        side = x.shape[-1] // 2
        middle = x[..., side - 1 : side + 1, side - 1 : side + 1, side - 1 : side + 1]
        return self.head(torch.cat([x.mean((2, 3, 4)), middle.mean((2, 3, 4))], dim=1))[:, 0]


class Ensemble(nn.Module):
    """Networks that differ in the weights they started from; alone, each is surer than it should be of what is rare.

    Input of `seen` [n, 3, c, c, c] -> logits [n, members].
    """

    def __init__(self, network: CubeNetwork):
        super().__init__()
        self.members = nn.ModuleList(CandidateNet(network.widths) for _ in range(network.members))

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([member(x) for member in self.members], dim=1)


class CandidateKind:
    """A `Trainable`; batches are {"seen": of `seen`, "nodule": 0/1 [n]}."""

    loss_family: ClassVar[LossFamily] = "supervised"
    averaged: ClassVar[tuple[str, ...]] = ("judge",)

    def __init__(self, settings: Volumetric):
        self.settings = settings
        self.shape = Shape(3, settings.network.side)

    def source(self, pairs: Pairs, batch: int) -> Source:
        """The loop's data: half of a batch is nodules, each beside the candidate of its pair.

        Raises:
            TrainingError: fewer cubes than a batch.
        """
        need(len(pairs.table), batch, "candidates in three dimensions")

        def draw(rng: np.random.Generator) -> dict[str, Tensor]:
            first = 2 * rng.integers(len(pairs.table) // 2, size=batch // 2)
            rows = np.stack([first, first + 1], axis=1).ravel()
            hu, box = changed(pairs.take(rows).cubes, self.settings.network, rng)
            slices = torch.from_numpy(pairs.cubes.slice_mm[rows])
            nodule = torch.from_numpy(pairs.table["nodule"].to_numpy(np.float32)[rows])
            return {"seen": seen(torch.from_numpy(hu), torch.from_numpy(box), slices), "nodule": nodule}

        return Source(draw, self.shape)

    def build(self, shape: Shape, classes: int = 1, real: Any = None) -> dict[str, nn.Module]:
        """The networks with fresh weights."""
        return {"judge": Ensemble(self.settings.network)}

    def optimisers(self, modules: dict[str, nn.Module]) -> dict[str, torch.optim.Optimizer]:
        """AdamW on everything."""
        rates = {"lr": self.settings.learning_rate, "weight_decay": self.settings.weight_decay}
        return {"judge": torch.optim.AdamW(modules["judge"].parameters(), **rates)}

    def rate(self, step: int, steps: int) -> float:
        """Half a cosine down to 0 at the end, after a short rise."""
        return min(1.0, (step + 1) / 50) * 0.5 * (1 + math.cos(math.pi * step / steps))

    def step(
        self, modules: dict[str, nn.Module], batches: Iterator[dict[str, Tensor]], rng: torch.Generator, step: int
    ) -> Iterator[Update]:
        """One update on one batch, of every member by its own errors."""
        batch = next(batches)
        logits = modules["judge"](batch["seen"])
        nodule = batch["nodule"][:, None].expand_as(logits)
        loss = functional.binary_cross_entropy_with_logits(logits, nodule)
        right = ((logits.detach() > 0) == (nodule > 0.5)).float().mean()
        yield Update("judge", loss, {"right": right})


def changed(cubes: Cubes, network: CubeNetwork, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Training's look at pairs of cubes: HU and box, float32 [n, c, c, c], both of a pair turned and hidden alike."""
    hu, box = cubes.hu.astype(np.float32), known(cubes.box_mm, network).astype(np.float32)
    for first in range(0, len(hu), 2):
        pair = slice(first, first + 2)
        shift = rng.integers(-SHIFT, SHIFT + 1, 3)
        turns, flips = rng.integers(4), tuple(1 + np.flatnonzero(rng.integers(0, 2, 3)))
        hu[pair], box[pair] = (np.flip(np.rot90(_shifted(one[pair], shift), turns, (2, 3)), flips) for one in (hu, box))
        if rng.random() < HIDE:
            _hide(box[pair], rng)
    for one in hu:
        blur = BLUR * rng.random()
        noise = ndimage.gaussian_filter(rng.standard_normal(one.shape, dtype=np.float32), (0.5, 0.5, 0.5)) * 2.5
        one[:] = ndimage.gaussian_filter(one, (0, blur, blur)) + noise * np.float32(NOISE_HU * rng.random() ** 2)
        one += np.float32(OFFSET_HU * rng.standard_normal())
    return hu, box


def _shifted(one: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """An array [n, c, c, c] moved by whole voxels, 0 where it came from nowhere."""
    out, side = np.zeros_like(one), one.shape[-1]
    to = tuple(slice(max(0, s), side + min(0, s)) for s in shift)
    from_ = tuple(slice(max(0, -s), side - max(0, s)) for s in shift)
    out[:, *to] = one[:, *from_]
    return out


def _hide(box: np.ndarray, rng: np.random.Generator) -> None:
    """Take from boxes [n, c, c, c] all beyond a plane across one axis, 3 voxels and more from the middle."""
    axis, side, middle = 1 + rng.integers(3), rng.integers(2), box.shape[-1] // 2
    far = rng.integers(3, middle)
    lost = slice(middle + far, None) if side else slice(0, middle - far)
    box[(slice(None),) * axis + (lost,)] = 0


def judged(module: nn.Module, cubes: Cubes, network: CubeNetwork) -> np.ndarray:
    """Probability of nodule, float64 [n], the mean over members and the four mirror images of rows and columns.

    module: an `Ensemble` in eval mode.
    """
    device, out = next(module.parameters()).device, np.zeros(len(cubes))
    for start in range(0, len(cubes), CHUNK):
        part = slice(start, start + CHUNK)
        box = known(cubes.box_mm[part], network)
        arrays = (cubes.hu[part].astype(np.float32), box.astype(np.float32), cubes.slice_mm[part])
        with torch.inference_mode():
            x = seen(*(torch.from_numpy(np.ascontiguousarray(one)).to(device) for one in arrays))
            views = [module(x.flip(axes) if axes else x).sigmoid().mean(1) for axes in ((), (3,), (4,), (3, 4))]
            out[part] = torch.stack(views).mean(0).double().cpu().numpy()
    return out
