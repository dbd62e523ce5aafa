"""WGAN (Arjovsky 2017) with DCGAN bodies."""

import torch
from torch import Tensor, nn

from lungsynth.generate.doubling.wasserstein import WassersteinGan
from lungsynth.generate.kinds.wgan.settings import Settings
from lungsynth.generate.registry import GENERATORS
from lungsynth.train.trainable import Update


@GENERATORS.register("wgan")
class Wgan(WassersteinGan):
    """A DCGAN-like generator against a convolutional critic whose weights are clipped after each update.

    The critic has no batch norm, as it judges each image alone.
    """

    settings: Settings

    def optimisers(self, modules: dict[str, nn.Module]) -> dict[str, torch.optim.Optimizer]:
        """RMSprop for each: with Adam's momentum the critic's loss is unstable (section 4.2)."""
        momentum, memory = self.settings.betas
        return {
            name: torch.optim.RMSprop(modules[name].parameters(), rate, alpha=memory, momentum=momentum)
            for name, rate in self.rates().items()
        }

    def critic_update(self, critic: nn.Module, real: Tensor, fake: Tensor, rng: torch.Generator) -> Update:
        """L_D = E D(fake) - E D(real)."""
        on_real, on_fake = critic(torch.cat([real, fake])).chunk(2)
        gap = on_real.mean() - on_fake.mean()
        return Update("critic", -gap, {"gap": gap.detach()})

    @torch.no_grad()
    def after_critic_update(self, critic: nn.Module) -> None:
        """Cut all weights to [-clip, clip] (algorithm 1, line 7)."""
        for weight in critic.parameters():
            weight.clamp_(-self.settings.clip, self.settings.clip)
