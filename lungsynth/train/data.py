"""Where a training's batches come from."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from lungsynth.study.errors import TrainingError


@dataclass(frozen=True)
class Shape:
    """Size of the images that a network takes or makes: channels, and the side in px."""

    channels: int
    size_px: int


@dataclass(frozen=True)
class Source:
    """A training's data: what a batch is, and what networks are built for.

    Attributes:
        draw: a batch (a tensor, or tensors in a dict or tuple, on the CPU) with the given random numbers only; it keeps
            nothing, and may run in a fork.
        shape: of its images.
        classes: of its labels; 1 where there are none.
        real: all real images [n, channels, size, size] in [-1, 1], for kinds that fit a prior or a first image to them.
    """

    draw: Callable[[np.random.Generator], Any]
    shape: Shape
    classes: int = 1
    real: Any = None


def need(found: int, batch: int, what: str) -> None:
    """Refuse a data set from which no batch can be drawn.

    Raises:
        TrainingError: fewer images than a batch.
    """
    if found < batch:
        raise TrainingError(
            f"{what}: {found} images are fewer than a batch of {batch}; add data or lower the batch size"
        )
