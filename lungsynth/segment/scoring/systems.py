"""Systems that find nodules, side by side: what each answered on the test scans, its measures, and who is ahead.

All systems are drawn again with the same patients, so that a difference is one of systems and not of patients.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lungsynth.segment.scoring import detection
from lungsynth.segment.scoring.detection import Curve, match
from lungsynth.segment.scoring.detection_table import Draws, nodule_dice
from lungsynth.sets.tables import concatenate

NODULES = ["scan", "mark", "diameter_mm", "texture", "dice", "iou"]
"""Columns of a table of outlined nodules, one row each; one that was missed has 0."""
MEASURES = {
    "sensitivity": True,
    "false_positives_per_scan": False,
    "candidates_per_scan": False,
    "cpm": True,
    "accuracy": True,
    "dice": True,
    "iou": True,
}
"""The measures, and whether one makes a system the better one; fewer candidates alone do not: showing none is easy."""
GROUPS: dict[str, Callable[[pd.DataFrame], pd.Series]] = {
    "all": lambda rows: rows["diameter_mm"] > 0,
    "below 6 mm": lambda rows: rows["diameter_mm"] < 6,
    "6 to 10 mm": lambda rows: (rows["diameter_mm"] >= 6) & (rows["diameter_mm"] < 10),
    "10 mm and more": lambda rows: rows["diameter_mm"] >= 10,
    "ground_glass": lambda rows: rows["texture"] == "ground_glass",
    "part_solid": lambda rows: rows["texture"] == "part_solid",
    "solid": lambda rows: rows["texture"] == "solid",
}
"""Nodules by size and texture."""


@dataclass(frozen=True)
class Answers:
    """What one system answered on the test scans.

    Attributes:
        candidates: all of them, with `probability`, see `detection.match`.
        least: the probability from which one is shown; by scan, where scans have operating points of their own.
        nodules: NODULES; None where it outlines nothing.
        patches: scan, nodule (bool) and probability of the balanced list (`patch_list`); None: not asked.
    """

    candidates: pd.DataFrame
    least: float | Mapping[str, float]
    nodules: pd.DataFrame | None
    patches: pd.DataFrame | None

    def least_in(self, scans: Sequence[str]) -> np.ndarray:
        """`least` of each scan, float [scans]."""
        if isinstance(self.least, Mapping):
            return np.array([self.least[scan] for scan in scans], float)
        return np.full(len(scans), self.least, float)


@dataclass(frozen=True)
class Measured:
    """A measure: its value, and float [draws] with NaN where a draw cannot be scored, or none can be told apart."""

    value: float
    samples: np.ndarray

    def interval(self, confidence: float) -> tuple[float, float]:
        """Bounds by the bootstrap; NaN where no draw counts."""
        low, high = detection.interval(self.samples[np.isfinite(self.samples)], confidence)
        return float(low), float(high)


def overlaps(marks: pd.DataFrame, nodules: np.ndarray, labels: np.ndarray) -> pd.DataFrame:
    """Dice and IoU of the nodules of one scan that have a mask, columns NODULES; arguments as `nodule_dice` has.

    marks: rows of marks.csv of the scan; `label` is the nodule's number in `nodules`.
    """
    dice = nodule_dice(nodules, labels)
    rows = marks[marks["label"].isin(list(dice))]
    values = rows["label"].map(dice)
    return rows.assign(dice=values, iou=values / (2 - values))[NODULES]


def best_near(patches: pd.DataFrame, candidates: pd.DataFrame) -> np.ndarray:
    """[patches] the largest probability of a candidate within each patch's radius; 0 where there is none.

    What a system without a probability of every voxel says of a place.
    """
    best = np.zeros(len(patches))
    for scan, rows in patches.groupby("scan"):
        here = candidates[candidates["scan"] == scan]
        if len(here):
            places, marks = rows[detection.XYZ].to_numpy(float), here[detection.XYZ].to_numpy(float)
            near = ((places[:, None] - marks[None]) ** 2).sum(-1) < (rows["diameter_mm"].to_numpy()[:, None] / 2) ** 2
            best[patches.index.get_indexer(rows.index)] = (near * here["probability"].to_numpy(float)).max(axis=1)
    return best


def measures(
    answers: Answers,
    annotations: pd.DataFrame,
    scans: Sequence[str],
    draws: Draws,
    excluded: pd.DataFrame | None = None,
) -> dict[str, Measured]:
    """The measures of a system by name, those of MEASURES that it has.

    Args:
        annotations: nodules to be found; excluded: findings that count neither way.
        scans: all that were read, in the order of the columns of `draws.weights`.
    """
    matched, least = match(answers.candidates, annotations, list(scans), excluded), answers.least_in(scans)
    of_scan = answers.candidates["scan"].map(dict(zip(scans, least, strict=True)))
    shown = answers.candidates[answers.candidates["probability"] >= of_scan]
    found, nodules, false = detection.counts_at(matched, least)
    # The cap of 100 marks holds for what is shown, too.
    each = [match(shown[shown["scan"] == name], annotations, [name], excluded).candidates for name in scans]
    ones = np.ones(len(scans), int)
    made = {
        "sensitivity": _ratio(found, nodules, draws),
        "false_positives_per_scan": _ratio(false, ones, draws),
        "candidates_per_scan": _ratio(np.array(each), ones, draws),
        "cpm": _cpm(Curve(matched), draws),
    }
    if answers.patches is not None and len(answers.patches):
        right = (answers.patches["probability"] >= 0.5) == answers.patches["nodule"]
        made["accuracy"] = _mean(answers.patches["scan"], right, scans, draws)
    if answers.nodules is not None and len(answers.nodules):
        for name in ("dice", "iou"):
            made[name] = _mean(answers.nodules["scan"], answers.nodules[name], scans, draws)
    return made


def marks_of(marks: Sequence[pd.DataFrame], scans: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The marks of the scans that are tested, of one study or of several folds that may list each other's scans.

    Args:
        marks: all of each fold; scans: those tested in each, with the column `scan`.
    """
    return concatenate(table[table["scan"].isin(some["scan"])] for table, some in zip(marks, scans, strict=True))


