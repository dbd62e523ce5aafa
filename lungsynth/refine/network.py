"""CycleGAN (Zhu et al. 2017; FACTS 4.4) of composites and real slices, as the training loop takes it.

Sizes, losses and weights are those of the paper unless a setting says otherwise. Ours are: resize-convolutions in place
of transposed ones (no checkerboard), identity and cycle terms that weigh more in and round lesions, and a generator
that may add a bounded change only.
"""

from collections.abc import Iterator
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from lungsynth.nets.grain import fine_detail
from lungsynth.nets.residual import ResidualBlock
from lungsynth.refine.pool import ImagePool
from lungsynth.refine.protect import weighted_l1
from lungsynth.study.stages.refine import CycleGanSettings, RefineNetwork
from lungsynth.train.data import Shape
from lungsynth.train.trainable import Update

FINE_LAYERS = 1
Norm = Literal["none", "instance", "spectral"]


class Generator(nn.Module):
    """Image to image, [n, 1, h, w] in [-1, 1] to the same; h and w multiples of 4.

    Args:
        filters: of the first level; doubled twice on the way down.
        blocks: residual blocks at a quarter of the size.
        max_shift: None: the image is made anew (tanh), as published. Else the output is the input plus a change of at
            most this, which starts at 0, and the last convolution sees the first level too: sharpening is a matter
            of full resolution.
    """

    def __init__(self, filters: int, blocks: int, max_shift: float | None = None):
        super().__init__()
        self.max_shift = max_shift
        self.first = _level(1, filters, kernel=7)
        down = [_level(filters * k, filters * 2 * k, stride=2) for k in (1, 2)]
        # A change that is added shows every step of a nearest-neighbour grid, a whole image made anew hides it.
        larger = nn.Upsample(scale_factor=2, mode="nearest" if max_shift is None else "bilinear")
        up = [nn.Sequential(larger, _level(filters * 2 * k, filters * k)) for k in (2, 1)]
        self.body = nn.Sequential(*down, *(ResidualBlock(filters * 4) for _ in range(blocks)), *up)
        seen = filters if max_shift is None else 2 * filters
        self.last = nn.Sequential(nn.ReflectionPad2d(3), nn.Conv2d(seen, 1, 7))
        self.apply(_initialise)
        if max_shift is not None:
            nn.init.zeros_(self.last[1].weight)

    def forward(self, x: Tensor) -> Tensor:
        first = self.first(x)
        made = self.body(first)
        if self.max_shift is None:
            return torch.tanh(self.last(made))
        change = torch.tanh(self.last(torch.cat([made, first], dim=1)))
        return torch.clamp(x + self.max_shift * change, -1, 1)


class Discriminator(nn.Module):
    """PatchGAN: [n, 1, h, w] -> [n, 1, rows, columns], one judgement a patch; three strided levels see 70 px.

    Args:
        filters: of the first level; doubled at each, up to eight times.
        layers: strided levels.
        norm: "instance", as published: it takes the scale of a feature away, and with it most of what tells a blurred
            or a quiet image from a sharp or a noisy one. "spectral" (Miyato 2018) bounds the slope. "none".
        detail: gain of a second input channel, the image's `fine_detail`; 0: no such channel.
    """

    def __init__(self, filters: int, layers: int, norm: Norm = "instance", detail: float = 0):
        super().__init__()
        self.detail = detail
        widths = [filters * min(2**k, 8) for k in range(layers + 1)]
        parts: list[nn.Module] = [nn.Conv2d(2 if detail else 1, filters, 4, 2, 1), nn.LeakyReLU(0.2, inplace=True)]
        for k in range(1, layers + 1):
            parts += [nn.Conv2d(widths[k - 1], widths[k], 4, 2 if k < layers else 1, 1)]
            parts += [nn.InstanceNorm2d(widths[k])] if norm == "instance" else []
            parts += [nn.LeakyReLU(0.2, inplace=True)]
        self.body = nn.Sequential(*parts, nn.Conv2d(widths[-1], 1, 4, 1, 1))
        # Small weights are right where a norm follows; without one the signal would fade from level to level.
        self.apply(_initialise if norm == "instance" else _initialise_he)
        if norm == "spectral":
            for part in self.body:
                if isinstance(part, nn.Conv2d):
                    spectral_norm(part)

    def forward(self, x: Tensor) -> Tensor:
        return self.body(torch.cat([x, self.detail * fine_detail(x)], dim=1) if self.detail else x)


class Judges(nn.Module):
    """A discriminator of patches and, if wanted, one of fine grain, whose judgements count alike.

    [n, 1, h, w] -> a map of judgements each.
    """

    def __init__(self, settings: RefineNetwork):
        super().__init__()
        own = settings.discriminator_filters, settings.discriminator_norm, settings.discriminator_detail
        filters, norm, detail = own
        self.patches = Discriminator(filters, settings.discriminator_layers, norm, detail)
        self.fine = Discriminator(filters, FINE_LAYERS, norm, detail) if settings.discriminator_fine else None

    def forward(self, x: Tensor) -> list[Tensor]:
        return [judge(x) for judge in (self.patches, self.fine) if judge is not None]


