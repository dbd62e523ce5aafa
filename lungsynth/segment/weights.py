"""Released weights of a segmenter: one .safetensors file, which executes nothing when it is read."""

import hashlib
from pathlib import Path

import safetensors
from safetensors.torch import load, save
from torch import nn

from lungsynth.ct.files import write_bytes
from lungsynth.study.errors import DataError


def fill(network: nn.Module, path: Path) -> None:
    """Give a network the weights of a file.

    Raises:
        DataError: missing, damaged, or of another network.
    """
    try:
        network.load_state_dict(load(path.read_bytes()))
    except (OSError, RuntimeError, ValueError, safetensors.SafetensorError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{path}: cannot be read as this segmenter's weights ({reason})") from None


def write(path: Path, network: nn.Module) -> None:
    """Write a network's weights and statistics; equal weights give equal bytes."""
    tensors = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    write_bytes(path, save(dict(sorted(tensors.items()))))


def sha256(path: Path) -> str:
    """Digest of a file of weights, as its recipe states it."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
