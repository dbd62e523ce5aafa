"""CapsuleGAN (Jaiswal 2018): margin loss on the length of one capsule."""

from collections.abc import Iterator
from typing import ClassVar

import torch
from torch import Tensor, nn

from lungsynth.generate.doubling.capsules import CapsuleBody
from lungsynth.generate.doubling.gan import DoublingGan
from lungsynth.generate.kinds.capsule.settings import Settings
from lungsynth.generate.registry import GENERATORS
from lungsynth.nets.capsule import lengths, margin_loss
from lungsynth.train.data import Shape
from lungsynth.train.trainable import LossFamily, Update


class LengthCritic(CapsuleBody):
    """Images to the length of their one capsule, in [0, 1): [n, channels, size, size] -> [n]."""

    def __init__(self, settings: Settings, shape: Shape):
        super().__init__(settings, shape, capsules=1, routing=1)

    def forward(self, x: Tensor) -> Tensor:
        return lengths(self.capsules(x)).squeeze(1)


@GENERATORS.register("capsule")
class CapsuleGan(DoublingGan):
    """One update of the critic, one of the generator."""

    # Flat beyond a margin, as a hinge is: where it levels out says as little about convergence.
    loss_family: ClassVar[LossFamily] = "hinge"
    settings: Settings

    def critic(self, shape: Shape) -> nn.Module:
        """The capsule critic."""
        return LengthCritic(self.settings, shape)

    def step(
        self, modules: dict[str, nn.Module], batches: Iterator[dict[str, Tensor]], rng: torch.Generator, step: int
    ) -> Iterator[Update]:
        """L_D = L(D(x), 1) + L(D(G(z)), 0); L_G = L(D(G(z)), 1), L the margin loss (equations 4 and 5)."""
        critic, real = modules["critic"], next(batches)["images"]
        fake, rebuilt = self.images(modules["generator"], real, rng)
        on_real, on_fake = critic(self.altered(real, rng)), critic(self.altered(fake.detach(), rng))
        loss = margin_loss(on_real, present=True) + margin_loss(on_fake, present=False)
        yield Update("critic", loss, {"on_real": on_real.detach().mean(), "on_fake": on_fake.detach().mean()})
        loss = margin_loss(critic(self.altered(fake, rng)), present=True)
        yield self.generator_update(loss, rebuilt, real, step)
