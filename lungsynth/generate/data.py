"""Banks as training batches: HU and mask as channels in [-1, 1]."""

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from lungsynth.ct.window import channels_first, to_unit
from lungsynth.nets.shift import half_mirrored
from lungsynth.sets.bank import ImageSet
from lungsynth.sets.labels import Labelled
from lungsynth.study.errors import TrainingError
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
