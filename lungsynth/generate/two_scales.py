"""A coarse generator with its detail network: one generator made of two runs (FACTS 12)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor, nn

from lungsynth.generate.detail.kind import DetailKind
from lungsynth.generate.generator import Generator


class TwoScales:
    """Draws coarse slices by a generator of any kind and makes them slices at full size.

    It samples only: each of the two is trained by a run of its own.
    """

    def __init__(self, coarse: Generator, detail: DetailKind):
        self.coarse, self.detail = coarse, detail

    def sample(
        self, modules: dict[str, nn.Module], n: int, labels: Any, streams: Sequence[np.random.Generator]
    ) -> Tensor:
        """See `Generator`; modules are those of both, and an image's stream gives its vector first, then its detail."""
        coarse = self.coarse.sample(modules, n, labels, streams)
        return self.detail.draw(modules["detail"], coarse, streams)
