"""Candidates of any detector with the probability that they have in three dimensions."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit, logit
from torch import nn

from lungsynth.ct.volume import Volume
from lungsynth.segment.volumetric import cubes
from lungsynth.segment.volumetric.network import CandidateKind, Ensemble, judged
from lungsynth.study.stages.segment import CubeNetwork, Cuts, Volumetric
from lungsynth.train import weights as released

LEAST_ODDS = 1e-6
"""Odds are kept from 0 and from infinity by this probability."""


@dataclass(frozen=True)
class Judge:
    """A network for candidates with its weights, in eval mode, and its cuts, see `joined`."""

    module: nn.Module
    network: CubeNetwork
    cuts: Cuts

    def probability(
        self, volume: Volume, candidates: pd.DataFrame, most: int | None = None, most_thick: int | None = None
    ) -> np.ndarray:
        """[candidates] the probability of nodule of each.

        Args:
            volume: the scan, HU.
            candidates: x_mm, y_mm, z_mm and probability of each, whatever detector found them.
            most: so many are judged, the most probable; the rest keep the detector's probability. None: all.
            most_thick: in thick slices so many keep their odds, the best by the product of both; of all others the
                network is taken to say that they are none. A detector of slices shows many times as many false
                candidates there, and orders them poorly. None: any number.
        """
        if not len(candidates):
            return np.empty(0)
        detector = candidates["probability"].to_numpy(float)
        best = np.argsort(-detector, kind="stable")[:most]
        places = volume.to_index(candidates[["x_mm", "y_mm", "z_mm"]].to_numpy(float)[best])
        shown = cubes.cut(volume.hu, volume.spacing_mm, places, self.network)
        opinion, slice_mm = judged(self.module, shown, self.network), volume.spacing_mm[0]
        cut = self.cuts.at(slice_mm)
        both = joined(detector[best], opinion, cut)
        out, kept = detector.copy(), np.arange(len(best))
        if most_thick is not None and self.cuts.are_thick(slice_mm):
            out = joined(detector, np.zeros(len(detector)), cut)
            kept = np.argsort(-(_logit(detector[best]) + _logit(opinion)), kind="stable")[:most_thick]
        out[best[kept]] = both[kept]
        return out


def joined(detector: np.ndarray, judge: np.ndarray, cut: float | np.ndarray) -> np.ndarray:
    """The detector's probability with its odds lowered as far as those of the network fall short of those of `cut`.

    They are never raised: where a detector has an operating point, the network can take candidates away and bring none.
    One that sees slices one by one shows many times as many false candidates in thick slices, with the same confidence:
    there the network may keep a smaller share of the nodules, and has a cut of its own (`Cuts`).
    """
    return expit(_logit(detector) + np.minimum(0, _logit(judge) - _logit(cut)))


def _logit(probability: Any) -> np.ndarray:
    return logit(np.clip(probability, LEAST_ODDS, 1 - LEAST_ODDS))


def load(network: CubeNetwork, weights: Path, cuts: Cuts, device: Any = "cpu") -> Judge:
    """A released network (.safetensors); network, cuts: the study's, of `segment.volumetric`."""
    module = Ensemble(network)
    released.fill({"judge": module}, weights)
    return Judge(module.to(device).eval().requires_grad_(False), network, cuts)


def load_state(settings: Volumetric, state: Path, device: Any = "cpu") -> Judge:
    """The network of a training's state: averaged weights, where it keeps them."""
    from lungsynth.train.loop import load as load_modules

    return Judge(load_modules(CandidateKind(settings), state, device)["judge"], settings.network, settings.cuts)
