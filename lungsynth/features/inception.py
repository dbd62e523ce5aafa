"""InceptionV3 as FID was defined with it, for numbers that stand beside published ones; it needs a file of its weights.

The layout is that of the TensorFlow graph of 2015-12-05 in its usual PyTorch port (1008 outputs, average pools that
leave the padding out, a maximum pool in the last block), under the port's names. Its classes are those of ImageNet:
an inception score from it says little about CT.
"""

import hashlib
import io
import pickle
from pathlib import Path

import safetensors
import torch
from safetensors.torch import load as load_safetensors
from torch import nn
from torch.nn import functional

from lungsynth.ct.resample import RESIZE
from lungsynth.features.extractor import Card
from lungsynth.study.errors import DataError

WINDOW_HU = (-1350.0, 150.0)
SIZE_PX = 299
OUTPUTS = 1008


class Convolution(nn.Module):
    """Convolution, batch norm, ReLU."""

    def __init__(self, channels: int, width: int, kernel: int | tuple[int, int], stride: int = 1, padding=0):
        super().__init__()
        self.conv = nn.Conv2d(channels, width, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(width, eps=0.001)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[n, channels, h, w] -> [n, width, h', w']."""
        return functional.relu(self.bn(self.conv(x)))


def average(x: torch.Tensor) -> torch.Tensor:
    """Mean of 3 x 3 pixels, those outside the image left out."""
    return functional.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


def _widest(x: torch.Tensor) -> torch.Tensor:
    """Largest of 3 x 3 pixels."""
    return functional.max_pool2d(x, 3, stride=1, padding=1)


class Block(nn.Module):
    """Parallel branches, joined along the channels.

    Args:
        branches: for each branch the names of its convolutions in order, or "pool" at the start for `pool`, "shrink"
            for a maximum pool of stride 2; a pair of names at the end forks the branch.
        convolutions: by name, in the port's order.
        pool: what "pool" does.
    """

    def __init__(self, branches: tuple, convolutions: dict[str, Convolution], pool=average):
        super().__init__()
        self.branches, self.pool = branches, pool
        for name, convolution in convolutions.items():
            self.add_module(name, convolution)

    def _follow(self, x: torch.Tensor, branch: tuple) -> list[torch.Tensor]:
        for part in branch:
            if isinstance(part, tuple):
                return [getattr(self, name)(x) for name in part]
            if part == "shrink":
                x = functional.max_pool2d(x, 3, stride=2)
            else:
                x = self.pool(x) if part == "pool" else getattr(self, part)(x)
        return [x]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[n, c, h, w] -> [n, c', h', w']."""
        return torch.cat([end for branch in self.branches for end in self._follow(x, branch)], dim=1)


def block_a(channels: int, pooled: int) -> Block:
    """35 x 35 pixels: 1x1, 5x5, double 3x3 and pooled branches."""
    convolutions = {
        "branch1x1": Convolution(channels, 64, 1),
        "branch5x5_1": Convolution(channels, 48, 1),
        "branch5x5_2": Convolution(48, 64, 5, padding=2),
        "branch3x3dbl_1": Convolution(channels, 64, 1),
        "branch3x3dbl_2": Convolution(64, 96, 3, padding=1),
        "branch3x3dbl_3": Convolution(96, 96, 3, padding=1),
        "branch_pool": Convolution(channels, pooled, 1),
    }
    triple = ("branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3")
    return Block((("branch1x1",), ("branch5x5_1", "branch5x5_2"), triple, ("pool", "branch_pool")), convolutions)


def block_b(channels: int) -> Block:
    """35 to 17 pixels."""
    convolutions = {
        "branch3x3": Convolution(channels, 384, 3, stride=2),
        "branch3x3dbl_1": Convolution(channels, 64, 1),
        "branch3x3dbl_2": Convolution(64, 96, 3, padding=1),
        "branch3x3dbl_3": Convolution(96, 96, 3, stride=2),
    }
    return Block((("branch3x3",), ("branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3"), ("shrink",)), convolutions)


def block_c(channels: int, narrow: int) -> Block:
    """17 x 17 pixels: 7x7 convolutions as rows and columns."""
    row, column = {"kernel": (1, 7), "padding": (0, 3)}, {"kernel": (7, 1), "padding": (3, 0)}
    convolutions = {
        "branch1x1": Convolution(channels, 192, 1),
        "branch7x7_1": Convolution(channels, narrow, 1),
        "branch7x7_2": Convolution(narrow, narrow, **row),
        "branch7x7_3": Convolution(narrow, 192, **column),
        "branch7x7dbl_1": Convolution(channels, narrow, 1),
        "branch7x7dbl_2": Convolution(narrow, narrow, **column),
        "branch7x7dbl_3": Convolution(narrow, narrow, **row),
        "branch7x7dbl_4": Convolution(narrow, narrow, **column),
        "branch7x7dbl_5": Convolution(narrow, 192, **row),
        "branch_pool": Convolution(channels, 192, 1),
    }
    seven = tuple(f"branch7x7_{k}" for k in (1, 2, 3))
    twice = tuple(f"branch7x7dbl_{k}" for k in (1, 2, 3, 4, 5))
    return Block((("branch1x1",), seven, twice, ("pool", "branch_pool")), convolutions)


def block_d(channels: int) -> Block:
    """17 to 8 pixels."""
    convolutions = {
        "branch3x3_1": Convolution(channels, 192, 1),
        "branch3x3_2": Convolution(192, 320, 3, stride=2),
        "branch7x7x3_1": Convolution(channels, 192, 1),
        "branch7x7x3_2": Convolution(192, 192, (1, 7), padding=(0, 3)),
        "branch7x7x3_3": Convolution(192, 192, (7, 1), padding=(3, 0)),
        "branch7x7x3_4": Convolution(192, 192, 3, stride=2),
    }
    seven = tuple(f"branch7x7x3_{k}" for k in (1, 2, 3, 4))
    return Block((("branch3x3_1", "branch3x3_2"), seven, ("shrink",)), convolutions)


def block_e(channels: int, pool) -> Block:
    """8 x 8 pixels: forked branches; the two blocks of this form differ in their pool."""
    row, column = {"kernel": (1, 3), "padding": (0, 1)}, {"kernel": (3, 1), "padding": (1, 0)}
    convolutions = {
        "branch1x1": Convolution(channels, 320, 1),
        "branch3x3_1": Convolution(channels, 384, 1),
        "branch3x3_2a": Convolution(384, 384, **row),
        "branch3x3_2b": Convolution(384, 384, **column),
        "branch3x3dbl_1": Convolution(channels, 448, 1),
        "branch3x3dbl_2": Convolution(448, 384, 3, padding=1),
        "branch3x3dbl_3a": Convolution(384, 384, **row),
        "branch3x3dbl_3b": Convolution(384, 384, **column),
        "branch_pool": Convolution(channels, 192, 1),
    }
    fork = ("branch3x3_1", ("branch3x3_2a", "branch3x3_2b"))
    twice = ("branch3x3dbl_1", "branch3x3dbl_2", ("branch3x3dbl_3a", "branch3x3dbl_3b"))
    return Block((("branch1x1",), fork, twice, ("pool", "branch_pool")), convolutions, pool)


class Inception(nn.Module):
    """InceptionV3 with the interface of an extractor: HU in, features [n, 2048] and logits [n, 1008] out.

    Args:
        levels: the grey scale of pictures; None: images are CT.
        channels: of a picture, 1 or 3.
    """

    def __init__(self, levels: tuple[float, float] | None = None, channels: int = 1):
        super().__init__()
        self.card = Card(
            name="inception",
            kind="inception",
            settings={},
            classes=tuple(f"ImageNet output {k}" for k in range(OUTPUTS)),
            dimensions=2048,
            window_hu=WINDOW_HU if levels is None else levels,
            with_mask=False,
            channels=0 if levels is None else channels,
            size_px=SIZE_PX,
            mm_per_px=float("nan"),
            resize=f"{RESIZE}; then bilinear to {SIZE_PX} px without a prefilter",
        )
        self.Conv2d_1a_3x3 = Convolution(3, 32, 3, stride=2)
        self.Conv2d_2a_3x3 = Convolution(32, 32, 3)
        self.Conv2d_2b_3x3 = Convolution(32, 64, 3, padding=1)
        self.Conv2d_3b_1x1 = Convolution(64, 80, 1)
        self.Conv2d_4a_3x3 = Convolution(80, 192, 3)
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = block_a(192, 32), block_a(256, 64), block_a(288, 64)
        self.Mixed_6a = block_b(288)
        self.Mixed_6b, self.Mixed_6c = block_c(768, 128), block_c(768, 160)
        self.Mixed_6d, self.Mixed_6e = block_c(768, 160), block_c(768, 192)
        self.Mixed_7a = block_d(768)
        self.Mixed_7b, self.Mixed_7c = block_e(1280, average), block_e(2048, _widest)
        self.fc = nn.Linear(2048, OUTPUTS)

    def forward(self, hu: torch.Tensor, mask: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor, None]:
        """HU or grey levels float32 [n, h, w], or [n, h, w, 3], to features and logits.

        Logits are without the bias, as those of the score's authors are.
        """
        low, high = self.card.window_hu
        x = ((hu - low) * (2 / (high - low)) - 1).clamp(-1, 1)
        x = x.movedim(3, 1) if x.ndim == 4 else x[:, None].expand(-1, 3, -1, -1)
        x = functional.interpolate(x, (SIZE_PX, SIZE_PX), mode="bilinear", align_corners=False)
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(functional.max_pool2d(x, 3, stride=2)))
        x = functional.max_pool2d(x, 3, stride=2)
        for name, child in self.named_children():
            if name.startswith("Mixed"):
                x = child(x)
        features = x.mean((2, 3))
        return features, functional.linear(features, self.fc.weight), None


