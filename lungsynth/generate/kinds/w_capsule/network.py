"""W-CapsuleGAN (Chi 2023): a capsule network as Wasserstein critic."""

from torch import Tensor, nn

from lungsynth.generate.doubling.capsules import CapsuleBody
from lungsynth.generate.doubling.wasserstein import WassersteinGan
from lungsynth.generate.kinds.w_capsule.settings import Settings
from lungsynth.generate.registry import GENERATORS
from lungsynth.train.data import Shape


class CapsuleCritic(CapsuleBody):
    """Images to one unbounded number each: [n, channels, size, size] -> [n].

    A linear head on the flattened capsules: a capsule's length lies in [0, 1) and could not be a critic. The body has
    no batch norm, since the penalty belongs to one sample.
    """

    def __init__(self, settings: Settings, shape: Shape):
        super().__init__(settings, shape, settings.capsules, settings.routing, detach=not settings.routing_gradient)
        self.head = nn.Linear(settings.capsules * settings.capsule_dimensions, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.capsules(x).flatten(1)).squeeze(1)


@GENERATORS.register("w_capsule")
class WCapsule(WassersteinGan):
    """A DCGAN-like generator against the capsule critic."""

    settings: Settings

    def critic(self, shape: Shape) -> nn.Module:
        """The capsule critic."""
        return CapsuleCritic(self.settings, shape)
