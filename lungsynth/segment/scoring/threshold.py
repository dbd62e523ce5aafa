"""The operating point, chosen on tune scans: the most nodules found at a bearable number of false positives."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from lungsynth.segment.scoring.detection import Curve, cpm, match
from lungsynth.sets.tables import read_json
from lungsynth.study.errors import DataError

THRESHOLDS = (0.2, 0.3)
"""Segmentation thresholds that are tried: low ones, since what they join is taken apart again."""
UNCHOSEN = 0.5
"""The threshold where neither study, tune scans nor a shipped network says any."""
SHOW_NOTHING = 2.0
"""A candidate score that none reaches."""


@dataclass(frozen=True)
class OperatingPoint:
    """Where a system works, and what that gave on the scans it was chosen on.

    Attributes:
        threshold: of the voxels (for the baseline: opening radius in mm).
        probability: a candidate from which score up is shown; never reached by any where it is above 1.
        sensitivity, false_positives: on the tune scans, the second per scan; nodules, scans: how many these were.
    """

    threshold: float
    probability: float
    sensitivity: float
    false_positives: float
    nodules: int
    scans: int

    def to_dict(self) -> dict[str, float]:
        """Plain values, for threshold.json."""
        return asdict(self)


def tried(given: float | None, probability: bool) -> tuple[float, ...]:
    """Thresholds to choose from: the study's own, or those that suit a probability; one that cuts nothing without."""
    if not probability:
        return (0.0,)
    return THRESHOLDS if given is None else (given,)


def given(threshold: float) -> OperatingPoint:
    """A threshold that no scan helped to choose; every candidate is shown, and the counts say so."""
    return OperatingPoint(threshold, 0.0, 0.0, 0.0, 0, 0)


def shipped(recipes: Sequence[Path]) -> OperatingPoint | None:
    """The operating point in a shipped network's recipe; None where there is no recipe."""
    return OperatingPoint(**read_json(recipes[0])["operating_point"]) if recipes else None


@dataclass(frozen=True)
class Possible:
    """Which thresholds a detector may work at. Said here once: what is judged before one is chosen must hold it.

    Attributes:
        tried: those that tune scans are asked about; none where there is no whole one.
        otherwise: the point where these have nothing to say; None where they must.
    """

    tried: tuple[float, ...]
    otherwise: OperatingPoint | None

    @property
    def levels(self) -> list[float]:
        """Every threshold that may be the chosen one, rising."""
        return sorted({*self.tried, *([self.otherwise.threshold] if self.otherwise else [])})

    def weighed(self, nodules: bool) -> bool:
        """Whether tune scans choose; nodules: whether they hold any."""
        return self.otherwise is None or bool(self.tried and nodules)


def possible(setting: float | None, probability: bool, cohort: pd.DataFrame, own: OperatingPoint | None) -> Possible:
    """The thresholds that a study's detector may work at.

    Args:
        setting: the study's, if it states one; probability: whether the detector gives one that it could cut.
        cohort: the usable scans; own: the operating point that ships with the detector, if it does.
    """
    whole = ((cohort["role"] == "tune") & (cohort["kind"] == "volume")).any()
    levels = tried(setting, probability)
    if own is not None and (setting is None or not probability):
        otherwise = own
    elif own is not None or not whole:
        otherwise = given(setting or UNCHOSEN if probability else levels[0])
    else:
        otherwise = None
    return Possible(levels if whole else (), otherwise)


def best_cut(curve: Curve, max_false_positives: float) -> tuple[float, float, float]:
    """Candidate score, sensitivity and false positives a scan: the lowest score that keeps within the bound.

    A lower score never finds fewer nodules. It is taken even where the tune scans gain nothing by it: they are few,
    and a score just under their weakest nodule would be fitted to that nodule.
    """
    false, found = curve.points()
    last = int(np.flatnonzero(false <= max_false_positives)[-1])
    score = float(curve.probability[last])
    return (score if np.isfinite(score) else SHOW_NOTHING), float(found[last]), float(false[last])


def choose(
    candidates_at: Callable[[float], pd.DataFrame],
    annotations: pd.DataFrame,
    scans: list[str],
    max_false_positives: float,
    thresholds: tuple[float, ...] = THRESHOLDS,
    excluded: pd.DataFrame | None = None,
) -> OperatingPoint:
    """Try every threshold: the highest sensitivity, of equal ones the highest CPM, then the nearest to the middle.

    Args:
        candidates_at: threshold -> candidates of all tune scans (scan, x_mm, y_mm, z_mm, probability).
        annotations: nodules of the tune scans; scans: their names; excluded: findings that are ignored.

    Raises:
        DataError: the tune scans hold no nodule.
    """
    points, middle = [], float(np.median(thresholds))
    for threshold in thresholds:
        matched = match(candidates_at(threshold), annotations, scans, excluded)
        if not matched.nodules:
            raise DataError(
                f"no nodule in the {len(scans)} tune scans: a threshold cannot be chosen; give more patients to tune"
            )
        curve = Curve(matched)
        score, sensitivity, false = best_cut(curve, max_false_positives)
        point = OperatingPoint(threshold, score, sensitivity, false, matched.nodules, len(scans))
        points.append(((-sensitivity, -cpm(curve), abs(threshold - middle), threshold), point))
    return min(points, key=lambda ranked: ranked[0])[1]
