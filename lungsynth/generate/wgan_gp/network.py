"""WGAN-GP (Gulrajani 2017) with DCGAN bodies."""

from torch import nn

from lungsynth.generate.registry import GENERATORS
from lungsynth.generate.sizes import start_and_doublings
from lungsynth.generate.wasserstein import WassersteinGan
from lungsynth.generate.wgan_gp.settings import Settings
from lungsynth.nets.blocks import ConvCritic


@GENERATORS.register("wgan_gp")
class WganGp(WassersteinGan):
    """A DCGAN-like generator against a convolutional critic without norm."""

    settings: Settings

    def critic(self) -> nn.Module:
        """The convolutional critic, in torch's own start: one of sd .02 has no slope to penalise."""
        sizes = start_and_doublings(self.shape.size_px)
        return ConvCritic(self.shape.channels, *sizes, self.settings.critic_channels, self.settings.critic_most)
