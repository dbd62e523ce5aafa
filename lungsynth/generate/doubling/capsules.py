"""The body of the capsule critics: convolutions, primary capsules, one routed layer (Sabour 2017)."""

from torch import Tensor, nn

from lungsynth.generate.doubling.capsule_settings import CapsuleSettings
from lungsynth.nets.blocks import SLOPE
from lungsynth.nets.capsule import PrimaryCapsules, RoutedCapsules
from lungsynth.train.data import Shape


def _halved(size: int) -> int:
    """Side of a grid after a convolution of stride 2."""
    return (size + 1) // 2


def _capsules(settings: CapsuleSettings, size: int) -> int:
    """Primary capsules on a grid of side `size`."""
    return settings.types * _halved(size) ** 2


class CapsuleBody(nn.Module):
    """Images to capsules: [n, channels, size, size] -> [n, capsules, capsule_dimensions], lengths in [0, 1).

    No batch norm: each image is judged alone.

    Args:
        capsules: of the routed layer; routing, detach: see `RoutedCapsules`.
    """

    def __init__(self, settings: CapsuleSettings, shape: Shape, capsules: int, routing: int, detach: bool = True):
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
            capsules,
            settings.capsule_dimensions,
            routing,
            detach,
        )

    def capsules(self, x: Tensor) -> Tensor:
        """The routed capsules of images."""
        return self.routed(self.primary(self.stem(x)))
