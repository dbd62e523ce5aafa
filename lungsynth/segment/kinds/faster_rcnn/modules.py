"""The two networks: one that proposes and judges boxes of a slice, one that judges a candidate in three dimensions."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from lungsynth.nets.vgg import VggTrunk
from lungsynth.segment.kinds.faster_rcnn.settings import Architecture
from lungsynth.segment.voxels import PRIOR_LOGIT, in_window


class Proposer(nn.Module):
    """VGG, deconvolution, an answer for each anchor; and a judgement of the boxes that come of them.

    HU [n, slices, h, w] (h and w multiples of `architecture.multiple`) -> grid [n, c, h / stride, w / stride], logits
    [n, anchors] and changes [n, anchors, 4] of the anchors, see `boxes.anchors` and `boxes.encoded`.
    """

    def __init__(self, architecture: Architecture, slices: int, sides: int):
        super().__init__()
        own = architecture
        self.window_hu, self.stride, self.align = own.window_hu, own.stride, own.align
        self.trunk = VggTrunk(slices, own.blocks)
        width = self.trunk.channels
        self.enlarge = nn.ConvTranspose2d(width, width, own.enlarge, stride=own.enlarge)
        self.near = nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.ReLU())
        self.object, self.change = nn.Conv2d(width, sides, 1), nn.Conv2d(width, 4 * sides, 1)
        self.head = nn.Sequential(
            nn.Linear(width * own.align**2, own.hidden), nn.ReLU(), nn.Linear(own.hidden, own.hidden), nn.ReLU()
        )
        self.judge, self.refine = nn.Linear(own.hidden, 1), nn.Linear(own.hidden, 4)
        nn.init.constant_(self.object.bias, PRIOR_LOGIT)
        self.to(memory_format=torch.channels_last)

    def forward(self, hu: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        grid = self.enlarge(self.trunk(in_window(hu, self.window_hu))).relu()
        seen = self.near(grid)
        # Channels go last, so that the numbers of a cell's anchors stand together.
        logits, changes = (conv(seen).permute(0, 2, 3, 1) for conv in (self.object, self.change))
        return grid, logits.flatten(1), changes.reshape(len(hu), -1, 4)

    def judged(self, grid: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
        """Logits [k] and changes [k, 4] of boxes [k, 4] of one image, whose grid is [c, rows, columns]."""
        hidden = self.head(self._aligned(grid, boxes).flatten(1))
        return self.judge(hidden)[:, 0], self.refine(hidden)

    def _aligned(self, grid: Tensor, boxes: Tensor) -> Tensor:
        """ROI align (He 2017) with one sample a cell: [k, c, align, align]."""
        steps = (torch.arange(self.align, device=grid.device) + 0.5) / self.align
        at = boxes[:, None, :2] + steps[:, None] * (boxes[:, None, 2:] - boxes[:, None, :2])
        sides = torch.tensor(grid.shape[1:], device=grid.device) * self.stride
        rows, columns = (2 * at / sides - 1).unbind(-1)
        k, s = rows.shape
        places = torch.stack([columns[:, None, :].expand(k, s, s), rows[:, :, None].expand(k, s, s)], dim=-1)
        cut = functional.grid_sample(grid[None], places.reshape(1, k * s, s, 2), align_corners=False)
        return cut[0].reshape(-1, k, s, s).transpose(0, 1)


class CubeNetwork(nn.Module):
    """HU [n, planes, side, side] -> logits [n]: pairs of 3-D convolutions with a max pool after each, three layers."""

    def __init__(self, architecture: Architecture):
        super().__init__()
        cube, layers = architecture.cube, []
        self.window_hu = architecture.window_hu
        shape = (cube.planes, cube.side_px, cube.side_px)
        for source, width in pairwise((1, *cube.widths)):
            for channels in (source, width):
                layers += [nn.Conv3d(channels, width, 3, padding=1), nn.BatchNorm3d(width), nn.ReLU(inplace=True)]
            layers.append(nn.MaxPool3d(2, ceil_mode=True))
            shape = tuple(-(-side // 2) for side in shape)
        self.trunk = nn.Sequential(*layers)
        cells = cube.widths[-1] * shape[0] * shape[1] * shape[2]
        self.head = nn.Sequential(
            nn.Linear(cells, cube.hidden), nn.ReLU(), nn.Linear(cube.hidden, cube.hidden), nn.ReLU()
        )
        self.answer = nn.Linear(cube.hidden, 1)

    def forward(self, hu: Tensor) -> Tensor:
        low, high = self.window_hu
        x = ((hu - low) * (2 / (high - low)) - 1).clamp(-1, 1)[:, None]
        return self.answer(self.head(self.trunk(x).flatten(1)))[:, 0]
