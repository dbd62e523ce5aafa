"""The share of each set's slices that lie where real CT does, measure by measure, with intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lungsynth.score.anatomy.measures import MEASURES, RIPPLE, measure
from lungsynth.score.anatomy.ranges import RANGES, Range
from lungsynth.score.intervals import sum_by_unit
from lungsynth.score.samples import Sample
from lungsynth.sets.resampling import draw_counts, percentile_interval

COLUMNS = ["set", "group", "measure", "low", "high", "unit", "share", "share_low", "share_high", "median", "n"]
REAL = ("normals_test", "lesions_test")
"""The sets whose ripple is the study's own bound: nobody has published one."""
RIPPLE_QUANTILE = 0.95
MEAN_SHARE, LUNGS = "mean share", "lungs found"
NAN = float("nan")


@dataclass(frozen=True)
class Slices:
    """What was measured of a set.

    Attributes:
        values: one row a slice, one column of MEASURES each; NaN where a slice cannot answer.
        patients: of the slices; None where they are of nobody.
    """

    values: pd.DataFrame
    patients: np.ndarray | None = None


def measured(images: Sequence[np.ndarray], mm_per_px: float, patients: np.ndarray | None = None) -> Slices:
    """All measures of slices, int16 HU [n, h, w]."""
    rows = [measure(image, mm_per_px) for image in images]
    return Slices(pd.DataFrame(rows, columns=list(MEASURES), dtype=float), patients)


def ripple_range(sets: Mapping[str, Slices]) -> Range:
    """Where the ripple of the study's own real test slices lies, but for the highest twentieth of them."""
    real = pd.concat([sets[name].values[RIPPLE] for name in REAL if name in sets])
    return Range("texture", RIPPLE, 0.0, float(real.quantile(RIPPLE_QUANTILE)), "dB")


def rows(sets: Mapping[str, Slices], rng: np.random.Generator, draws: int = 200, level: float = 0.95) -> pd.DataFrame:
    """The shares of all sets, one row a set and measure (COLUMNS), in the order of `sets`.

    First of a set come the mean of the shares of RANGES and the share of slices that show lungs at all, of which most
    measures are taken; last comes the ripple. Measures that no slice of a set can answer are left out of the mean.

    Args:
        sets: by name; those of REAL among them.
        rng: source of the resamples; draws, level: of the intervals, over patients where there are some, else over
            slices. Of one patient there is none.
    """
    accepted = (*RANGES, ripple_range(sets))
    tables = [_rows_of(one, accepted, rng, draws, level).assign(set=name) for name, one in sets.items()]
    return pd.concat(tables, ignore_index=True)[COLUMNS]


def _rows_of(
    one: Slices, accepted: Sequence[Range], rng: np.random.Generator, draws: int, level: float
) -> pd.DataFrame:
    """The rows of one set, without its name."""
    values = one.values[[each.measure for each in accepted]].to_numpy(float)
    low, high = np.array([[each.low, each.high] for each in accepted]).T
    known = np.isfinite(values)
    inside = known & (values >= low) & (values <= high)
    lungs, everywhere = known[:, :1], np.ones((len(values), 1), bool)
    first = pd.DataFrame({"group": "all", "measure": [MEAN_SHARE, LUNGS], "unit": "", "n": len(values)})
    table = pd.DataFrame(accepted).assign(n=known.sum(0), median=_medians(values))
    shares = _with_intervals(
        np.hstack([lungs, inside]), np.hstack([everywhere, known]), one.patients, rng, draws, level
    )
    return pd.concat([first, table], ignore_index=True).assign(**shares)


def _medians(values: np.ndarray) -> list[float]:
    """Of every column, over what is known."""
    columns = [column[np.isfinite(column)] for column in values.T]
    return [float(np.median(column)) if len(column) else NAN for column in columns]


def _with_intervals(
    inside: np.ndarray,
    known: np.ndarray,
    patients: np.ndarray | None,
    rng: np.random.Generator,
    draws: int,
    level: float,
) -> dict[str, np.ndarray]:
    """Shares with their bounds, [1 + m] each, of bool [n, m]: the mean share first, see `_shares`."""
    empty = np.full(inside.shape[1] + 1, NAN)
    if not len(inside):
        return dict.fromkeys(("share", "share_low", "share_high"), empty)
    sample = Sample.of(np.hstack([inside, known]), patients)
    sums = sum_by_unit(sample.points, sample)
    shares = _shares(*np.split(sums.sum(0), 2))
    if sample.one_patient:
        return {"share": shares, "share_low": empty, "share_high": empty}
    drawn = _shares(*np.split(draw_counts(sample.n_units, draws, rng) @ sums, 2, axis=1))
    bounds = [
        percentile_interval(share, column, level) if np.isfinite(share) else (NAN, NAN)
        for share, column in zip(shares, drawn.T, strict=True)
    ]
    low, high = np.clip(np.array(bounds), 0, 1).T
    return {"share": shares, "share_low": low, "share_high": high}


def _shares(inside: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Shares of counts [..., m] (lungs found, RANGES, ripple), and before them the mean of those of RANGES."""
    shares = np.divide(inside, known, out=np.full(known.shape, NAN), where=known > 0)
    ranges = shares[..., 1:-1]
    n = np.isfinite(ranges).sum(-1, keepdims=True)
    mean = np.divide(np.nansum(ranges, -1, keepdims=True), n, out=np.full(n.shape, NAN), where=n > 0)
    return np.concatenate([mean, shares], -1)
