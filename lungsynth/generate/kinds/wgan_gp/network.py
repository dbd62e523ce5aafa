"""WGAN-GP (Gulrajani 2017) with DCGAN bodies."""

from lungsynth.generate.doubling.wasserstein import WassersteinGan
from lungsynth.generate.kinds.wgan_gp.settings import Settings
from lungsynth.generate.registry import GENERATORS


@GENERATORS.register("wgan_gp")
class WganGp(WassersteinGan):
    """A DCGAN-like generator against a convolutional critic without norm.

    The critic keeps torch's own start: one of sd .02 has no slope to penalise.
    """

    settings: Settings
