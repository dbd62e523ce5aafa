"""What a network must bring to be trained by the loop."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from lungsynth.train.data import Shape

LossFamily = Literal["bce", "wasserstein", "hinge", "lsgan", "supervised"]


@dataclass
class Update:
    """One backward pass that a kind asks for.

    Attributes:
        optimiser: name of the optimiser that steps; all gradients of its parameters are cleared before.
        loss: scalar tensor; logged as the column `loss_NAME`, NAME that of the optimiser.
        logs: more numbers for the loss table, scalars by column name.
    """

    optimiser: str
    loss: Any
    logs: dict[str, Any] = field(default_factory=dict)


class Trainable(Protocol):
    """A network, or several that are trained together: segmenter, generator, refiner, extractor.

    The loop owns seeds, optimisers' steps, averages, precision, state and logs. What a state must hold beside weights
    is a buffer of a module.

    Attributes:
        averaged: names of the modules whose running average is kept and used, where the training asks for one.

    Optional attributes, with what holds where they are missing:
        loss_family: a `LossFamily`; the loss's scale decides what the monitor may do ("supervised").
        monitored: names of the optimisers whose losses are the monitor's g and d (None: not watched).
        rate(step, steps): factor on all learning rates (1).
        check(modules, rng): raises TrainingError at a checkpoint when the networks are spoilt (nothing).
    """

    averaged: tuple[str, ...]

    def build(self, shape: Shape, classes: int = 1, real: Any = None) -> dict[str, Any]:
        """Modules by name; weights come from torch's own random numbers, which the loop has seeded by name.

        Args:
            shape: of the images; classes: of the labels, 1 where there are none.
            real: the real images float32 [n, channels, size, size] in [-1, 1], to which a prior may be fitted; None
                where a state will be loaded.
        """

    def optimisers(self, modules: dict[str, Any]) -> dict[str, Any]:
        """Optimisers by name."""

    def step(self, modules: dict[str, Any], batches: Iterator[Any], rng: Any, step: int) -> Iterator[Update]:
        """Yield the updates of one step.

        The loop clears gradients, goes backward and steps for each, then lets the generator go on, so that its next
        lines see the new weights.

        Args:
            modules: in train mode, on the training's device.
            batches: endless; each `next` is a batch on the training's device.
            rng: torch.Generator on the CPU, fresh for each step: a function of seed and step.
            step: 0 and up.
        """
