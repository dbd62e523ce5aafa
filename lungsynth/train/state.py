"""All that a run is at one moment, and its file: tensors and Python scalars only."""

import io
import sys
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lungsynth.ct.files import write_bytes
from lungsynth.nets.ema import Ema
from lungsynth.study.errors import TrainingError
from lungsynth.train import weights
from lungsynth.train.checkpoints import RunPlan
from lungsynth.train.data import Shape, Source
from lungsynth.train.losses import LossTable
from lungsynth.train.trainable import Trainable


class TrainingState:
    """Networks, optimisers, averages and losses under way.

    Random numbers need no room in it: all of a step's come from streams named by seed and step.
    """

    def __init__(self, kind: Trainable, data: Source, plan: RunPlan, device: torch.device):
        self.plan, self.step = plan, 0
        self.shape, self.classes = data.shape, data.classes
        built = kind.build(data.shape, data.classes, data.real)
        self.modules = {name: module.to(device).train() for name, module in built.items()}
        self.optimisers = kind.optimisers(self.modules)
        self.rates = {
            name: [group["lr"] for group in optimiser.param_groups] for name, optimiser in self.optimisers.items()
        }
        decay = plan.training.ema
        self.averages = {name: Ema(self.modules[name], decay) for name in kind.averaged if decay}
        self.losses = LossTable(plan.training.points_every)

    def scale_rates(self, factor: float) -> None:
        """Set all learning rates to `factor` times what the kind chose."""
        for name, optimiser in self.optimisers.items():
            for group, rate in zip(optimiser.param_groups, self.rates[name], strict=True):
                group["lr"] = rate * factor

    def state_dict(self) -> dict[str, Any]:
        """Everything, by name."""
        return {
            "name": self.plan.name,
            "seed": self.plan.seed,
            "step": self.step,
            "shape": [self.shape.channels, self.shape.size_px],
            "classes": self.classes,
            "modules": {name: module.state_dict() for name, module in self.modules.items()},
            "optimisers": {name: optimiser.state_dict() for name, optimiser in self.optimisers.items()},
            "averages": {name: average.state_dict() for name, average in self.averages.items()},
            "losses": self.losses.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` gave; a state of another training is a ValueError."""
        found, wanted = (state["name"], state["seed"]), (self.plan.name, self.plan.seed)
        if found != wanted:
            raise ValueError(f"it belongs to the training {found[0]!r} of seed {found[1]}, not to {wanted}")
        self.step = state["step"]
        for group in ("modules", "optimisers", "averages"):
            for name, part in getattr(self, group).items():
                part.load_state_dict(state[group][name])
        self.losses.load_state_dict(state["losses"])


def write_state(path: Path, state: dict[str, Any]) -> None:
    """Write a state; its bytes do not depend on the path, which torch.save would write into the archive."""
    buffer = io.BytesIO()
    torch.save(_plain(state), buffer)
    write_bytes(path, buffer.getvalue())


def _plain(value: Any) -> Any:
    """Rebuilt from fresh containers and interned text.

    An archive tells a repeated object from an equal one, so that without this a resumed training's file would differ.
    """
    if isinstance(value, torch.Tensor):
        return value.detach()
    if isinstance(value, dict):
        return {_plain(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_plain(part) for part in value)
    return sys.intern(value) if isinstance(value, str) else value


def read_state(path: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """Read a state; nothing in the file is executed.

    Raises:
        TrainingError: missing, damaged, or no state.
    """
    try:
        state = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged archive
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise TrainingError(f"{path}: cannot be read as a state ({reason}); remove it and run again") from None
    if not isinstance(state, dict) or not {"modules", "shape", "classes"} <= set(state):
        raise TrainingError(f"{path}: is no state of a training; remove it and run again")
    return state


def start_from(training: TrainingState, path: Path, part: str = "") -> None:
    """Take over the weights of another run's state, or released ones; averages start from them too.

    The averages of that run are taken where it kept them. What it has no module for starts fresh.

    Args:
        part: what stands before the names of the networks there that are this run's.

    Raises:
        TrainingError: the file cannot be read, or holds other networks.
    """
    given = weights.read(path) if path.suffix == ".safetensors" else weights_by_module(read_state(path))
    # What has no weights (a pool of past images) belongs to the run that filled it.
    trained = [name for name, module in training.modules.items() if any(True for _ in module.parameters())]
    given = {name.removeprefix(part): one for name, one in given.items() if name.startswith(part)}
    shared = [name for name in trained if name in given]
    if not shared:
        raise TrainingError(f"{path}: holds {', '.join(given)}, and this run trains {', '.join(trained)}")
    for name in shared:
        _fill(training.modules[name], given[name], path, name)
        if name in training.averages:
            _fill(training.averages[name].module, given[name], path, name)


def weights_by_module(state: dict[str, Any], ema: bool = True) -> dict[str, dict[str, torch.Tensor]]:
    """Weights by module: the running averages where a state has them and `ema` asks for them."""
    averages = state.get("averages", {}) if ema else {}
    return {name: averages[name]["module"] if name in averages else own for name, own in state["modules"].items()}


def _fill(module: nn.Module, given: dict[str, torch.Tensor] | None, path: Path, name: str) -> None:
    reason = weights.mismatch(module, given)
    if reason:
        raise TrainingError(f"{path}: does not fit the network {name!r} ({reason})")


def load(kind: Trainable, path: Path, device: torch.device | str = "cpu", ema: bool = True) -> dict[str, nn.Module]:
    """A kind's networks with the weights of a state, in eval mode, without gradients.

    Args:
        ema: take the running averages where the run kept them.

    Raises:
        TrainingError: the state cannot be read or belongs to other networks.
    """
    state = read_state(path, device)
    modules, given = kind.build(Shape(*state["shape"]), state["classes"]), weights_by_module(state, ema)
    for name, module in modules.items():
        _fill(module, given.get(name), path, name)
        module.to(device).eval().requires_grad_(False)
    return modules
