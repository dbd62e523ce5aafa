"""The trunk of a VGG (Simonyan 2015) with batch norm."""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional


class VggTrunk(nn.Module):
    """Blocks of convolutions 3 x 3, batch norm, ReLU, with a max pool between blocks.

    [n, channels_in, h, w] -> [n, channels, h / 2^(b - 1), w / 2^(b - 1)] for b blocks; `channels` is an attribute.

    Args:
        blocks: channels and number of convolutions of each.
    """

    def __init__(self, channels_in: int, blocks: tuple[tuple[int, int], ...]):
        super().__init__()
        widths = [channels_in, *(channels for channels, _ in blocks)]
        self.blocks = nn.ModuleList(
            _block(*pair, count) for pair, (_, count) in zip(pairwise(widths), blocks, strict=True)
        )
        self.channels = widths[-1]

    def forward(self, x: Tensor) -> Tensor:
        for number, block in enumerate(self.blocks):
            x = block(functional.max_pool2d(x, 2) if number else x)
        return x


def _block(channels_in: int, channels: int, count: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for source in (channels_in, *[channels] * (count - 1)):
        layers += [nn.Conv2d(source, channels, 3, padding=1), nn.BatchNorm2d(channels), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)
