"""The residual block of image-to-image networks (He et al. 2016; Johnson et al. 2016)."""

from torch import Tensor, nn


class ResidualBlock(nn.Module):
    """x + H(x), H = twice (reflect pad, convolution 3 x 3, instance norm), ReLU between: [n, channels, h, w], same out.

    Instance norm has no weights of its own; the convolutions keep their biases, as CycleGAN's do.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.body = nn.Sequential(
            *_convolution(channels),
            nn.ReLU(inplace=True),
            *_convolution(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


def _convolution(channels: int) -> tuple[nn.Module, ...]:
    return nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3), nn.InstanceNorm2d(channels)
