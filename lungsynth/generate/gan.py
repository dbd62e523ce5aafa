"""A base that kinds may take: one generator from a random vector, one critic, Adam for each."""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from lungsynth.generate.augment import Strength, alter
from lungsynth.generate.gan_settings import GanSettings
from lungsynth.generate.streams import normal
from lungsynth.study.errors import TrainingError
from lungsynth.train.data import Shape
from lungsynth.train.trainable import LossFamily, Update

COLLAPSED_SD = 1e-3
"""Mean sd over the images of a batch, of 2 for the whole grey scale, under which a generator draws one image only."""
CHECKED = 16


class Gan:
    """A kind adds its networks (`build`: "generator" and "critic") and its `step`."""

    loss_family: ClassVar[LossFamily] = "wasserstein"
    monitored: ClassVar[tuple[str, str]] = ("generator", "critic")
    averaged: ClassVar[tuple[str, ...]] = ("generator",)

    def __init__(self, settings: GanSettings):
        self.settings = settings

    def build(self, shape: Shape, classes: int = 1, real: Tensor | None = None) -> dict[str, nn.Module]:
        """See `Trainable`."""
        raise NotImplementedError

    def step(
        self, modules: dict[str, nn.Module], batches: Iterator[dict[str, Tensor]], rng: torch.Generator, step: int
    ) -> Iterator[Update]:
        """See `Trainable`."""
        raise NotImplementedError

    def optimisers(self, modules: dict[str, nn.Module]) -> dict[str, torch.optim.Optimizer]:
        """Adam for each."""
        return {
            name: torch.optim.Adam(modules[name].parameters(), rate, betas=self.settings.betas)
            for name, rate in self.rates().items()
        }

    def rates(self) -> dict[str, float]:
        """Learning rate by network."""
        settings = self.settings
        critic = settings.critic_learning_rate or settings.learning_rate
        return {"generator": settings.learning_rate, "critic": critic}

    def draw(self, generator: nn.Module, n: int, rng: torch.Generator) -> Tensor:
        """n images from fresh random vectors."""
        z = torch.randn(n, self.settings.z, generator=rng)
        return generator(z.to(next(generator.parameters()).device))

    def strength(self) -> dict[str, nn.Module]:
        """The module that a kind's `build` adds where alterations are adaptive; nothing elsewhere."""
        settings = self.settings.augment
        return {"augment": Strength(settings.adaptive_images)} if settings.adaptive else {}

    def altered(self, images: Tensor, rng: torch.Generator, modules: dict[str, nn.Module] | None = None) -> Tensor:
        """Images as the critic sees them, see `Augment`; `modules` hold the strength where it is adaptive."""
        return alter(images, self.settings.augment, rng, (modules or {}).get("augment"))

    def adapted(self, modules: dict[str, nn.Module], on_real: Tensor) -> dict[str, Any]:
        """Let the strength follow the critic's judgements of a batch of real images; what the loss table says of it."""
        if "augment" not in modules:
            return {}
        sign = modules["augment"].follow(on_real.detach())
        return {"sign_on_real": sign, "altered": modules["augment"].share.clone()}

    def sample(
        self, modules: dict[str, nn.Module], n: int, labels: Any, streams: Sequence[np.random.Generator]
    ) -> Tensor:
        """See `Generator`: one pass, the random vector of each image from its stream."""
        generator = modules["generator"]
        return generator(normal(streams, self.settings.z).to(next(generator.parameters()).device))

    def check(self, modules: dict[str, nn.Module], rng: torch.Generator) -> None:
        """Refuse a generator that draws one image only.

        Raises:
            TrainingError: it has collapsed.
        """
        generator = modules["generator"]
        training = generator.training
        with torch.no_grad():
            spread = float(self.draw(generator.eval(), CHECKED, rng).std(0).mean())
        generator.train(training)
        if not spread > COLLAPSED_SD:
            raise TrainingError(
                f"the generator has collapsed: its images differ by {spread:.1e} of a grey scale of 2; "
                "lower its learning rate or change the seed"
            )
