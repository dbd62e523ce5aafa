"""Detection scored by LUNA16's official rules (FACTS 3.1), vectorised: marks, hits, FROC, CPM, bootstrap.

Marks and findings are tables with the columns scan, x_mm, y_mm, z_mm (world mm) and `probability` or `diameter_mm`.
Findings that do not count for or against anybody (the "excluded" list) have the columns of the annotations. An
annotation that is a box and no ball is hit by the rule of `lungsynth.sets.boxes`.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from lungsynth.sets import boxes
from lungsynth.study.errors import DataError

RATES = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""False positives a scan at which the sensitivity is read; their mean is the CPM."""
MARKS_PER_SCAN = 100
UNKNOWN_DIAMETER_MM = 10.0
MISSED = -np.inf
"""Probability of a nodule without a hit: no threshold finds it (the script writes -1e9, which log-odds may reach)."""
XYZ = ["x_mm", "y_mm", "z_mm"]


@dataclass(frozen=True)
class Matched:
    """Every nodule and every false positive as one entry.

    Attributes:
        scans: all scans that were read, with marks or without; the divisor of every rate per scan.
        scan: [entries] index into `scans`.
        positive: [entries] True for a nodule, False for a false positive.
        probability: [entries] of the nodule's best hit, `MISSED` without one; of the false positive.
        candidates: marks after the cap; ignored: on excluded findings; doubles: second and later hits of a nodule.
    """

    scans: tuple[str, ...]
    scan: np.ndarray
    positive: np.ndarray
    probability: np.ndarray
    candidates: int
    ignored: int
    doubles: int

    @property
    def missed(self) -> np.ndarray:
        """[entries] True for nodules without a hit: in the denominator of the sensitivity, not in the ROC."""
        return self.positive & (self.probability == MISSED)

    @property
    def nodules(self) -> int:
        return int(self.positive.sum())

    @property
    def true_positives(self) -> int:
        return int((self.positive & ~self.missed).sum())

    @property
    def false_positives(self) -> int:
        return int((~self.positive).sum())

    @property
    def sensitivity(self) -> float:
        """True positives over nodules with all marks counted; NaN without nodules."""
        return self.true_positives / self.nodules if self.nodules else float("nan")

    @property
    def candidates_per_scan(self) -> float:
        return self.candidates / len(self.scans)


def cap(probability: np.ndarray, most: int = MARKS_PER_SCAN) -> np.ndarray:
    """Which marks of one scan stay, bool [n]: those strictly above the (most + 1)-th largest probability (rule 2)."""
    if len(probability) <= most:
        return np.ones(len(probability), bool)
    return probability > -np.partition(-probability, most)[most]


def _rows_by_scan(table: pd.DataFrame | None, scans: tuple[str, ...]) -> list[np.ndarray]:
    """Row numbers of the table for each scan, in the table's order; rows of scans that are not listed fall out."""
    if table is None or not len(table):
        return [np.empty(0, int)] * len(scans)
    codes = pd.Index(scans).get_indexer(table["scan"].astype(str))
    order = np.argsort(codes, kind="stable")
    bounds = np.searchsorted(codes[order], np.arange(len(scans) + 1))
    return [order[a:b] for a, b in pairwise(bounds)]


def _hits(findings: np.ndarray, marks: np.ndarray) -> np.ndarray:
    """Bool [findings, marks]: squared distance strictly below the squared radius (rule 4).

    findings: [n, 4] x, y, z, diameter (negative: unknown, 10 mm); marks: [m, 3].
    """
    diameter = np.where(findings[:, 3] < 0, UNKNOWN_DIAMETER_MM, findings[:, 3])
    squared = ((findings[:, None, :3] - marks[None]) ** 2).sum(-1)
    return squared < ((diameter / 2) ** 2)[:, None]


def _columns(table: pd.DataFrame | None, last: str, what: str) -> np.ndarray:
    """Place and `last`, float [rows, 4]; a probability that is no number would fall through the cap unseen."""
    if table is None or not len(table):
        return np.empty((0, 4))
    values = table[[*XYZ, last]].to_numpy(float)
    wrong = np.argwhere(~np.isfinite(values))
    if len(wrong):
        row, column = wrong[0]
        raise DataError(
            f"{what}: row {table.index[row]}, {[*XYZ, last][column]}: {values[row, column]} is not a number"
        )
    return values


def _each_once(scans: list[str]) -> tuple[str, ...]:
    names = tuple(map(str, scans))
    if not names:
        raise DataError("scans: the list is empty; it needs every scan that was read, also those without a nodule")
    if len(set(names)) < len(names):
        double = next(name for name in names if names.count(name) > 1)
        raise DataError(f"scans: {double} is listed twice; rates per scan count each scan once")
    return names


