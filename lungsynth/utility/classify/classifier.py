"""What a classifier is: a `Trainable` that names the class of an image. The contract of every kind."""

import math
from collections.abc import Iterator
from typing import Any, ClassVar, Protocol

from torch import Generator, Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import AdamW, Optimizer

from lungsynth.train.data import Shape
from lungsynth.train.trainable import LossFamily, Trainable, Update
from lungsynth.utility.classify.registry import CLASSIFIERS
from lungsynth.utility.classify.settings import NetworkSettings


class Classifier(Trainable, Protocol):
    """Learns which class an image is of. It is made as `Kind(settings)`.

    Its settings are a pydantic model with `check_size(size_px)`, which raises StudyError or ValueError where the kind
    cannot take images of that side; with the defaults any from 32 px on should do. `build` gets the shape of the
    images, 1 or 3 channels, and the number of classes, 2 at least. The batches of `step` are {"images": float32 [n,
    channels, size, size] in [-1, 1], "labels": int64 [n]}, as many of each class and altered already.
    """

    def logits(self, modules: dict[str, nn.Module], images: Tensor) -> Tensor:
        """[n, channels, size, size] to [n, classes], whose softmax are the probabilities.

        Args:
            modules: in eval mode, as `build` names them; what an image gets may not depend on those beside it.
        """


def make_kind(kind: str, block: dict[str, Any]) -> Classifier:
    """The kind called `kind` with its settings `block`, as the training loop takes it.

    Raises:
        StudyError: there is no such kind.
    """
    return CLASSIFIERS.get(kind)(CLASSIFIERS.settings(kind)(**block))


class NetworkClassifier:
    """Base of kinds that are one network, trained by cross entropy; a kind brings `network`."""

    loss_family: ClassVar[LossFamily] = "supervised"
    monitored: ClassVar[None] = None
    averaged: ClassVar[tuple[str, ...]] = ("classifier",)

    def __init__(self, settings: NetworkSettings):
        self.settings = settings

    def network(self, channels: int, classes: int) -> nn.Module:
        """Images [n, channels, size, size] to logits [n, classes]."""
        raise NotImplementedError

    def build(self, shape: Shape, classes: int = 1, real: Any = None) -> dict[str, nn.Module]:
        """One module, `classifier`."""
        return {"classifier": self.network(shape.channels, classes)}

    def optimisers(self, modules: dict[str, nn.Module]) -> dict[str, Optimizer]:
        """AdamW over all of it."""
        parameters = modules["classifier"].parameters()
        return {"classifier": AdamW(parameters, self.settings.learning_rate, weight_decay=self.settings.weight_decay)}

    def rate(self, step: int, steps: int) -> float:
        """Half a cosine from 1 to 0."""
        return 0.5 * (1 + math.cos(math.pi * step / steps))

    def step(
        self, modules: dict[str, nn.Module], batches: Iterator[dict[str, Tensor]], rng: Generator, step: int
    ) -> Iterator[Update]:
        """Cross entropy of one batch."""
        batch = next(batches)
        logits = self.logits(modules, batch["images"])
        right = (logits.argmax(1) == batch["labels"]).float().mean()
        yield Update("classifier", cross_entropy(logits, batch["labels"]), {"accuracy": right})

    def logits(self, modules: dict[str, nn.Module], images: Tensor) -> Tensor:
        """See `Classifier`."""
        return modules["classifier"](images)
