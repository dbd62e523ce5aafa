"""Released weights: one .safetensors file, which executes nothing when it is read. No torch is imported here."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from lungsynth.ct.files import write_bytes
from lungsynth.study.errors import DataError
from lungsynth.study.models import RECIPE
from lungsynth.study.runs import Subset

if TYPE_CHECKING:
    from torch import Tensor, nn


def write(path: Path, modules: dict[str, "nn.Module"], half: bool = False) -> None:
    """Write weights and statistics of modules, each name after its module's ("segmenter.head.bias").

    Equal weights give equal bytes.

    Args:
        half: numbers of 16 bits and not 32; half the size, and read back as the module's own.
    """
    from safetensors.torch import save

    def kept(value: "Tensor") -> "Tensor":
        value = value.detach().cpu().contiguous()
        return value.half() if half and value.is_floating_point() else value

    tensors = {
        f"{name}.{key}": kept(value) for name, module in modules.items() for key, value in module.state_dict().items()
    }
    write_bytes(path, save(dict(sorted(tensors.items()))))


def read(path: Path) -> dict[str, dict[str, "Tensor"]]:
    """Weights by module, as `write` wrote them.

    Raises:
        DataError: missing, damaged, or not those that the recipe beside them states.
    """
    import safetensors
    from safetensors.torch import load

    try:
        content = path.read_bytes()
        _check(content, path)
        tensors = load(content)
    except (OSError, ValueError, safetensors.SafetensorError) as error:
        raise DataError(f"{path}: cannot be read as weights ({str(error).splitlines()[0]})") from None
    modules: dict[str, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        module, _, key = name.partition(".")
        modules.setdefault(module, {})[key] = value
    return modules


def part(path: Path, subset: Subset | None) -> str:
    """What stands before the names of networks in released weights that hold those of several classes, one each.

    Args:
        subset: what a run learns from; its class tells which networks of the file are its own.
    """
    recipe = path.with_name(RECIPE)
    if subset is None or subset.label is None or path.suffix != ".safetensors" or not recipe.is_file():
        return ""
    return json.loads(recipe.read_text(encoding="utf-8")).get("parts", {}).get(subset.label, "")


def fill(modules: dict[str, "nn.Module"], path: Path, others: bool = False) -> None:
    """Give modules the weights of a file.

    Args:
        others: the file may hold more networks than these.

    Raises:
        DataError: see `read`; or they are those of other networks.
    """
    given = read(path)
    wanted = [name for name, module in modules.items() if module.state_dict()]
    if not set(wanted) <= set(given) or not (others or len(given) == len(wanted)):
        raise DataError(
            f"{path}: holds the weights of {', '.join(sorted(given))}; wanted are those of {', '.join(wanted)}"
        )
    for name in wanted:
        reason = mismatch(modules[name], given[name])
        if reason:
            raise DataError(f"{path}: does not fit the network {name!r} ({reason})")


def mismatch(module: "nn.Module", weights: Mapping[str, "Tensor"] | None) -> str:
    """Give a module weights by name; the first reason why they are another network's, "" where they fit."""
    try:
        module.load_state_dict(weights)
    except (RuntimeError, TypeError, AttributeError) as error:
        lines = str(error).splitlines()
        return (lines[1] if len(lines) > 1 else lines[0]).strip()
    return ""


def _check(content: bytes, path: Path) -> None:
    """Refuse weights that are not those of the recipe beside them; without one there is nothing to compare."""
    recipe = path.with_name(RECIPE)
    if not recipe.is_file():
        return
    stated = json.loads(recipe.read_text(encoding="utf-8")).get("sha256")
    if stated and stated != hashlib.sha256(content).hexdigest():
        raise DataError(f"{path}: its SHA-256 is not the one that {RECIPE} states; the file is damaged, get it again")
