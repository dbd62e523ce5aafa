"""What a generator is: a `Trainable` that can be sampled. The contract of every kind."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from torch import Tensor, nn

from lungsynth.generate.registry import GENERATORS
from lungsynth.train.trainable import Trainable


class Generator(Trainable, Protocol):
    """Learns from images and draws new ones. How it is built inside, and in how many passes, is its own business.

    Its settings are a pydantic model with `check_size(size_px)`, which raises StudyError or ValueError where the kind
    cannot make images of that side, and with the class attribute `conditional`, True, where it learns by class; a kind
    without it is given no labels. `build` gets the shape of the images, the number of classes (1: none), and the real
    images. The batches of `step` are {"images": float32 [n, channels, size, size] in [-1, 1], "labels": int64 [n]}.
    """

    def sample(
        self, modules: dict[str, nn.Module], n: int, labels: Tensor | None, streams: Sequence[np.random.Generator]
    ) -> Tensor:
        """n images float32 [n, channels, size, size] in [-1, 1].

        Args:
            modules: in eval mode, as `build` names them.
            labels: int64 [n], the class of each image; None: of any.
            streams: random numbers, one generator an image: image i depends on the modules, its label and streams[i]
                alone. What a kind draws in later passes comes from the same stream.
        """


def make_kind(kind: str, block: dict[str, Any]) -> Generator:
    """The kind called `kind` with its settings `block`, as the training loop takes it.

    Raises:
        StudyError: there is no such kind.
    """
    return GENERATORS.get(kind)(GENERATORS.settings(kind)(**block))
