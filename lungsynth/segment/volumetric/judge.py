"""Candidates of any detector with the probability that they have in three dimensions."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch import nn

from lungsynth.ct.volume import Volume
from lungsynth.segment.volumetric import cubes
from lungsynth.segment.volumetric.network import CandidateKind, CandidateNet, judged
from lungsynth.study.stages.segment import CubeNetwork, Volumetric
from lungsynth.train import weights as released

LEAST_ODDS = 1e-6
"""Odds are kept from 0 and from infinity by this probability."""


@dataclass(frozen=True)
class Judge:
    """A network for candidates with its weights, in eval mode."""

    module: nn.Module
    network: CubeNetwork

    def probability(self, volume: Volume, candidates: pd.DataFrame) -> np.ndarray:
        """[candidates] the probability of nodule of each.

        Args:
            volume: the scan, HU.
            candidates: x_mm, y_mm, z_mm of each, whatever detector found them.
        """
        if not len(candidates):
            return np.empty(0)
        places = volume.to_index(candidates[["x_mm", "y_mm", "z_mm"]].to_numpy(float))
        shown = cubes.cut(volume.hu, volume.spacing_mm, places, self.network)
        return joined(candidates["probability"].to_numpy(float), judged(self.module, shown, self.network))


def joined(detector: np.ndarray, judge: np.ndarray) -> np.ndarray:
    """Of two opinions one: the geometric mean of their odds, as a probability; both 0..1."""
    both = [np.clip(one, LEAST_ODDS, 1 - LEAST_ODDS) for one in (detector, judge)]
    logits = sum(np.log(one / (1 - one)) for one in both) / 2
    return 1 / (1 + np.exp(-logits))


def load(network: CubeNetwork, weights: Path, device: Any = "cpu") -> Judge:
    """A released network (.safetensors); network: the study's `segment.volumetric.network`."""
    module = CandidateNet(network)
    released.fill({"judge": module}, weights)
    return Judge(module.to(device).eval().requires_grad_(False), network)


def load_state(settings: Volumetric, state: Path, device: Any = "cpu") -> Judge:
    """The network of a training's state: averaged weights, where it keeps them."""
    from lungsynth.train.loop import load as load_modules

    return Judge(load_modules(CandidateKind(settings), state, device)["judge"], settings.network)
