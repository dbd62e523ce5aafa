"""The tables of a comparison of detectors: a row a kind, a row a run, nodules by size and texture."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from lungsynth.study.errors import DataError

SPENT = ["patches", "steps", "parameters"]
POINT = ["threshold", "probability"]


def pooled_facts(folds: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, Any]:
    """What is known of one system in several folds: what a fold spent, and an operating point only where there is one.

    Args:
        folds: its facts (see `of_runs`) in each; names: the folds'.

    Raises:
        DataError: folds that spent differently.
    """
    first = dict(folds[0])
    if len(folds) == 1:
        return first
    for one, name in zip(folds, names, strict=True):
        if unequal := [what for what in SPENT if one[what] != first[what]]:
            raise DataError(
                f"compare.detectors.folds: {one['run']} has {unequal[0]} {one[unequal[0]]} in {name} and "
                f"{first[unequal[0]]} in {names[0]}; folds are pooled where they spent the same"
            )
    notes = [f"{name}: {one['note']}" for one, name in zip(folds, names, strict=True) if one["note"]]
    return first | {"point": dict.fromkeys(POINT, np.nan), "note": "; ".join(notes)}


def of_runs(
    facts: Sequence[Mapping[str, Any]], measured: Mapping[str, Mapping[str, Any]], confidence: float
) -> pd.DataFrame:
    """One row a run: what it spent, its measures with their bounds, its operating point.

    Args:
        facts: of each run: kind, run, SPENT, note and point; measured: by run, measures that have a value and an
            `interval(confidence)`.
    """
    rows = []
    for one in facts:
        about = {name: one[name] for name in ("kind", "run", *SPENT)}
        point = {name: one["point"][name] for name in POINT}
        rows.append(about | _numbers(measured[one["run"]], confidence) | point | {"note": one["note"]})
    return pd.DataFrame(rows)


def of_kinds(
    runs: pd.DataFrame, means: Mapping[str, Mapping[str, Any]], measures: Sequence[str], confidence: float
) -> pd.DataFrame:
    """One row a kind, in the order given: what a run spent, means over runs with bounds, and their spread (_sd).

    Args:
        runs: of `of_runs`; means: by kind, measures as there; measures: their names in the table's order.
    """
    rows = []
    for kind, values in means.items():
        own = runs[runs["kind"] == kind]
        row = {"kind": kind, "runs": len(own), "scored": len(own), **own.iloc[0][SPENT].to_dict()}
        numbers = _numbers(values, confidence)
        for name in measures:
            ends = {f"{name}{end}": numbers.get(f"{name}{end}", np.nan) for end in ("", "_low", "_high")}
            row |= ends | {f"{name}_sd": own[name].std(ddof=1) if name in own else np.nan}
        rows.append(row | {"note": "; ".join(f"{one.run}: {one.note}" for one in own.itertuples() if one.note)})
    return pd.DataFrame(rows)


def _numbers(measured: Mapping[str, Any], confidence: float) -> dict[str, float]:
    found = {}
    for name, one in measured.items():
        low, high = one.interval(confidence)
        found |= {name: one.value, f"{name}_low": low, f"{name}_high": high}
    return found
