"""The operating point, chosen on tune scans: the most nodules found at a bearable number of false positives."""

from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from lungsynth.segment.detection import Curve, match
from lungsynth.study.errors import DataError

THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7)
"""Segmentation thresholds that are tried."""


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


def best_cut(curve: Curve, max_false_positives: float) -> tuple[float, float, float]:
    """Candidate score, sensitivity and false positives a scan: the highest sensitivity within the bound.

    Of equal sensitivities the one with the fewest false positives, then the lowest score: tune scans are few, and a
    score just under the weakest nodule found would be fitted to that nodule.
    """
    false, found = curve.points()
    allowed = np.flatnonzero(false <= max_false_positives)
    best = allowed[found[allowed] == found[allowed].max()]
    # Points of equal sensitivity follow each other with growing false positives: the first has the fewest.
    first = best[0]
    score = float(curve.probability[first])
    return (score if np.isfinite(score) else 2.0), float(found[first]), float(false[first])


def choose(
    candidates_at: Callable[[float], pd.DataFrame],
    annotations: pd.DataFrame,
    scans: list[str],
    max_false_positives: float,
    thresholds: tuple[float, ...] = THRESHOLDS,
    excluded: pd.DataFrame | None = None,
) -> OperatingPoint:
    """Try every threshold; of equal sensitivities the fewest false positives, then the one nearest to the middle.

    Args:
        candidates_at: threshold -> candidates of all tune scans (scan, x_mm, y_mm, z_mm, probability).
        annotations: nodules of the tune scans; scans: their names; excluded: findings that are ignored.

    Raises:
        DataError: the tune scans hold no nodule.
    """
    points = []
    for threshold in thresholds:
        matched = match(candidates_at(threshold), annotations, scans, excluded)
        if not matched.nodules:
            raise DataError(
                f"no nodule in the {len(scans)} tune scans: a threshold cannot be chosen, set segment.threshold"
            )
        score, sensitivity, false = best_cut(Curve(matched), max_false_positives)
        points.append(OperatingPoint(threshold, score, sensitivity, false, matched.nodules, len(scans)))
    middle = float(np.median(thresholds))
    return min(points, key=lambda p: (-p.sensitivity, p.false_positives, abs(p.threshold - middle), p.threshold))
