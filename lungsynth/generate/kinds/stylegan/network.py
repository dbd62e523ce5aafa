"""StyleGAN2 (Karras 2020): logistic loss, lazy R1 and path length."""

import math
from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from lungsynth.generate.gan import Gan
from lungsynth.generate.kinds.stylegan.networks import StyleCritic, StyleGenerator
from lungsynth.generate.kinds.stylegan.settings import Settings
from lungsynth.generate.losses import cross_entropy, squared_slope
from lungsynth.generate.registry import GENERATORS
from lungsynth.generate.streams import classes_of, normal
from lungsynth.train.data import Shape
from lungsynth.train.trainable import LossFamily, Update

GAMMA = 2e-4
PATH_DECAY = 0.01


class PathLength(nn.Module):
    """What a step in the style does to the image, and its mean so far, which a state must hold."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(()))

    def forward(self, generator: StyleGenerator, styles: Tensor, noise: Tensor, rng: torch.Generator) -> Tensor:
        """E (|J^T y| - a)^2, y a normal image, a the mean length (Karras 2020, equation 4), with gradients."""
        images = generator(styles, noise)
        y = torch.randn(images.shape, generator=rng).to(images.device) / math.sqrt(images[0, 0].numel())
        (slope,) = torch.autograd.grad((images * y).sum(), styles, create_graph=True)
        lengths = slope.square().sum(2).mean(1).sqrt()
        with torch.no_grad():
            self.mean.lerp_(lengths.mean().to(self.mean.dtype), PATH_DECAY)
        return (lengths - self.mean).square().mean()


@GENERATORS.register("stylegan")
class StyleGan(Gan):
    """One update of the critic, one of the generator; of the class that is asked for, where there are several."""

    loss_family: ClassVar[LossFamily] = "bce"
    settings: Settings

    def build(self, shape: Shape, classes: int = 1, real: Tensor | None = None) -> dict[str, nn.Module]:
        """The two networks, and the mean of the path's length."""
        return {
            "generator": StyleGenerator(self.settings, shape, classes),
            "critic": StyleCritic(self.settings, shape, classes),
            "path_length": PathLength(),
            **self.strength(),
        }

    def draw(self, generator: StyleGenerator, n: int, rng: torch.Generator, labels: Tensor | None = None) -> Tensor:
        """n images from fresh random numbers, of the classes `labels` or, where they are None, of any."""
        if labels is None:
            labels = torch.randint(0, generator.classes, (n,), generator=rng)
        return generator(*self.styles_and_noise(generator, labels, rng))

    def styles_and_noise(
        self, generator: StyleGenerator, labels: Tensor, rng: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Styles [n, count, w] of fresh random vectors, in a share of the calls of two, and noise [n, pixels]."""
        n, device, mapping = len(labels), generator.start.device, generator.mapping
        z = torch.randn(2, n, self.settings.z, generator=rng).to(device)
        noise = torch.randn(n, generator.pixels, generator=rng).to(device)
        mixed = float(torch.rand((), generator=rng)) < self.settings.mixing
        turn = int(torch.randint(1, generator.count, (), generator=rng)) if mixed else generator.count
        first = mapping(z[0], labels.to(device))
        if mapping.training:
            mapping.track(first)
        styles = first.unsqueeze(1).repeat(1, generator.count, 1)
        if mixed:
            other = mapping(z[1], labels.to(device)).unsqueeze(1)
            styles = torch.cat([styles[:, :turn], other.repeat(1, generator.count - turn, 1)], dim=1)
        return styles, noise

    def step(
        self, modules: dict[str, nn.Module], batches: Iterator[dict[str, Tensor]], rng: torch.Generator, step: int
    ) -> Iterator[Update]:
        """L_D = BCE(1, D(x)) + BCE(0, D(G(z))) + gamma / 2 R1; L_G = BCE(1, D(G(z))) + path length, both lazy."""
        settings, generator, critic = self.settings, modules["generator"], modules["critic"]
        batch = next(batches)
        real, labels = batch["images"], batch["labels"]
        penalised = step % settings.r1_every == 0
        fake = self.draw(generator, len(real), rng, labels)
        seen = self.altered(real, rng, modules).detach().requires_grad_(penalised)
        # Real and fake go through the critic apart: the spread of a batch would give the two away together.
        on_real, on_fake = critic(seen, labels), critic(self.altered(fake.detach(), rng, modules), labels)
        loss = cross_entropy(on_real, 1) + cross_entropy(on_fake, 0)
        if penalised:
            gamma = heuristic_gamma(real.shape[-1], len(real)) if settings.gamma is None else settings.gamma
            loss = loss + settings.r1_every * gamma / 2 * squared_slope(on_real, seen)
        logs = {"on_real": on_real.sigmoid().mean(), "on_fake": on_fake.sigmoid().mean()}
        yield Update("critic", loss, logs | self.adapted(modules, on_real))
        loss = cross_entropy(critic(self.altered(fake, rng, modules), labels), 1)
        if settings.path_length and step % settings.path_length_every == 0:
            # Half a batch is enough for it (appendix B).
            styles, noise = self.styles_and_noise(generator, labels[: max(1, len(labels) // 2)], rng)
            penalty = settings.path_length_every * modules["path_length"](generator, styles, noise, rng)
            # The monitor's g is the adversarial loss alone, so the other term's value is taken out of the sum.
            loss = loss + settings.path_length * (penalty - penalty.detach())
        yield Update("generator", loss)

    def sample(
        self, modules: dict[str, nn.Module], n: int, labels: Tensor | None, streams: Sequence[np.random.Generator]
    ) -> Tensor:
        """See `Generator`: one style an image, pulled towards the mean one if wanted; grey levels cut to [-1, 1]."""
        generator = modules["generator"]
        device, mapping = generator.start.device, generator.mapping
        z, noise = normal(streams, self.settings.z).to(device), normal(streams, generator.pixels).to(device)
        w = mapping(z, classes_of(labels, streams, generator.classes).to(device))
        styles = mapping.mean.lerp(w, self.settings.truncation).unsqueeze(1).repeat(1, generator.count, 1)
        return generator(styles, noise).clamp(-1, 1)


def heuristic_gamma(size_px: int, batch: int) -> float:
    """The weight of R1 that StyleGAN2's own code takes where none is stated."""
    return GAMMA * size_px**2 / batch
