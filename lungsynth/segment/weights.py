"""Released weights of a segmenter: one .safetensors file, which executes nothing when it is read."""

import hashlib
import json
from pathlib import Path

import safetensors
from safetensors.torch import load, save
from torch import nn

from lungsynth.ct.files import write_bytes
from lungsynth.study.errors import DataError

RECIPE = "recipe.json"
"""Lies beside released weights and states their digest."""


def fill(network: nn.Module, path: Path) -> None:
    """Give a network the weights of a file.

    Raises:
        DataError: missing, damaged, of another network, or not those that the recipe beside them states.
    """
    try:
        content = path.read_bytes()
        _check(content, path)
        network.load_state_dict(load(content))
    except (OSError, RuntimeError, ValueError, safetensors.SafetensorError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{path}: cannot be read as this segmenter's weights ({reason})") from None


def _check(content: bytes, path: Path) -> None:
    """Refuse weights that are not those of the recipe beside them; without one there is nothing to compare."""
    recipe = path.with_name(RECIPE)
    if not recipe.is_file():
        return
    stated = json.loads(recipe.read_text(encoding="utf-8")).get("sha256")
    if stated and stated != hashlib.sha256(content).hexdigest():
        raise DataError(f"{path}: its SHA-256 is not the one that {RECIPE} states; the file is damaged, get it again")


def write(path: Path, network: nn.Module) -> None:
    """Write a network's weights and statistics; equal weights give equal bytes."""
    tensors = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    write_bytes(path, save(dict(sorted(tensors.items()))))


def sha256(path: Path) -> str:
    """Digest of a file of weights, as its recipe states it."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