def mean_of(runs: Sequence[Mapping[str, Measured]]) -> dict[str, Measured]:
    """The measures of a kind: means over its runs, draw by draw."""
    names = [name for name in MEASURES if all(name in run for run in runs)]
    return {
        name: Measured(
            float(np.mean([run[name].value for run in runs])), np.mean([run[name].samples for run in runs], axis=0)
        )
        for name in names
    }


def differences(kinds: Mapping[str, Mapping[str, Measured]], confidence: float) -> pd.DataFrame:
    """Of every pair of kinds and every measure that both have: first less second, and who is ahead.

    Columns measure, first, second, difference, low, high, ahead: the better one where 0 lies outside, "" elsewhere and
    where a measure alone makes none the better one.
    """
    rows = []
    names = list(kinds)
    for measure, tells in MEASURES.items():
        for place, first in enumerate(names):
            for second in names[place + 1 :]:
                if measure in kinds[first] and measure in kinds[second]:
                    one, other = kinds[first][measure], kinds[second][measure]
                    apart = Measured(one.value - other.value, one.samples - other.samples)
                    low, high = apart.interval(confidence)
                    ahead = (first if low > 0 else second if high < 0 else "") if tells else ""
                    rows.append((measure, first, second, apart.value, low, high, ahead))
    return pd.DataFrame(rows, columns=["measure", "first", "second", "difference", "low", "high", "ahead"])


def by_group(
    runs: Sequence[pd.DataFrame | None], scans: Sequence[str], draws: Draws
) -> list[dict[str, float | int | str]]:
    """Mean Dice and IoU of nodules by size and texture with bounds, over the runs of a kind that outlines nodules.

    runs: NODULES of each. Columns group, nodules, and dice and iou, each with _low and _high.
    """
    tables = [table for table in runs if table is not None]
    rows = []
    for group, holds in GROUPS.items():
        parts = [table[holds(table)] for table in tables]
        if not parts or not len(parts[0]):
            continue
        row: dict[str, float | int | str] = {"group": group, "nodules": len(parts[0])}
        for name in ("dice", "iou"):
            value = mean_of([{name: _mean(part["scan"], part[name], scans, draws)} for part in parts])[name]
            low, high = value.interval(draws.confidence)
            row |= {name: value.value, f"{name}_low": low, f"{name}_high": high}
        rows.append(row)
    return rows


def _mean(scan: pd.Series, values: pd.Series, scans: Sequence[str], draws: Draws) -> Measured:
    """Of rows of scans."""
    at = pd.Index(scans).get_indexer(scan)
    total = np.bincount(at, values.to_numpy(float), minlength=len(scans))
    return _ratio(total, np.bincount(at, minlength=len(scans)), draws)


def _ratio(above: np.ndarray, below: np.ndarray, draws: Draws) -> Measured:
    """sum(above) / sum(below) over scans, for each draw; those of one patient are not told apart."""
    total = below.sum()
    if not total:
        return Measured(float("nan"), np.full(len(draws.weights), np.nan))
    drawn = draws.weights @ below
    samples = np.where(drawn > 0, (draws.weights @ above) / np.maximum(drawn, 1), np.nan)
    if detection.of_one_patient(draws.weights, below > 0):
        samples = np.full(len(samples), np.nan)
    return Measured(float(above.sum() / total), samples)


def _cpm(curve: Curve, draws: Draws) -> Measured:
    samples = [curve.at(weights=row).mean() if curve.usable(row) else np.nan for row in draws.weights]
    if detection.of_one_patient(draws.weights, curve.has_nodules):
        samples = [np.nan] * len(samples)
    return Measured(detection.cpm(curve), np.array(samples, float))
