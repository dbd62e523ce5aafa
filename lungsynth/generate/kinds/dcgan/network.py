"""DCGAN (Radford 2016): binary cross entropy, transposed convolutions."""

from collections.abc import Iterator
from typing import ClassVar

import torch
from torch import Tensor, nn

from lungsynth.generate.doubling.gan import DoublingGan
from lungsynth.generate.doubling.settings import start_and_doublings
from lungsynth.generate.kinds.dcgan.layers import LayeredCritic, LayeredGenerator
from lungsynth.generate.kinds.dcgan.settings import Settings
from lungsynth.generate.losses import cross_entropy, squared_slope
from lungsynth.generate.registry import GENERATORS
from lungsynth.nets.blocks import ConvCritic, start_small
from lungsynth.train.data import Shape
from lungsynth.train.trainable import LossFamily, Update


@GENERATORS.register("dcgan")
class Dcgan(DoublingGan):
    """One update of the critic, one of the generator."""

    loss_family: ClassVar[LossFamily] = "bce"
    settings: Settings

    def build(self, shape: Shape, classes: int = 1, real: Tensor | None = None) -> dict[str, nn.Module]:
        """The two networks; images of all classes alike."""
        settings = self.settings
        if settings.layers is None:
            return super().build(shape, classes, real) | self.strength()
        return {
            "generator": LayeredGenerator(settings.layers, settings.z, shape),
            "critic": LayeredCritic(settings.layers, shape),
            **self.strength(),
        }

    def critic(self, shape: Shape) -> nn.Module:
        """The convolutional critic; its output is a logit."""
        settings = self.settings
        critic = ConvCritic(
            shape.channels,
            *start_and_doublings(shape.size_px),
            settings.critic_channels,
            settings.critic_most,
            settings.critic_norm == "batch",
            settings.critic_spread,
        )
        if settings.critic_norm == "batch":
            start_small(critic)
        return critic

    def step(
        self, modules: dict[str, nn.Module], batches: Iterator[dict[str, Tensor]], rng: torch.Generator, step: int
    ) -> Iterator[Update]:
        """L_D = BCE(1 - smooth, D(x)) + BCE(0, D(G(z))); L_G by the settings. The generator runs once for both."""
        settings, generator, critic = self.settings, modules["generator"], modules["critic"]
        real = next(batches)["images"]
        fake, rebuilt = self.images(generator, real, rng)
        seen = self.altered(real, rng, modules).requires_grad_(self._slope_is_due(step))
        # Real and fake go through the critic apart: batch norm would give the two away together.
        on_real, on_fake = critic(seen), critic(self.altered(fake.detach(), rng, modules))
        loss = cross_entropy(on_real, 1 - settings.smooth) + cross_entropy(on_fake, 0)
        if self._slope_is_due(step):
            loss = loss + settings.r1_every * settings.r1 / 2 * squared_slope(on_real, seen)
        logs = {"on_real": on_real.sigmoid().mean(), "on_fake": on_fake.sigmoid().mean()}
        yield Update("critic", loss, logs | self.adapted(modules, on_real))
        on_fake = critic(self.altered(fake, rng, modules))
        loss = cross_entropy(on_fake, 1) if settings.generator_loss == "non_saturating" else -cross_entropy(on_fake, 0)
        yield self.generator_update(loss, rebuilt, real, step)

    def _slope_is_due(self, step: int) -> bool:
        """Whether the step has an R1 penalty; one in several is enough (Karras 2020)."""
        return self.settings.r1 > 0 and step % self.settings.r1_every == 0
