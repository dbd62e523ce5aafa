"""The page of a comparison of detectors: Table I, what each spent, who is ahead, outlines, the paper's numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from lungsynth.report.blocks import number, table_of
from lungsynth.report.page import rendered

MEASURES = {
    "sensitivity": "sensitivity",
    "candidates_per_scan": "candidates a scan",
    "false_positives_per_scan": "of these none",
    "accuracy": "accuracy",
    "cpm": "CPM",
    "dice": "Dice",
    "iou": "IoU",
}
TELLING = ("sensitivity", "cpm", "accuracy", "dice", "iou")
"""Measures by which a system is ahead."""
LEAD = (
    "Every system is shown the same number of training patches of the same patients, from nothing, with its own hard "
    "negatives after the first checkpoint. Threshold and opening, which learn nothing, are the lowest row."
)
WORDS = (
    "Mean over runs, in brackets the 95 % interval over patients. Sensitivity and candidates a scan are those at the "
    "operating point that each run's tune patients chose; CPM is the mean sensitivity at 1/8 to 8 false positives a "
    "scan. Accuracy is the share of places told right at .5, of a list with as many nodules as dense things that are "
    "none. Dice and IoU are over all nodules with a mask, a missed one has 0; a system without outlines has none."
)
SECONDS = (
    "Seconds a scan are those of the whole step on this machine: its start, reading and writing are in them. Of "
    "several folds, seconds are means."
)


def page(
    kinds: pd.DataFrame,
    groups: pd.DataFrame,
    differences: pd.DataFrame,
    claims: pd.DataFrame,
    facts: Sequence[Mapping[str, Any]],
    seconds: Mapping[str, float],
    seconds_a_scan: Mapping[str, float],
    scans: int,
    folds: int = 1,
) -> str:
    """One HTML text.

    Args:
        kinds: one row a kind, the baseline last; groups: Dice and IoU by size and texture; differences: of every pair.
        claims: the paper's numbers beside ours.
        facts: kind and run of each; seconds: its training's wall time by run, and of its detection, a scan.
        scans: test scans; folds: of how many studies they are.
    """
    of_folds = f" of {folds} folds, each found by networks that learnt from the others" if folds > 1 else ""
    return rendered(
        "detectors.html.j2",
        title="Systems that find nodules, compared",
        lead=LEAD,
        words=f"{scans} test scans{of_folds}. {WORDS}",
        scores=table_of(_scores(kinds)),
        budget=table_of(_budget(kinds, facts, seconds, seconds_a_scan)),
        seconds=SECONDS,
        notes=[f"{note}." for note in kinds["note"] if note],
        ahead=_ahead(differences),
        groups=table_of(groups),
        claims=table_of(claims),
    )


def _scores(kinds: pd.DataFrame) -> pd.DataFrame:
    shown = {"system": kinds["kind"], "runs": kinds["runs"]}
    for name, words in MEASURES.items():
        ends = (kinds[f"{name}{end}"] for end in ("", "_low", "_high", "_sd"))
        shown[words] = [_cell(*cell) for cell in zip(*ends, strict=True)]
    return pd.DataFrame(shown)


def _cell(mean: float, low: float, high: float, sd: float) -> str:
    if not np.isfinite(mean):
        return ""
    spread = f" ± {number(sd, 2)}" if np.isfinite(sd) else ""
    return f"{number(mean)}{spread}" + (f" [{number(low)}, {number(high)}]" if np.isfinite(low) else "")


def _budget(
    kinds: pd.DataFrame,
    facts: Sequence[Mapping[str, Any]],
    seconds: Mapping[str, float],
    seconds_a_scan: Mapping[str, float],
) -> pd.DataFrame:
    """Patches, steps, parameters and mean wall times of a run."""

    def mean(times: Mapping[str, float], kind: str) -> float:
        return float(np.mean([times[one["run"]] for one in facts if one["kind"] == kind]))

    table = kinds[["kind", "patches", "steps", "parameters"]].rename(columns={"kind": "system"})
    table["seconds of training"] = [mean(seconds, kind) for kind in kinds["kind"]]
    table["seconds a scan"] = [mean(seconds_a_scan, kind) for kind in kinds["kind"]]
    return table


def _ahead(differences: pd.DataFrame) -> list[str]:
    """A line a measure: which pairs are told apart, and by how much."""
    lines = []
    for measure, rows in differences[differences["measure"].isin(TELLING)].groupby("measure", sort=False):
        sure = rows[rows["ahead"] != ""]
        told = [_lead(row) for row in sure.itertuples()]
        words = "; ".join(told) if told else "no two systems are told apart"
        lines.append(f"{MEASURES[measure]}: {words}.")
    return lines


def _lead(row: Any) -> str:
    """Who is ahead of whom in a row of differences, and by how much: a positive number."""
    behind, sign, ends = row.second, 1, (row.low, row.high)
    if row.ahead == row.second:
        behind, sign, ends = row.first, -1, (-row.high, -row.low)
    return f"{row.ahead} before {behind} ({number(sign * row.difference)} [{number(ends[0])}, {number(ends[1])}])"
