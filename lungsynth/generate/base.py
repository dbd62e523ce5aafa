"""What the generators' kinds share: a generator and a critic, and how they are built, optimised and watched."""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from lungsynth.generate.prior import Prior
from lungsynth.generate.registry import GENERATORS
from lungsynth.generate.sizes import GeneratorSettings, start_and_doublings
from lungsynth.nets.blocks import ImageGenerator, start_small
from lungsynth.study.errors import TrainingError
from lungsynth.train.kind import LossFamily, Update

COLLAPSED_SD = 1e-3
"""Mean sd over the images of a batch, of 2 for the whole grey scale, under which a generator draws one image only."""


@dataclass(frozen=True)
class Shape:
    """Size of the images a generator makes: side in px; channels 2 (HU, mask) for nodules, 1 for slices."""

    size_px: int
    channels: int


class Gan:
    """Base of the kinds; a kind adds its critic and its step.

    Args:
        settings: the kind's.
        shape: of the images.
        ema: decay of the generator's running average, 0 for none.
        real: the real images [n, channels, size, size] in [-1, 1]; None where a state will be loaded.
    """

    loss_family: ClassVar[LossFamily] = "wasserstein"
    monitored: ClassVar[tuple[str, str]] = ("generator", "critic")

    def __init__(self, settings: GeneratorSettings, shape: Shape, ema: float = 0.0, real: Tensor | None = None):
        settings.check_size(shape.size_px)
        self.settings, self.shape = settings, shape
        self.real = real
        self.ema = {"generator": ema} if ema else {}

    def critic(self) -> nn.Module:
        """The kind's critic: images -> [n]."""
        raise NotImplementedError

    def prior(self) -> Prior | None:
        """The generator's prior, fitted to the real images where they are given; None where the settings want none."""
        settings = self.settings
        if not settings.prior_code:
            return None
        prior = Prior(self.shape.channels, self.shape.size_px, settings.prior_code, settings.prior_components)
        return prior if self.real is None else prior.fit(self.real)

    def build(self) -> dict[str, nn.Module]:
        """The two networks."""
        settings, shape = self.settings, self.shape
        mean = self.real.mean(0) if self.real is not None and settings.start_from_mean else None
        generator = ImageGenerator(
            settings.z,
            shape.channels,
            *start_and_doublings(shape.size_px),
            settings.generator_channels,
            settings.generator_least,
            mean,
            settings.smooth_doubling,
            settings.noise,
            self.prior(),
        )
        start_small(generator)
        return {"generator": generator, "critic": self.critic()}

    def optimisers(self, modules: dict[str, nn.Module]) -> dict[str, torch.optim.Optimizer]:
        """Adam for each."""
        settings = self.settings
        rates = {"generator": settings.learning_rate}
        rates["critic"] = settings.critic_learning_rate or settings.learning_rate
        return {
            name: torch.optim.Adam(modules[name].parameters(), rate, betas=settings.betas)
            for name, rate in rates.items()
        }

    def draw(self, generator: nn.Module, n: int, rng: torch.Generator) -> Tensor:
        """n images from fresh random vectors."""
        z = torch.randn(n, self.settings.z, generator=rng)
        return generator(z.to(next(generator.parameters()).device))

    def images(self, generator: nn.Module, real: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor | None]:
        """As many images as there are real ones, and the real ones rebuilt from their codes if the settings want it.

        Both come from one pass of the generator; the second is None where `reconstruct` is 0.
        """
        n, z = len(real), self.settings.z
        if not self.settings.reconstruct:
            return self.draw(generator, n, rng), None
        noise = torch.randn(2 * n, z, generator=rng).to(real.device)
        codes = generator.prior.encode(real)
        vectors = torch.cat([codes, noise[n:, codes.shape[1] + 1 :]], dim=1)
        both = generator.decode(torch.cat([generator.prior(noise[:n]), vectors]))
        return both[:n], both[n:]

    def generator_update(self, loss: Tensor, rebuilt: Tensor | None, real: Tensor, step: int) -> Update:
        """The generator's update: its adversarial loss, and the error of what it rebuilt, if it did."""
        if rebuilt is None:
            return Update("generator", loss)
        settings, error = self.settings, (rebuilt - real).abs().mean()
        # The monitor's g is the adversarial loss alone, so the other term's value is taken out of the sum.
        fall = 0.5 ** (step / settings.reconstruct_halving) if settings.reconstruct_halving else 1.0
        return Update("generator", loss + settings.reconstruct * fall * (error - error.detach()), {"rebuilt": error})

    def check(self, modules: dict[str, nn.Module], rng: torch.Generator) -> None:
        """Refuse a generator that draws one image only.

        Raises:
            TrainingError: it has collapsed.
        """
        generator = modules["generator"]
        training = generator.training
        with torch.no_grad():
            spread = float(self.draw(generator.eval(), 16, rng).std(0).mean())
        generator.train(training)
        if not spread > COLLAPSED_SD:
            raise TrainingError(
                f"the generator has collapsed: its images differ by {spread:.1e} of a grey scale of 2; "
                "lower its learning rate or change the seed"
            )


def make_kind(kind: str, block: dict[str, Any], image: Shape, ema: float = 0.0, real: Tensor | None = None) -> Gan:
    """The kind called `kind` with its settings `block`, as the training loop takes it.

    Raises:
        StudyError: no such kind, or a size it cannot make.
    """
    return GENERATORS.get(kind)(GENERATORS.settings(kind)(**block), image, ema, real)
