"""Banks as training batches: HU and mask as channels in [-1, 1]."""

from typing import Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from lungsynth.ct.window import channels_first, to_unit
from lungsynth.nets.shift import half_mirrored
from lungsynth.sets.bank import ImageSet
from lungsynth.sets.labels import Labelled
from lungsynth.study.errors import TrainingError
from lungsynth.study.runs import CLASS, Subset
from lungsynth.study.seeds import rng as named_rng
from lungsynth.train.data import Shape, Source, need

Turn = Literal["none", "mirror", "square"]
"""What an image may be as well: itself alone, its mirror image, or any of the eight symmetries of a square."""


def to_tensor(images: ImageSet, window_hu: tuple[float, float], with_mask: bool) -> Tensor:
    """Float32 [n, c, h, w] in [-1, 1]: HU in the window and, with a mask, a second channel of -1 outside, 1 inside.

    Pictures in colour, [n, h, w, 3], give three channels.
    """
    channels = [channels_first(to_unit(images.images, window_hu))]
    if with_mask:
        channels.append(channels_first(np.where(images.masks > 0, np.float32(1), np.float32(-1))))
    return torch.from_numpy(np.concatenate(channels, axis=1))


def part_of(images: ImageSet, subset: Subset | None, seed: int) -> ImageSet:
    """The images that a run's subset names, see `rows_of`."""
    return images if subset is None else images.take(rows_of(images.table, subset, seed))


def rows_of(table: pd.DataFrame, subset: Subset, seed: int) -> np.ndarray:
    """The rows of a bank's table that a run's subset names, int [n], rising.

    Of equal seeds, a smaller count lies in a larger one.

    Raises:
        TrainingError: there are fewer than the subset's count, or none.
    """
    rows = np.arange(len(table))
    if subset.label is not None:
        rows = np.flatnonzero((table[CLASS] == subset.label).to_numpy())
    wanted = len(rows) if subset.count is None else subset.count
    if not 0 < wanted <= len(rows):
        which = "" if subset.label is None else f" of the class {subset.label!r}"
        raise TrainingError(f"the bank of real images holds {len(rows)}{which}, {max(wanted, 1)} are wanted")
    return np.sort(named_rng(seed, "subset", subset.label or "all").permutation(rows)[:wanted])


def bank_source(images: Tensor, size: int, turn: Turn, known: Labelled | None = None) -> Source:
    """A bank as a training's data: images drawn with equal chance, without a second copy in one batch.

    A batch is {"images": [size, c, h, w], "labels": int64 [size]}; a bank without classes has the label 0 throughout.
    Where there are classes, images that have none are left out.

    Args:
        images: [n, c, h, w].
        size: images a batch.
        turn: what a drawn image may be as well, with equal chance. A nodule has no left and right; a slice has.
        known: classes of the images; None: they have none.

    Raises:
        TrainingError: fewer images than a batch; classes are asked for and only one has images.
    """
    classes, labels = 1, torch.zeros(len(images), dtype=torch.int64)
    if known is not None:
        _need_two(known)
        chosen = torch.from_numpy(np.flatnonzero(known.of_row >= 0))
        classes, images, labels = len(known.names), images[chosen], torch.from_numpy(known.of_row)[chosen]
    need(len(images), size, "the bank of real images")

    def draw(rng: np.random.Generator) -> dict[str, Tensor]:
        rows = torch.from_numpy(rng.choice(len(images), size=size, replace=False))
        batch = images[rows]
        if turn == "square":
            turns = rng.integers(0, 8, size=size)
            batch = torch.stack([_turned(image, int(k)) for image, k in zip(batch, turns, strict=True)])
        elif turn == "mirror":
            batch = half_mirrored(batch, rng)
        return {"images": batch, "labels": labels[rows]}

    return Source(draw, Shape(images.shape[1], images.shape[-1]), classes, real=images)


def _need_two(known: Labelled) -> None:
    """Refuse classes that are one only: a generator of one class is trained without labels."""
    if (known.counts > 0).sum() < 2:
        raise TrainingError(f"labels: all images with a class are of one; {known.words}; learn without labels")


def _turned(image: Tensor, k: int) -> Tensor:
    """One of the eight symmetries of a square."""
    image = torch.rot90(image, k % 4, (1, 2))
    return image.flip(2) if k >= 4 else image
