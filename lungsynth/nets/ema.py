"""A running average of a network's weights."""

import copy

import torch
from torch import nn


class Ema:
    """The exponential moving average of a module, kept as a second module.

    Its decay rises to `decay` over the first steps, (1 + t) / (10 + t), so that the random start is soon forgotten.
    Floating buffers (the statistics of batch normalisation) are averaged like weights, others are copied.
    """

    def __init__(self, module: nn.Module, decay: float):
        self.decay, self.updates = decay, 0
        self.module = copy.deepcopy(module).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Take in the module's present weights."""
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        self.updates += 1
        now = module.state_dict()
        for name, average in self.module.state_dict().items():
            if average.is_floating_point():
                average.lerp_(now[name], 1 - decay)
            else:
                average.copy_(now[name])

    def state_dict(self) -> dict:
        """Updates so far and the averaged state."""
        return {"updates": self.updates, "module": self.module.state_dict()}

    def load_state_dict(self, state: dict) -> None:
        """Take over what `state_dict` gave."""
        self.updates = state["updates"]
        self.module.load_state_dict(state["module"])