def read(
    path: str | Path,
    sha256: str,
    device: torch.device | str = "cpu",
    levels: tuple[float, float] | None = None,
    channels: int = 1,
) -> tuple[Inception, str]:
    """The network with the weights of a file, .safetensors or a PyTorch state dict, in eval mode, and the file's
    sha256.

    Nothing in the file is executed.

    Args:
        levels, channels: of pictures, see `Inception`.

    Raises:
        DataError: no such file, another sha256 than the stated one, or weights of another network.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error})") from None
    digest = hashlib.sha256(data).hexdigest()
    if digest != sha256.lower():
        raise DataError(f"{path}: sha256 is {digest}, score.inception.sha256 says {sha256}")
    weights, network = _weights(data, path), Inception(levels, channels)
    wanted = [name for name in network.state_dict() if not name.endswith("num_batches_tracked")]
    missing = [name for name in wanted if name not in weights]
    if missing:
        raise DataError(f"{path}: no InceptionV3 of FID, {missing[0]} is missing")
    try:
        network.load_state_dict({name: weights[name] for name in wanted}, strict=False)
    except RuntimeError as error:
        raise DataError(f"{path}: no InceptionV3 of FID ({str(error).splitlines()[-1].strip()})") from None
    return network.to(device).eval(), digest


def _weights(data: bytes, path: str | Path) -> dict[str, torch.Tensor]:
    """Tensors by name, from either format."""
    try:
        if Path(path).suffix == ".safetensors":
            return load_safetensors(data)
        return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except (safetensors.SafetensorError, pickle.UnpicklingError, RuntimeError, ValueError, EOFError) as error:
        raise DataError(f"{path}: cannot be opened as weights ({type(error).__name__})") from None
