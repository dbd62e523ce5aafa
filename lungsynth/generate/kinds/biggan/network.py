"""BigGAN (Brock 2019): hinge loss, spectral norm and self-attention in both networks."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from lungsynth.generate.doubling.settings import start_and_doublings
from lungsynth.generate.gan import Gan
from lungsynth.generate.kinds.biggan.blocks import Attention, CriticBlock, GeneratorBlock, convolution, spectral
from lungsynth.generate.kinds.biggan.settings import Settings
from lungsynth.generate.registry import GENERATORS
from lungsynth.generate.streams import classes_of, truncated
from lungsynth.nets.blocks import widths
from lungsynth.train.data import Shape
from lungsynth.train.trainable import LossFamily, Update


class BigGenerator(nn.Module):
    """Random vectors and classes to images: [n, z], int64 [n] -> [n, channels, size, size] in [-1, 1].

    With classes the vector is cut in one part for the smallest grid and one for each block, which take it, beside the
    class's numbers, into their norms. Without, all of it fills the smallest grid.
    """

    def __init__(self, settings: Settings, shape: Shape, classes: int):
        super().__init__()
        self.start_px, doublings = start_and_doublings(shape.size_px)
        self.classes = classes
        part = settings.z // (doublings + 1) if classes > 1 else 0
        self.parts = [settings.z - doublings * part, *[part] * doublings]
        condition = part + settings.embedding if classes > 1 else 0
        self.embed = nn.Embedding(classes, settings.embedding) if classes > 1 else None
        first, least = settings.generator_channels, settings.generator_least
        wide = [max(first, least), *widths(first, least, doublings)]
        self.fill = spectral(nn.Linear(self.parts[0], wide[0] * self.start_px**2))
        self.blocks = nn.ModuleList(GeneratorBlock(one, other, condition) for one, other in pairwise(wide))
        self.attention_at = _largest(shape.size_px, doublings, settings.attention_px)
        self.attention = Attention(wide[doublings - self.attention_at])
        self.head = nn.Sequential(nn.BatchNorm2d(wide[-1]), nn.ReLU(), convolution(wide[-1], shape.channels), nn.Tanh())
        if self.embed is not None:
            nn.init.orthogonal_(self.embed.weight)
        # On CPUs the last-channel layout saves a quarter of a step.
        self.to(memory_format=torch.channels_last)

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        first, *parts = z.split(self.parts, dim=1)
        if self.embed is not None:
            parts = [torch.cat([self.embed(labels), part], dim=1) for part in parts]
        x = self.fill(first).unflatten(1, (-1, self.start_px, self.start_px))
        for halvings, block, part in zip(range(len(parts))[::-1], self.blocks, parts, strict=True):
            x = block(x, part)
            if halvings == self.attention_at:
                x = self.attention(x)
        return self.head(x)


class BigCritic(nn.Module):
    """Images and classes to one number each: [n, channels, size, size], int64 [n] -> [n].

    With classes the projection of the features on what stands for the class is added (Miyato 2018b).
    """

    def __init__(self, settings: Settings, shape: Shape, classes: int):
        super().__init__()
        halvings = start_and_doublings(shape.size_px)[1]
        wide = [min(settings.critic_most, settings.critic_channels << k) for k in range(halvings)]
        steps = pairwise([shape.channels, *wide])
        self.blocks = nn.ModuleList(CriticBlock(one, other, True, k == 0) for k, (one, other) in enumerate(steps))
        self.attention_at = max(1, _largest(shape.size_px, halvings, settings.attention_px))
        self.attention = Attention(wide[self.attention_at - 1])
        self.last = CriticBlock(wide[-1], wide[-1], False)
        self.head = spectral(nn.Linear(wide[-1], 1))
        self.embed = spectral(nn.Embedding(classes, wide[-1])) if classes > 1 else None
        self.to(memory_format=torch.channels_last)

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        for k, block in enumerate(self.blocks, start=1):
            x = block(x)
            if k == self.attention_at:
                x = self.attention(x)
        features = relu(self.last(x)).sum((2, 3))
        judged = self.head(features).squeeze(1)
        return judged if self.embed is None else judged + (self.embed(labels) * features).sum(1)


def _largest(size_px: int, halvings: int, most_px: int) -> int:
    """How often an image is halved to the largest of its grids up to `most_px`, or to its smallest but one."""
    return next((k for k in range(halvings) if size_px >> k <= most_px), halvings - 1)


@GENERATORS.register("biggan")
class BigGan(Gan):
    """`n_critic` critic updates, then one of the generator; of the class that is asked for, where there are several."""

    loss_family: ClassVar[LossFamily] = "hinge"
    settings: Settings

    def build(self, shape: Shape, classes: int = 1, real: Tensor | None = None) -> dict[str, nn.Module]:
        """The two networks."""
        return {
            "generator": BigGenerator(self.settings, shape, classes),
            "critic": BigCritic(self.settings, shape, classes),
            **self.strength(),
        }

    def draw(self, generator: nn.Module, n: int, rng: torch.Generator, labels: Tensor | None = None) -> Tensor:
        """n images from fresh random vectors, of the classes `labels` or, where they are None, of any."""
        z = torch.randn(n, self.settings.z, generator=rng)
        labels = torch.randint(0, generator.classes, (n,), generator=rng) if labels is None else labels
        device = next(generator.parameters()).device
        return generator(z.to(device), labels.to(device))

    def step(
        self, modules: dict[str, nn.Module], batches: Iterator[dict[str, Tensor]], rng: torch.Generator, step: int
    ) -> Iterator[Update]:
        """L_D = E max(0, 1 - D(x, y)) + E max(0, 1 + D(G(z, y), y)); L_G = -E D(G(z, y), y), y of the real batch."""
        settings, generator, critic = self.settings, modules["generator"], modules["critic"]
        for _ in range(settings.n_critic):
            batch = next(batches)
            real, labels = batch["images"], batch["labels"]
            with torch.no_grad():
                fake = self.draw(generator, len(real), rng, labels)
                seen = [self.altered(images, rng, modules) for images in (real, fake)]
            on_real, on_fake = critic(torch.cat(seen), labels.repeat(2)).chunk(2)
            loss = relu(1 - on_real).mean() + relu(1 + on_fake).mean()
            logs = {"on_real": on_real.detach().mean(), "on_fake": on_fake.detach().mean()}
            yield Update("critic", loss, logs | self.adapted(modules, on_real))
        fake = self.draw(generator, len(real), rng, labels)
        loss = -critic(self.altered(fake, rng, modules), labels).mean()
        if settings.orthogonal:
            cosines = shared_directions(generator)
            # The monitor's g is the adversarial loss alone, so the other term's value is taken out of the sum.
            loss = loss + settings.orthogonal * (cosines - cosines.detach())
        yield Update("generator", loss)

    def sample(
        self, modules: dict[str, nn.Module], n: int, labels: Tensor | None, streams: Sequence[np.random.Generator]
    ) -> Tensor:
        """See `Generator`: one pass, the random vector of each image from its stream, truncated if wanted."""
        generator = modules["generator"]
        z = truncated(streams, self.settings.truncation, self.settings.z)
        device = next(generator.parameters()).device
        return generator(z.to(device), classes_of(labels, streams, generator.classes).to(device))


def shared_directions(module: nn.Module) -> Tensor:
    """Sum over layers of the squared products of different filters (Brock 2019, equation 3)."""
    total = torch.zeros((), device=next(module.parameters()).device)
    for name, weight in module.named_parameters():
        if weight.dim() > 1 and not name.startswith("embed"):
            filters = weight.flatten(1)
            products = filters @ filters.T
            total = total + products.square().sum() - products.diagonal().square().sum()
    return total
