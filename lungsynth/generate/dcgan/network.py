"""DCGAN (Radford 2016): binary cross entropy, transposed convolutions."""

from collections.abc import Iterator
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from lungsynth.generate.base import Gan
from lungsynth.generate.dcgan.settings import Settings
from lungsynth.generate.registry import GENERATORS
from lungsynth.generate.sizes import start_and_doublings
from lungsynth.nets.blocks import ConvCritic, start_small
from lungsynth.train.kind import LossFamily, Update


@GENERATORS.register("dcgan")
class Dcgan(Gan):
    """One update of the critic, one of the generator."""

    loss_family: ClassVar[LossFamily] = "bce"
    settings: Settings

    def critic(self) -> nn.Module:
        """The convolutional critic; its output is a logit."""
        settings = self.settings
        critic = ConvCritic(
            self.shape.channels,
            *start_and_doublings(self.shape.size_px),
            settings.critic_channels,
            settings.critic_most,
            settings.critic_norm == "batch",
            settings.critic_spread,
        )
        if settings.critic_norm == "batch":
            start_small(critic)
        return critic

    def step(
        self, modules: dict[str, nn.Module], batches: Iterator[Tensor], rng: torch.Generator, step: int
    ) -> Iterator[Update]:
        """L_D = BCE(1 - smooth, D(x)) + BCE(0, D(G(z))); L_G by the settings. The generator runs once for both."""
        settings, generator, critic, real = self.settings, modules["generator"], modules["critic"], next(batches)
        fake, rebuilt = self._images(generator, real, rng)
        # Real and fake go through the critic apart: batch norm would give the two away together.
        on_real, on_fake = critic(real), critic(fake.detach())
        loss = _against(on_real, 1 - settings.smooth) + _against(on_fake, 0)
        yield Update("critic", loss, {"on_real": on_real.sigmoid().mean(), "on_fake": on_fake.sigmoid().mean()})
        on_fake = critic(fake)
        loss = _against(on_fake, 1) if settings.generator_loss == "non_saturating" else -_against(on_fake, 0)
        if rebuilt is None:
            yield Update("generator", loss)
        else:
            error = (rebuilt - real).abs().mean()
            # The monitor's g is the adversarial loss alone, so the other term's value is taken out of the sum.
            fall = 0.5 ** (step / settings.reconstruct_halving) if settings.reconstruct_halving else 1.0
            aside = settings.reconstruct * fall * (error - error.detach())
            yield Update("generator", loss + aside, {"rebuilt": error})

    def _images(self, generator: nn.Module, real: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor | None]:
        """Generated images, and real ones rebuilt from their codes if the settings want it; in one pass."""
        n, z = len(real), self.settings.z
        if not self.settings.reconstruct:
            return self.draw(generator, n, rng), None
        noise = torch.randn(2 * n, z, generator=rng).to(real.device)
        codes = generator.prior.encode(real)
        vectors = torch.cat([codes, noise[n:, codes.shape[1] + 1 :]], dim=1)
        both = generator.decode(torch.cat([generator.prior(noise[:n]), vectors]))
        return both[:n], both[n:]


def _against(logits: Tensor, target: float) -> Tensor:
    """Mean binary cross entropy against one target."""
    return binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))
