"""W-CapsuleGAN (Chi 2023): a capsule network as Wasserstein critic."""

from torch import Tensor, nn

from lungsynth.generate.doubling.wasserstein import WassersteinGan
from lungsynth.generate.kinds.w_capsule.settings import Settings
from lungsynth.generate.registry import GENERATORS
from lungsynth.nets.blocks import SLOPE
from lungsynth.nets.capsule import PrimaryCapsules, RoutedCapsules
from lungsynth.train.data import Shape


def _halved(size: int) -> int:
    """Side of a grid after a convolution of stride 2."""
    return (size + 1) // 2


def _capsules(settings: Settings, size: int) -> int:
    """Primary capsules on a grid of side `size`."""
    return settings.types * _halved(size) ** 2


class CapsuleCritic(nn.Module):
    """Images to one unbounded number each: [n, channels, size, size] -> [n].

    Strided convolutions, primary capsules, one routed layer, and a linear head on its flattened capsules: a capsule's
    length lies in [0, 1) and could not be a critic. No batch norm, since the penalty belongs to one sample.
    """

    def __init__(self, settings: Settings, shape: Shape):
        super().__init__()
        stem: list[nn.Module] = []
        channels, size, width = shape.channels, shape.size_px, settings.critic_channels
        # The first convolution always; more until the capsules of the grid after the last are few enough.
        while not stem or _capsules(settings, size) > settings.max_capsules:
            kernel = 3 if stem else settings.kernel
            stem += [nn.Conv2d(channels, width, kernel, 2, kernel // 2), nn.LeakyReLU(SLOPE)]
            channels, size, width = width, _halved(size), min(2 * width, settings.critic_most)
        self.stem = nn.Sequential(*stem)
        pad = settings.kernel // 2
        self.primary = PrimaryCapsules(channels, settings.types, settings.type_dimensions, settings.kernel, 2, pad)
        self.routed = RoutedCapsules(
            _capsules(settings, size),
            settings.type_dimensions,
            settings.capsules,
            settings.capsule_dimensions,
            settings.routing,
            detach=not settings.routing_gradient,
        )
        self.head = nn.Linear(settings.capsules * settings.capsule_dimensions, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.routed(self.primary(self.stem(x))).flatten(1)).squeeze(1)


@GENERATORS.register("w_capsule")
class WCapsule(WassersteinGan):
    """A DCGAN-like generator against the capsule critic."""

    settings: Settings

    def critic(self, shape: Shape) -> nn.Module:
        """The capsule critic."""
        return CapsuleCritic(self.settings, shape)
