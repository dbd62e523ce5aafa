"""How detectors learn: AdamW, at a rate that rises and then falls along half a cosine."""

import math

import torch
from torch import nn

from lungsynth.segment.settings import LearningSettings


class Descent:
    """Base of kinds whose modules are each moved by an AdamW of its own, under the module's name."""

    settings: LearningSettings

    def optimisers(self, modules: dict[str, nn.Module]) -> dict[str, torch.optim.Optimizer]:
        """AdamW on everything."""
        rates = {"lr": self.settings.learning_rate, "weight_decay": self.settings.weight_decay}
        return {name: torch.optim.AdamW(module.parameters(), **rates) for name, module in modules.items()}

    def rate(self, step: int, steps: int) -> float:
        """A linear rise over `warmup` steps, then half a cosine down to 0 at the end."""
        rise = min(1.0, (step + 1) / (self.settings.warmup + 1))
        return rise * 0.5 * (1 + math.cos(math.pi * step / steps))
