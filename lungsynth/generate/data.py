"""Banks as training batches: HU and mask as channels in [-1, 1]."""

import numpy as np
import torch
from torch import Tensor

from lungsynth.ct.window import to_unit
from lungsynth.sets.bank import ImageSet
from lungsynth.train.data import Shape, Source, need


def to_tensor(images: ImageSet, window_hu: tuple[float, float], with_mask: bool) -> Tensor:
    """Float32 [n, c, h, w] in [-1, 1]: HU in the window and, with a mask, a second channel of -1 outside, 1 inside."""
    channels = [to_unit(images.images, window_hu)]
    if with_mask:
        channels.append(np.where(images.masks > 0, np.float32(1), np.float32(-1)))
    return torch.from_numpy(np.stack(channels, axis=1))


def bank_source(images: Tensor, size: int, turn: bool) -> Source:
    """A bank as a training's data: images drawn with equal chance, without a second copy in one batch.

    A batch is {"images": [size, c, h, w], "labels": int64 [size]}; a bank without classes has the label 0 throughout.

    Args:
        images: [n, c, h, w].
        size: images a batch.
        turn: turn by random quarters and mirror half of them. Right for nodules; a slice has a left and a right.

    Raises:
        TrainingError: fewer images than a batch.
    """
    need(len(images), size, "the bank of real images")

    def draw(rng: np.random.Generator) -> dict[str, Tensor]:
        rows = rng.choice(len(images), size=size, replace=False)
        batch = images[torch.from_numpy(rows)]
        if turn:
            turns = rng.integers(0, 8, size=size)
            batch = torch.stack([_turned(image, int(k)) for image, k in zip(batch, turns, strict=True)])
        return {"images": batch, "labels": torch.zeros(size, dtype=torch.int64)}

    return Source(draw, Shape(images.shape[1], images.shape[-1]), real=images)


def _turned(image: Tensor, k: int) -> Tensor:
    """One of the eight symmetries of a square."""
    image = torch.rot90(image, k % 4, (1, 2))
    return image.flip(2) if k >= 4 else image
