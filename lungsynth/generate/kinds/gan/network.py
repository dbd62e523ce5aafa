"""GAN (Goodfellow 2014): multilayer perceptrons, binary cross entropy."""

from collections.abc import Iterator
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn

from lungsynth.generate.gan import Gan
from lungsynth.generate.kinds.gan.settings import Settings
from lungsynth.generate.losses import cross_entropy
from lungsynth.generate.registry import GENERATORS
from lungsynth.nets.blocks import SLOPE
from lungsynth.train.data import Shape
from lungsynth.train.trainable import LossFamily, Update


def _hidden(widths: tuple[int, ...], dropout: float = 0.0) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for width, target in pairwise(widths):
        layers += [nn.Linear(width, target), nn.LeakyReLU(SLOPE)]
        layers += [nn.Dropout(dropout)] if dropout else []
    return layers


class MlpGenerator(nn.Module):
    """Random vectors to images: [n, z] -> [n, channels, size, size] in [-1, 1]."""

    def __init__(self, z: int, widths: tuple[int, ...], shape: Shape):
        super().__init__()
        self.size = (shape.channels, shape.size_px, shape.size_px)
        self.layers = nn.Sequential(
            *_hidden((z, *widths)), nn.Linear(widths[-1], shape.channels * shape.size_px**2), nn.Tanh()
        )

    def forward(self, z: Tensor) -> Tensor:
        return self.layers(z).unflatten(1, self.size)


class MlpCritic(nn.Module):
    """Images to one logit each: [n, channels, size, size] -> [n]."""

    def __init__(self, widths: tuple[int, ...], dropout: float, shape: Shape):
        super().__init__()
        pixels = shape.channels * shape.size_px**2
        self.layers = nn.Sequential(nn.Flatten(), *_hidden((pixels, *widths), dropout), nn.Linear(widths[-1], 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x).squeeze(1)


@GENERATORS.register("gan")
class MlpGan(Gan):
    """One update of the critic, one of the generator; images of all classes alike."""

    loss_family: ClassVar[LossFamily] = "bce"
    settings: Settings

    def build(self, shape: Shape, classes: int = 1, real: Tensor | None = None) -> dict[str, nn.Module]:
        """The two perceptrons."""
        settings = self.settings
        return {
            "generator": MlpGenerator(settings.z, settings.generator_widths, shape),
            "critic": MlpCritic(settings.critic_widths, settings.dropout, shape),
            **self.strength(),
        }

    def step(
        self, modules: dict[str, nn.Module], batches: Iterator[dict[str, Tensor]], rng: torch.Generator, step: int
    ) -> Iterator[Update]:
        """L_D = BCE(1, D(x)) + BCE(0, D(G(z))); L_G = BCE(1, D(G(z))), the loss of section 3 that does not saturate.

        The critic's dropout draws from torch's own random numbers, which the loop seeds for each step.
        """
        critic, real = modules["critic"], next(batches)["images"]
        fake = self.draw(modules["generator"], len(real), rng)
        on_real = critic(self.altered(real, rng, modules))
        on_fake = critic(self.altered(fake.detach(), rng, modules))
        loss = cross_entropy(on_real, 1) + cross_entropy(on_fake, 0)
        logs = {"on_real": on_real.sigmoid().mean(), "on_fake": on_fake.sigmoid().mean()}
        yield Update("critic", loss, logs | self.adapted(modules, on_real))
        yield Update("generator", cross_entropy(critic(self.altered(fake, rng, modules)), 1))
