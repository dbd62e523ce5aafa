"""What goes with the released weights of a network for candidates: its cuts, scores and recipe."""

from typing import Any

import numpy as np
import pandas as pd

from lungsynth.segment.volumetric.judge import joined
from lungsynth.sets.seen import who_was_seen, with_crops
from lungsynth.sets.tables import counts_by
from lungsynth.study.errors import DataError
from lungsynth.study.runs import Run
from lungsynth.study.stages.segment import Cuts, Volumetric

BANDS_MM = (0.0, 2.0, 3.5, 6.0, np.inf)
"""Slice distances between which scores are told apart, each band with its upper edge."""


def cuts(table: pd.DataFrame, opinion: np.ndarray, own: Volumetric) -> Cuts:
    """What the network says at least of the share `own.keep` of the tune patients' nodules that the detector found.

    In thick slices of `own.keep_thick`; where none of them is shown in thick slices, there is no cut of their own.

    table: rows of `pairs.Pairs` of tune patients; opinion: [rows] what the network says of each.

    Raises:
        DataError: the detector found none of their nodules.
    """
    found = ((table["nodule"] == 1) & table["detector"].notna()).to_numpy()
    thick = (table["slice_mm"] > own.cuts.thick_mm).to_numpy()
    if not found.any():
        raise DataError("the detector found no nodule of the tune patients: the network's cut cannot be chosen")

    def cut(which: np.ndarray, keep: float) -> float | None:
        return float(np.quantile(opinion[which], 1 - keep, method="lower")) if which.any() else None

    # Without a nodule in thin slices all of them set the cut there.
    thin = found if thick[found].all() else found & ~thick
    return Cuts(thin=cut(thin, own.keep), thick=cut(found & thick, own.keep_thick), thick_mm=own.cuts.thick_mm)


def auc(nodule: np.ndarray, score: np.ndarray) -> float:
    """The chance that a nodule has the higher score than another candidate (Mann and Whitney); NaN without both."""
    ranks = pd.Series(score).rank().to_numpy()
    ones = int(nodule.sum())
    rest = len(nodule) - ones
    return float((ranks[nodule].sum() - ones * (ones + 1) / 2) / (ones * rest)) if ones and rest else float("nan")


def scores(table: pd.DataFrame, opinion: np.ndarray, cuts: Cuts, least: float) -> pd.DataFrame:
    """How well nodules and others are told apart on tune patients, by group and slice distance.

    Columns: group, slices_from_mm, slices_to_mm, nodules, others (cubes), auc of the network alone, auc_detector and
    auc_joined of those cubes that have a detector's probability; nodules_kept and others_dropped: shares of those that
    the detector shows, from the probability `least` up.
    """
    rows = []
    band = np.digitize(table["slice_mm"], BANDS_MM, right=True)
    for group in sorted(set(table["group"])):
        for k in range(1, len(BANDS_MM)):
            here = ((table["group"] == group) & (band == k)).to_numpy()
            if here.any():
                about = {"group": group, "slices_from_mm": BANDS_MM[k - 1], "slices_to_mm": BANDS_MM[k]}
                rows.append(about | _scores(table[here], opinion[here], cuts, least))
    return pd.DataFrame(rows)


def _scores(table: pd.DataFrame, opinion: np.ndarray, cuts: Cuts, least: float) -> dict[str, float]:
    nodule, known = (table["nodule"] == 1).to_numpy(), table["detector"].notna().to_numpy()
    detector = table["detector"].to_numpy(float)
    both = joined(np.where(known, detector, 0.5), opinion, table["slice_mm"].map(cuts.at).to_numpy())
    shown = known & (detector >= least)
    return {
        "nodules": int(nodule.sum()),
        "others": int((~nodule).sum()),
        "auc": auc(nodule, opinion),
        "auc_detector": auc(nodule[known], detector[known]),
        "auc_joined": auc(nodule[known], both[known]),
        "nodules_kept": _share(both[nodule & shown] >= least),
        "others_dropped": _share(both[~nodule & shown] < least),
    }


def _share(which: np.ndarray) -> float:
    return float(which.mean()) if which.size else float("nan")


def recipe(
    own: Volumetric,
    run: Run,
    study: str,
    cuts: Cuts,
    table: pd.DataFrame,
    people: dict[str, list[str]],
    scans: pd.DataFrame,
) -> dict[str, Any]:
    """Everything that one must know to use the weights, and what made them; plain values for JSON.

    Args:
        table: rows of all cubes; people: patients of the nodules' crops by role; scans: rows of cohort.csv by role.
    """
    block = own.model_dump(mode="json")
    return {
        "volumetric": {"network": block["network"], "cuts": cuts.model_dump(mode="json")},
        "cubes": counts_by(table, "role", "group", "nodule"),
        "training": {
            "study": study,
            "run": run.name,
            **{k: v for k, v in block.items() if k not in ("init_from", "network", "cuts", "most", "most_thick")},
        },
        **with_crops(who_was_seen(scans, run.seed), people),
    }
