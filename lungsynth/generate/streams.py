"""What single images draw from their own streams, so that an image does not depend on those drawn beside it."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from lungsynth.study.errors import StudyError


def normal(streams: Sequence[np.random.Generator], *shape: int) -> Tensor:
    """Standard normal numbers float32 [n, *shape], row i from streams[i]."""
    return torch.from_numpy(np.stack([stream.standard_normal(shape) for stream in streams]).astype(np.float32))


def truncated(streams: Sequence[np.random.Generator], most: float | None, *shape: int) -> Tensor:
    """Normal numbers as `normal` gives them, of those alone that lie within -most and most; None: of all.

    From the inverse of the normal distribution, so that each takes one number of its stream and none is drawn twice.
    """
    if most is None:
        return normal(streams, *shape)
    tail = torch.special.ndtr(torch.tensor(-most, dtype=torch.float64))
    shares = torch.from_numpy(np.stack([stream.random(shape) for stream in streams]))
    return torch.special.ndtri(tail + (1 - 2 * tail) * shares).float()


def classes_of(labels: Tensor | None, streams: Sequence[np.random.Generator], classes: int) -> Tensor:
    """The class int64 [n] of each image: as `labels` ask for, or, where they are None, any with equal chance.

    Raises:
        StudyError: a label is none of the 0 .. classes - 1 that were learnt.
    """
    if labels is None:
        return torch.tensor([int(stream.integers(classes)) for stream in streams])
    if labels.min() < 0 or labels.max() >= classes:
        asked = ", ".join(map(str, sorted(set(labels.tolist()))))
        raise StudyError(f"images of the classes {asked} are asked for; the generator learnt 0 to {classes - 1}")
    return labels
