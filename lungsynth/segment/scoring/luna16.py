"""The official LUNA16 score of a detector in one call: counts, sensitivity, FROC, CPM, with bootstrap intervals.

    marks, nodules = read_marks("candidates.csv"), read_findings("annotations.csv")
    score = evaluate(marks, nodules, read_series("seriesuids.csv"), read_findings("annotations_excluded.csv"))
    print(score.table().to_string(), score.froc)

The readers are those of `lungsynth.sets.findings`; `lungsynth.segment.scoring.froc_plot` draws `score.curve`.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lungsynth.segment.scoring.detection import (
    RATES,
    Bootstrap,
    Curve,
    Matched,
    cpm,
    draw_weights,
    interval,
    match,
    of_one_patient,
    ratio_interval,
    resample,
    summary,
)
from lungsynth.study import seeds
from lungsynth.study.errors import DataError

STEPS = 8
"""Points of the drawn curve from one of the seven rates to the next."""
FINE_RATES = tuple(float(rate) for rate in 2.0 ** (np.arange(6 * STEPS + 1) / STEPS - 3))


@dataclass(frozen=True)
class Evaluation:
    """What the challenge's script reports (FACTS 3.1, rule 9), and more.

    Attributes:
        matched: the counts, and every nodule and false positive as one entry.
        sensitivity: true positives over nodules with all marks: value, low, high.
        cpm: mean sensitivity at the seven rates: value, low, high. Bounds are NaN where all nodules are of one patient.
        seven: mean and bounds of the bootstrap at the seven rates.
        froc: one row a rate: system, false_positives_per_scan, sensitivity, low, high, bootstrap_mean.
        curve: the same without the mean at 49 rates from 1/8 to 8, to be drawn.
        draws: how often scans were drawn; `seven.dropped` of them could not be scored.
    """

    system: str
    matched: Matched
    sensitivity: tuple[float, float, float]
    cpm: tuple[float, float, float]
    seven: Bootstrap
    froc: pd.DataFrame
    curve: pd.DataFrame
    draws: int

    def table(self) -> pd.DataFrame:
        """Everything that is one number, in one row."""
        found = self.matched
        row = {
            "system": self.system,
            "scans": len(found.scans),
            "nodules": found.nodules,
            "true_positives": found.true_positives,
            "false_negatives": found.nodules - found.true_positives,
            "false_positives": found.false_positives,
            "candidates": found.candidates,
            "candidates_per_scan": found.candidates_per_scan,
            "ignored": found.ignored,
            "doubles": found.doubles,
            **dict(zip(("sensitivity", "sensitivity_low", "sensitivity_high"), self.sensitivity, strict=True)),
            **dict(zip(("cpm", "cpm_low", "cpm_high"), self.cpm, strict=True)),
            "draws": self.draws,
            "dropped": self.seven.dropped,
        }
        return pd.DataFrame([row])


def evaluate(
    marks: pd.DataFrame,
    annotations: pd.DataFrame,
    scans: Sequence[str],
    excluded: pd.DataFrame | None = None,
    draws: int = 1000,
    rng: np.random.Generator | np.random.RandomState | None = None,
    groups: Sequence[Hashable] | None = None,
    confidence: float = 0.95,
    system: str = "detector",
) -> Evaluation:
    """Score marks by LUNA16's rules.

    Args:
        marks: scan, x_mm, y_mm, z_mm (world mm), probability; at most 100 of a scan count (rule 2).
        annotations: scan, x_mm, y_mm, z_mm, diameter_mm of the nodules to be found.
        scans: every scan that was read, also those without a nodule or a mark; rows of others are left out.
        excluded: findings whose marks count neither way, with the columns of the annotations.
        draws: bootstrap samples; 0 leaves the intervals NaN.
        rng: where the draws come from; None: a stream of its own, the same each time.
        groups: [scans] the patient of each scan, if patients are drawn and not scans.
        confidence: of the intervals.
        system: the name in the tables.

    Raises:
        DataError: what `match` refuses, and marks that all lie in scans that are not listed.
    """
    matched = match(marks, annotations, list(scans), excluded)
    if len(marks) and not marks["scan"].astype(str).isin(matched.scans).any():
        raise DataError(
            f"marks: none of {len(marks)} lies in a listed scan; the first mark's scan is {marks['scan'].iloc[0]}, "
            f"the first listed one {matched.scans[0]}"
        )
    if groups is not None and len(groups) != len(matched.scans):
        raise DataError(f"groups: {len(groups)} patients for {len(matched.scans)} scans; it needs one for each")
    rng = seeds.rng(0, "luna16", "draws") if rng is None else rng
    weights = draw_weights(matched.scans if groups is None else groups, draws, rng)
    curve = Curve(matched)
    samples = resample(curve, weights, FINE_RATES)
    bounded = not of_one_patient(weights, curve.has_nodules)
    seven = summary(samples[:, ::STEPS], draws, confidence, bounded)
    table = _at(system, curve, RATES, (seven.low, seven.high)).assign(bootstrap_mean=seven.mean)
    fine = _at(system, curve, FINE_RATES, interval(samples if bounded else samples[:0], confidence))
    found, nodules = (_per_scan(matched, which) for which in (matched.positive & ~matched.missed, matched.positive))
    sensitivity = ratio_interval(found, nodules, weights, confidence)
    score = (cpm(curve), seven.cpm_low, seven.cpm_high)
    return Evaluation(system, matched, sensitivity, score, seven, table, fine, draws)


def _at(system: str, curve: Curve, rates: tuple[float, ...], bounds: tuple[np.ndarray, np.ndarray]) -> pd.DataFrame:
    values = {"false_positives_per_scan": rates, "sensitivity": curve.at(rates), "low": bounds[0], "high": bounds[1]}
    return pd.DataFrame({"system": system, **values})


def _per_scan(matched: Matched, which: np.ndarray) -> np.ndarray:
    return np.bincount(matched.scan[which], minlength=len(matched.scans))
