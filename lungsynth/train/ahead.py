"""Batches drawn before their step comes, by processes beside a training on a GPU."""

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import torch
from torch.utils.data import DataLoader


class Ahead:
    """The batches of steps that are asked for one after another; whoever draws them, they are the same.

    The first step says how many a step takes; what a later one wants beyond that is drawn when it is wanted.

    Args:
        draw: a batch, a function of step and number within the step alone.
        end: the first step that will not be asked for.
        workers: processes that draw, forks of this one; 0: each batch is drawn here, when it is wanted.
    """

    def __init__(self, draw: Callable[[int, int], Any], end: int, workers: int):
        self._draw, self._end, self._workers = draw, end, workers
        self._ready: Iterator[list[Any]] | None = None
        self._taken = 0

    def of(self, step: int) -> Iterator[Any]:
        """The batches of a step, endless."""
        if self._workers and self._ready is None and self._taken:
            self._ready = iter(self._loader(self._taken, step))
        ready = next(self._ready) if self._ready else []
        self._taken = 0
        return self._all(step, ready)

    def _all(self, step: int, ready: list[Any]) -> Iterator[Any]:
        for number in count():
            self._taken = number + 1
            yield ready[number] if number < len(ready) else self._draw(step, number)

    def _loader(self, many: int, step: int) -> DataLoader:
        # With a generator of its own it takes none of torch's random numbers, which are the step's.
        return DataLoader(
            _Drawn(self._draw, many),
            batch_size=None,
            sampler=range(step, self._end),
            num_workers=self._workers,
            collate_fn=list,
            prefetch_factor=4,
            multiprocessing_context="fork",
            generator=torch.Generator(),
        )


class _Drawn:
    """What a worker is asked for: all batches of a step."""

    def __init__(self, draw: Callable[[int, int], Any], many: int):
        self._draw, self._many = draw, many

    def __getitem__(self, step: int) -> list[Any]:
        return [self._draw(step, number) for number in range(self._many)]