def match(
    marks: pd.DataFrame,
    annotations: pd.DataFrame,
    scans: list[str],
    excluded: pd.DataFrame | None = None,
    most: int = MARKS_PER_SCAN,
) -> Matched:
    """Compare marks with the reference, scan by scan (rules 1 to 8).

    Args:
        marks: scan, x_mm, y_mm, z_mm, probability.
        annotations: scan, x_mm, y_mm, z_mm, diameter_mm of the nodules to be found; mark and `boxes.BOX` of boxes.
        scans: every scan that was read; rows of other scans are left out.
        excluded: findings that are ignored.
        most: marks of a scan that count.

    Raises:
        DataError: no scan, a scan that is listed twice, a place, probability or diameter that is no number.
    """
    scans = _each_once(scans)
    values = _columns(marks, "probability", "marks")
    nodules, others = _columns(annotations, "diameter_mm", "annotations"), _columns(excluded, "diameter_mm", "excluded")
    boxed = boxes.boxed(annotations)
    parts: list[tuple[np.ndarray, np.ndarray, int]] = []
    candidates = ignored = doubles = 0
    rows = zip(
        _rows_by_scan(marks, scans), _rows_by_scan(annotations, scans), _rows_by_scan(excluded, scans), strict=True
    )
    for of_marks, of_nodules, of_others in rows:
        of_marks = of_marks[cap(values[of_marks, 3], most)]
        here = values[of_marks]
        hits = _hits(nodules[of_nodules], here[:, :3])
        if (box := boxed[of_nodules]).any():
            hits[box] = boxes.hits(annotations.iloc[of_nodules[box]], marks.iloc[of_marks])
        best = np.where(hits, here[None, :, 3], MISSED).max(axis=1, initial=MISSED)
        pool = ~hits.any(axis=0)
        on_others = pool & _hits(others[of_others], here[:, :3]).any(axis=0)
        candidates += len(here)
        ignored += int(on_others.sum())
        doubles += int(np.maximum(hits.sum(axis=1) - 1, 0).sum())
        parts.append((best, here[pool & ~on_others, 3], len(parts)))
    return Matched(
        scans,
        np.concatenate([np.full(len(best) + len(false), k) for best, false, k in parts]),
        np.concatenate([np.repeat([True, False], [len(best), len(false)]) for best, false, _ in parts]),
        np.concatenate([np.concatenate([best, false]) for best, false, _ in parts]),
        candidates,
        ignored,
        doubles,
    )


