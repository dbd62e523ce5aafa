"""The levels of a generator that grows its images by interpolation and keeps its grids at one length (Karras 2018)."""

from torch import Tensor, nn
from torch.nn.functional import interpolate, leaky_relu

SLOPE = 0.2
LEAST_SQUARE = 1e-4


def pixel_norm(x: Tensor) -> Tensor:
    """[n, channels, h, w] with each pixel's vector scaled to a mean square of 1."""
    return x * (x.square().mean(1, keepdim=True) + LEAST_SQUARE).rsqrt()


class PixelNormLevel(nn.Module):
    """[n, channels, h, w] -> [n, target, 2 h, 2 w]: interpolated, then two convolutions 3 x 3, each normed.

    No statistics of a batch: an image is a function of its vector alone, in training too.
    """

    def __init__(self, channels: int, target: int):
        super().__init__()
        self.first = nn.Conv2d(channels, target, 3, padding=1)
        self.second = nn.Conv2d(target, target, 3, padding=1)

    def forward(self, x: Tensor, place: Tensor | None = None) -> Tensor:
        x = interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        for conv in (self.first, self.second):
            x = pixel_norm(leaky_relu(conv(x), SLOPE))
        return x


class Head(nn.Conv2d):
    """The last convolution: grids to images before tanh."""

    def __init__(self, channels: int, image_channels: int):
        super().__init__(channels, image_channels, 3, padding=1)

    def forward(self, x: Tensor, place: Tensor | None = None) -> Tensor:
        return super().forward(x)
