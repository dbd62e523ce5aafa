"""All that a training is at one moment, and its file: tensors and Python scalars only."""

import io
import sys
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lungsynth.ct.files import write_bytes
from lungsynth.nets.ema import Ema
from lungsynth.study.errors import TrainingError
from lungsynth.train.kind import Kind
from lungsynth.train.losses import LossTable
from lungsynth.train.segments import SegmentPlan


class Training:
    """Networks, optimisers, averages and losses under way.

    Random numbers need no room in it: all of a step's come from streams named by seed and step.
    """

    def __init__(self, kind: Kind, plan: SegmentPlan, device: torch.device):
        self.plan, self.step = plan, 0
        self.modules = {name: module.to(device).train() for name, module in kind.build().items()}
        self.optimisers = kind.optimisers(self.modules)
        self.rates = {
            name: [group["lr"] for group in optimiser.param_groups] for name, optimiser in self.optimisers.items()
        }
        self.averages = {name: Ema(self.modules[name], decay) for name, decay in kind.ema.items()}
        self.losses = LossTable(plan.points_every)

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
    if not isinstance(state, dict) or "modules" not in state:
        raise TrainingError(f"{path}: is no state of a training; remove it and run again")
    return state


def load(kind: Kind, state_path: Path, device: torch.device | str = "cpu", ema: bool = True) -> dict[str, nn.Module]:
    """A kind's networks with the weights of a state, in eval mode, without gradients.

    Args:
        ema: take the running averages where the kind keeps them.

    Raises:
        TrainingError: the state cannot be read or belongs to other networks.
    """
    state = read_state(state_path, device)
    modules = kind.build()
    for name, module in modules.items():
        averaged = ema and name in state["averages"]
        weights = state["averages"][name]["module"] if averaged else state["modules"].get(name)
        try:
            module.load_state_dict(weights)
        except (RuntimeError, TypeError, AttributeError) as error:
            reason = str(error).splitlines()[0]
            raise TrainingError(f"{state_path}: does not fit the network {name!r} ({reason})") from None
        module.to(device).eval().requires_grad_(False)
    return modules