class Curve:
    """The FROC curve of a `Matched`, ready to be drawn again for any weights of its scans (rule 10)."""

    def __init__(self, matched: Matched):
        entries = np.flatnonzero(~matched.missed)
        order = entries[np.argsort(-matched.probability[entries], kind="stable")]
        probability = matched.probability[order]
        self.n_scans = len(matched.scans)
        self._scan, self._positive = matched.scan[order], matched.positive[order]
        # Equal probabilities are one step: the curve has a point at the last of each run only.
        self._ends = np.flatnonzero(np.r_[np.diff(probability) != 0, True][: len(order)])
        self._nodules = np.bincount(matched.scan[matched.positive], minlength=self.n_scans)
        self._entries = np.bincount(matched.scan, minlength=self.n_scans)
        self.probability = np.concatenate([[np.inf], probability[self._ends]])

    def points(self, weights: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """False positives a scan and sensitivity, from (0, 0) on; `weights` int [scans] is how often a scan was drawn.

        The sensitivity is NaN where the drawn scans hold no nodule.
        """
        weights = np.ones(self.n_scans, np.int64) if weights is None else weights
        drawn = weights[self._scan]
        found = np.cumsum(drawn * self._positive)
        false = np.cumsum(drawn) - found
        nodules = int(weights @ self._nodules)
        x = np.concatenate([[0.0], false[self._ends] / weights.sum()])
        y = np.concatenate([[0.0], found[self._ends] / nodules]) if nodules else np.full(len(x), np.nan)
        return x, y

    def at(self, rates: tuple[float, ...] = RATES, weights: np.ndarray | None = None) -> np.ndarray:
        """Sensitivity at `rates` false positives a scan, linear between points (rule 11)."""
        return np.interp(rates, *self.points(weights))

    @property
    def has_nodules(self) -> np.ndarray:
        """Which scans hold a nodule, bool [scans]."""
        return self._nodules > 0

    def usable(self, weights: np.ndarray) -> bool:
        """Whether a draw of scans has an entry and a nodule at all."""
        return bool(weights @ self._entries) and bool(weights @ self._nodules)


@dataclass(frozen=True)
class Bootstrap:
    """Sensitivities [rates] and CPM over the draws that could be scored; `dropped` is how many could not."""

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    cpm: float
    cpm_low: float
    cpm_high: float
    dropped: int


def draw_weights(
    groups: Sequence[Hashable], draws: int, rng: np.random.Generator | np.random.RandomState
) -> np.ndarray:
    """How often each scan is drawn, int [draws, scans], when its patients are drawn with replacement.

    groups: [scans] the patient of each scan; one patient a scan draws scans as the official script does.
    rng: a `RandomState` gives the draws that the official script makes with NumPy's legacy seed.
    """
    codes, names = pd.factorize(np.asarray(groups), sort=True)
    integers = rng.randint if isinstance(rng, np.random.RandomState) else rng.integers
    picks = integers(len(names), size=(draws, len(names)))
    return picks_to_weights(picks, len(names))[:, codes]


def picks_to_weights(picks: np.ndarray, n: int) -> np.ndarray:
    """Drawn indices [draws, n] to counts [draws, n]."""
    offset = np.arange(len(picks))[:, None] * n
    return np.bincount((picks + offset).ravel(), minlength=len(picks) * n).reshape(len(picks), n)


def interval(samples: np.ndarray, confidence: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Sorted samples [draws, ...] at floor(a n) and floor((1 - a) n), a = (1 - confidence) / 2 (rule 12).

    NaN without a draw.
    """
    ordered, n = np.sort(samples, axis=0), len(samples)
    if not n:
        return np.full(samples.shape[1:], np.nan), np.full(samples.shape[1:], np.nan)
    # A thousandth of a place: in floating point (1 - .9) / 2 of 1000 is a little less than 50.
    below = int(np.floor((1 - confidence) / 2 * n + 1e-3))
    above = int(np.floor((1 + confidence) / 2 * n + 1e-3))
    return ordered[below], ordered[min(n - 1, above)]


def resample(curve: Curve, weights: np.ndarray, rates: tuple[float, ...] = RATES) -> np.ndarray:
    """Sensitivity at `rates` for each draw of scans, [draws kept, rates]; draws without entry or nodule are dropped.

    weights: int [draws, scans] of `draw_weights`.
    """
    kept = [curve.at(rates, row) for row in weights if curve.usable(row)]
    return np.stack(kept) if kept else np.empty((0, len(rates)))


def summary(samples: np.ndarray, draws: int, confidence: float = 0.95, bounded: bool = True) -> Bootstrap:
    """Mean and bounds of `resample`'s samples at `RATES`, of which `draws` were tried; NaN where none was kept.

    bounded: whether the nodules are of several patients; those of one would seem certain, and their bounds are NaN.
    """
    kept = samples if bounded else samples[:0]
    (low, high), (cpm_low, cpm_high) = interval(kept, confidence), interval(kept.mean(axis=1), confidence)
    mean = samples.mean(axis=0) if len(samples) else low
    return Bootstrap(mean, low, high, float(mean.mean()), float(cpm_low), float(cpm_high), draws - len(samples))


def bootstrap(
    curve: Curve, weights: np.ndarray, rates: tuple[float, ...] = RATES, confidence: float = 0.95
) -> Bootstrap:
    """The curve at `rates` for every draw of scans (rule 12); draws without an entry or a nodule are dropped.

    weights: int [draws, scans] of `draw_weights`. Everything is NaN where no draw can be scored, and the bounds where
    all nodules are of one patient.
    """
    bounded = not of_one_patient(weights, curve.has_nodules)
    return summary(resample(curve, weights, rates), len(weights), confidence, bounded)


def of_one_patient(weights: np.ndarray, scans: np.ndarray) -> bool:
    """Whether the scans (bool [scans]) are of one patient or none: his are drawn together in each of the `weights`."""
    columns = weights[:, scans]
    return bool((columns == columns[:, :1]).all())


def cpm(curve: Curve) -> float:
    """Mean sensitivity at 1/8, 1/4, 1/2, 1, 2, 4 and 8 false positives a scan."""
    return float(curve.at(RATES).mean())


def ratio_interval(
    found: np.ndarray, of: np.ndarray, weights: np.ndarray, confidence: float = 0.95
) -> tuple[float, float, float]:
    """sum(found) / sum(of) over scans with its bootstrap bounds; draws with an empty denominator are dropped.

    The bounds are NaN where all that is counted is of one patient.

    found, of: [scans] numerator and denominator of each scan; weights: int [draws, scans].
    """
    total = of.sum()
    if not total:
        return float("nan"), float("nan"), float("nan")
    if of_one_patient(weights, of > 0):
        return float(found.sum() / total), float("nan"), float("nan")
    above, below = weights @ found, weights @ of
    low, high = interval(above[below > 0] / below[below > 0], confidence)
    return float(found.sum() / total), float(low), float(high)


def counts_at(matched: Matched, probability: float | np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Found nodules, nodules and false positives of each scan, int [scans], with marks from `probability` up.

    probability: of all scans, or of each, float [scans].
    """
    above = matched.probability >= np.broadcast_to(probability, len(matched.scans))[matched.scan]
    kinds = (above & matched.positive, matched.positive, above & ~matched.positive)
    found, nodules, false = (np.bincount(matched.scan[kind], minlength=len(matched.scans)) for kind in kinds)
    return found, nodules, false
