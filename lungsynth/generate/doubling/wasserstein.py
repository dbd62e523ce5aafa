"""The Wasserstein loss with gradient penalty (Gulrajani 2017), and the step that all Wasserstein kinds take."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from lungsynth.generate.doubling.gan import DoublingGan
from lungsynth.train.trainable import Update


def gradient_penalty(critic: nn.Module, real: Tensor, fake: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Mean of (|grad D(x^)| - 1)^2 over x^ = e real + (1 - e) fake, e ~ U(0, 1) for each sample.

    The norm is over all pixels of one sample. Returns (penalty, mean norm); the penalty has gradients to the critic.
    """
    e = torch.rand(len(real), 1, 1, 1, generator=rng).to(real.device)
    mixed = (e * real + (1 - e) * fake).detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(critic(mixed).sum(), mixed, create_graph=True)
    norm = gradient.flatten(1).square().sum(1).add(1e-12).sqrt()
    return (norm - 1).square().mean(), norm.detach().mean()


class WassersteinGan(DoublingGan):
    """`n_critic` critic updates, each on its own batch, then one of the generator.

    The critic is kept from being steep by the gradient penalty, unless a kind says how else.
    """

    def step(
        self, modules: dict[str, nn.Module], batches: Iterator[dict[str, Tensor]], rng: torch.Generator, step: int
    ) -> Iterator[Update]:
        """L_D by `critic_update`; L_G = -E D(G(z))."""
        settings, generator, critic = self.settings, modules["generator"], modules["critic"]
        for _ in range(settings.n_critic):
            real = next(batches)["images"]
            with torch.no_grad():
                fake = self.altered(self.draw(generator, len(real), rng), rng)
            yield self.critic_update(critic, self.altered(real, rng), fake, rng)
            self.after_critic_update(critic)
        fake, rebuilt = self.images(generator, real, rng)
        yield self.generator_update(-critic(self.altered(fake, rng)).mean(), rebuilt, real, step)

    def critic_update(self, critic: nn.Module, real: Tensor, fake: Tensor, rng: torch.Generator) -> Update:
        """L_D = E D(fake) - E D(real) + penalty x (...) + drift x E D(real)^2."""
        settings = self.settings
        on_real, on_fake = critic(torch.cat([real, fake])).chunk(2)
        gap = on_real.mean() - on_fake.mean()
        penalty, norm = gradient_penalty(critic, real, fake, rng)
        loss = settings.penalty * penalty - gap + settings.drift * on_real.square().mean()
        return Update("critic", loss, {"gap": gap.detach(), "penalty": penalty.detach(), "gradient": norm})

    def after_critic_update(self, critic: nn.Module) -> None:
        """What is done to the critic's new weights: nothing."""
