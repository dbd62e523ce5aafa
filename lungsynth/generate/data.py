"""Banks as training batches: HU and mask as channels in [-1, 1]."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from lungsynth.ct.window import to_unit
from lungsynth.sets.bank import ImageSet
from lungsynth.train.kind import need


def to_tensor(images: ImageSet, window_hu: tuple[float, float], with_mask: bool) -> Tensor:
    """Float32 [n, c, h, w] in [-1, 1]: HU in the window and, with a mask, a second channel of -1 outside, 1 inside."""
    channels = [to_unit(images.images, window_hu)]
    if with_mask:
        channels.append(np.where(images.masks > 0, np.float32(1), np.float32(-1)))
    return torch.from_numpy(np.stack(channels, axis=1))


def batches(images: Tensor, size: int, turn: bool) -> Callable[[np.random.Generator], Tensor]:
    """A source of batches: images drawn with equal chance, without a second copy in one batch.

    Args:
        images: [n, c, h, w].
        size: images a batch.
        turn: turn by random quarters and mirror half of them. Right for nodules; a slice has a left and a right.

    Raises:
        TrainingError: fewer images than a batch.
    """
    need(len(images), size, "the bank of real images")

    def draw(rng: np.random.Generator) -> Tensor:
        rows = rng.choice(len(images), size=size, replace=False)
        batch = images[torch.from_numpy(rows)]
        if not turn:
            return batch
        turns = rng.integers(0, 8, size=size)
        return torch.stack([_turned(image, int(k)) for image, k in zip(batch, turns, strict=True)])

    return draw


def _turned(image: Tensor, k: int) -> Tensor:
    """One of the eight symmetries of a square."""
    image = torch.rot90(image, k % 4, (1, 2))
    return image.flip(2) if k >= 4 else image
