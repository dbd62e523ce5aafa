"""The fine detail of an image, which blur takes away: judges are shown it, and its spectrum can be asked for."""

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, pad

WINDOW_PX = 5
SPECTRUM_PX, STEP_PX = 16, 8
QUIET = 9e-6
"""Power below which a window is still, of a grey scale of 2: noise of 2 HU in a window of 1400."""


def fine_detail(x: Tensor) -> Tensor:
    """The image [n, c, h, w] minus its mean over `WINDOW_PX`."""
    mean = avg_pool2d(pad(x, [WINDOW_PX // 2] * 4, mode="reflect"), WINDOW_PX, 1)
    return x - mean


def log_spectrum(x: Tensor) -> Tensor:
    """Mean over windows of the logarithm of their power, [SPECTRUM_PX, SPECTRUM_PX / 2 + 1], of images [n, 1, h, w].

    The logarithm lets quiet windows count as much as those with an edge, so that grain, its strength and its length
    are what is compared; white noise of variance v has a power of v.
    """
    hann = torch.hann_window(SPECTRUM_PX, periodic=False).to(x)
    taper = hann[:, None] * hann
    windows = x[:, 0].unfold(1, SPECTRUM_PX, STEP_PX).unfold(2, SPECTRUM_PX, STEP_PX)
    windows = (windows - windows.mean((-2, -1), keepdim=True)) * (taper / taper.square().sum().sqrt())
    power = torch.fft.rfft2(windows.float()).abs().square()
    return (power + QUIET).log().mean((0, 1, 2))