def _level(channels_in: int, channels: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Reflect pad, convolution, instance norm, ReLU."""
    return nn.Sequential(
        nn.ReflectionPad2d(kernel // 2),
        nn.Conv2d(channels_in, channels, kernel, stride),
        nn.InstanceNorm2d(channels),
        nn.ReLU(inplace=True),
    )


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.normal_(module.weight, 0, 0.02)
        nn.init.zeros_(module.bias)


def _initialise_he(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, 0.2)
        nn.init.zeros_(module.bias)


class CycleGan:
    """The refiner as a kind. Batches are those of `samples.crop_source`: composite, real and the areas to protect.

    Args:
        settings: sizes and weights.
        window_hu: HU of -1 and 1, which turn `max_shift_hu` into the network's scale.
    """

    loss_family = "lsgan"
    monitored = ("generators", "discriminators")

    averaged = ("to_real",)

    def __init__(self, settings: CycleGanSettings, window_hu: tuple[float, float]):
        self.network, self.objective, self.protect = settings.network, settings.objective, settings.protect
        unit = 2 / (window_hu[1] - window_hu[0])
        self.max_shift = unit * self.network.max_shift_hu if self.network.residual else None

    def build(self, shape: Shape, classes: int = 1, real: Any = None) -> dict[str, nn.Module]:
        """to_real makes real slices of composites, to_composite the reverse; a discriminator and a pool for each."""
        chosen = self.network
        modules: dict[str, nn.Module] = {}
        for name in ("real", "composite"):
            modules[f"to_{name}"] = Generator(chosen.filters, chosen.blocks, self.max_shift)
            modules[f"judge_{name}"] = Judges(chosen)
            modules[f"pool_{name}"] = ImagePool(self.objective.pool, shape.size_px)
        return modules

    def optimisers(self, modules: dict[str, nn.Module]) -> dict[str, torch.optim.Optimizer]:
        """Adam for both generators, Adam for both discriminators."""

        def adam(prefix: str) -> torch.optim.Optimizer:
            weights = [w for name in ("real", "composite") for w in modules[f"{prefix}_{name}"].parameters()]
            return torch.optim.Adam(
                weights,
                self.objective.learning_rate * (self.objective.discriminator_rate if prefix == "judge" else 1),
                betas=(0.5, 0.999),
            )

        return {"generators": adam("to"), "discriminators": adam("judge")}

    def rate(self, step: int, steps: int) -> float:
        """1 for the first half of the training, then linearly to 0."""
        return min(1.0, (steps - step) / max(1.0, steps / 2))

    def step(
        self, modules: dict[str, nn.Module], batches: Iterator[dict[str, Tensor]], rng: Any, step: int
    ) -> Iterator[Update]:
        """One update of the generators, then one of the discriminators."""
        batch = next(batches)
        for name in ("judge_real", "judge_composite"):
            modules[name].requires_grad_(False)
        made, losses = self._generators(modules, batch, rng)
        yield Update("generators", sum(losses.values()), {name: loss.detach() for name, loss in losses.items()})
        for name in ("judge_real", "judge_composite"):
            modules[name].requires_grad_(True)
        more = [batch, *(next(batches) for _ in range(self.objective.discriminator_batches - 1))]
        true = {name: torch.cat([one[name] for one in more]) for name in ("real", "composite")}
        losses = {
            f"judge_{name}": self._judge(modules, name, true[name], made[name], rng) for name in ("real", "composite")
        }
        yield Update("discriminators", sum(losses.values()), {name: loss.detach() for name, loss in losses.items()})

    def _generators(
        self, modules: dict[str, nn.Module], batch: dict[str, Tensor], rng: Any
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The fakes of both domains, detached, and the terms of the generators' loss, weighted."""
        made, losses = {}, {}
        identity = self.objective.cycle * self.objective.identity
        for target, source in (("real", "composite"), ("composite", "real")):
            near = {name: batch[f"near_{name}"] for name in (source, target)}
            # One call for the fake and for the identity: instance norm treats each image alone.
            shown = [batch[source], batch[target]] if identity else [batch[source]]
            fake, *same = modules[f"to_{target}"](torch.cat(shown)).split(len(batch[source]))
            judged = modules[f"judge_{target}"](self._moved(fake, rng))
            losses[f"fool_{target}"] = sum((one - 1).square().mean() for one in judged) / len(judged)
            back = modules[f"to_{source}"](fake)
            losses[f"cycle_{source}"] = self.objective.cycle * self._l1(back, batch[source], near[source])
            for again in same:
                losses[f"identity_{target}"] = identity * self._l1(again, batch[target], near[target])
            if self.protect.lesions and self.protect.hold:
                change = (fake - batch[source]).abs() * near[source]
                losses[f"hold_{source}"] = self.protect.hold * change.mean()
            made[target] = fake.detach()
        return made, losses

    def _l1(self, x: Tensor, y: Tensor, near: Tensor) -> Tensor:
        return weighted_l1(x, y, near, self.protect.weight if self.protect.lesions else 1)

    def _judge(self, modules: dict[str, nn.Module], name: str, true: Tensor, fake: Tensor, rng: Any) -> Tensor:
        """Least squares to 1 for true images and to 0 for fakes of the pool, halved."""
        pool = modules[f"pool_{name}"]
        shown = torch.cat([pool.query(fake, rng), pool.draw(len(true) - len(fake), rng).to(fake)])
        judged = modules[f"judge_{name}"](self._moved(torch.cat([true, shown]), rng))
        pairs = [one.split([len(true), len(shown)]) for one in judged]
        return sum(0.5 * ((on_true - 1).square().mean() + on_fake.square().mean()) for on_true, on_fake in pairs) / len(
            pairs
        )

    def _moved(self, images: Tensor, rng: Any) -> Tensor:
        """Images without a few rows and columns, how many of them at which end being drawn.

        A judge of strided convolutions has a slope with the period of its strides. Where they always lie on the same
        pixels, the generator learns that pattern: a ripple over all it makes.
        """
        most = self.objective.jitter_px
        if not most:
            return images
        row, column = torch.randint(0, most + 1, (2,), generator=rng).tolist()
        height, width = (side - most for side in images.shape[2:])
        return images[:, :, row : row + height, column : column + width]
