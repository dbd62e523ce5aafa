"""The tables of a comparison: a row a kind, with mean and spread over its runs, and the paper's claims beside ours."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from lungsynth.compare.composites import LOTS
from lungsynth.compare.published import CLAIMED, NAMES, REASONS, TABLES

LONG = ["kind", "run", "metric", "value", "low", "high", "floor", "floor_sd", "n_set", "n_reference", "note"]
CLAIMS = ["paper", "kind", "name", "metric", "reported", "ours", "ours_sd", "runs", "place_reported", "place_ours"]
CLAIMS += ["reason"]

ENDS = {"kid_difference": "", "low": "_low", "high": "_high"}
"""Columns of a table of differences, and what they end in here."""


def scores(contenders: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Every score of every run, one row each.

    Args:
        contenders: what `score_contender` wrote of each run: kind, run, scores (`lungsynth.score.record.Score` as
            plain values), and more.
    """
    rows = [
        {"kind": one["kind"], "run": one["run"], "note": "; ".join(score["warnings"])}
        | {name: score[name] for name in LONG if name in score}
        for one in contenders
        for score in one["scores"]
        if score["set"] == "generated"  # held-out images' own numbers stand in the floors
    ]
    return pd.DataFrame(rows, columns=LONG)


def of_kinds(contenders: Sequence[Mapping[str, Any]], apart: pd.DataFrame | None = None) -> pd.DataFrame:
    """One row a kind, in the order given: its budget, then mean, spread over runs (sd) and floor of every metric.

    Runs that could not be scored are counted in `runs` and not in the means; `note`: what is wrong or special.

    Args:
        apart: differences of KID to lots of the chain's composites (first, second, kid_difference, low, high): they
            become columns kid_minus_LOT with its bounds; None where there are none.
    """
    numbers = scores(contenders)
    kinds = pd.DataFrame(
        [
            _of_kind([one for one in contenders if one["kind"] == kind], numbers[numbers["kind"] == kind])
            for kind in dict.fromkeys(one["kind"] for one in contenders)
        ]
    )
    if apart is None:
        return kinds
    for key, lot in LOTS.items():
        some = apart[apart["second"] == lot.title].set_index("first")
        columns = {name: f"kid_minus_{key}{end}" for name, end in ENDS.items()}
        kinds = kinds.join(some[list(ENDS)].rename(columns=columns), on="kind") if len(some) else kinds
    return kinds[[name for name in kinds if name != "note"] + ["note"]]


def _of_kind(runs: Sequence[Mapping[str, Any]], numbers: pd.DataFrame) -> dict[str, Any]:
    first = runs[0]
    row = {"kind": first["kind"], "runs": len(runs), "scored": sum(bool(one["scores"]) for one in runs)}
    row |= {name: first[name] for name in ("images", "steps", "generator", "critic", "rate")}
    row |= {"real_backgrounds": first["real_backgrounds"]} if "real_backgrounds" in first else {}
    for metric, some in numbers.groupby("metric", sort=False):
        row |= {
            metric: some["value"].mean(),
            f"{metric}_sd": some["value"].std(ddof=1),
            f"{metric}_floor": some["floor"].mean(),
        }
    return row | {"note": "; ".join(f"{one['run']}: {one['note']}" for one in runs if one["note"])}


def claims(name: str, kinds: pd.DataFrame) -> pd.DataFrame:
    """The paper's numbers beside ours, with the places of both among the kinds that both have: 1 is the best."""
    ours, rows = kinds.set_index("kind"), []
    for metric, low_is_good in CLAIMED.get(name, {}).items():
        if metric in ours:
            told = [kind for kind, row in TABLES[name].items() if getattr(row, metric) is not None]
            both = [kind for kind in told if kind in ours.index and pd.notna(ours.at[kind, metric])]
            reported = pd.Series({kind: getattr(TABLES[name][kind], metric) for kind in both}, dtype=float)
            rows += _claims(name, metric, reported, ours.loc[both], low_is_good)
    return pd.DataFrame(rows, columns=CLAIMS)


def _claims(name: str, metric: str, reported: pd.Series, ours: pd.DataFrame, low_is_good: bool) -> list[dict[str, Any]]:
    """One metric of all kinds, by kind."""
    places = {
        "place_reported": reported.rank(ascending=low_is_good),
        "place_ours": ours[metric].rank(ascending=low_is_good),
    }
    return [
        {
            "paper": NAMES[name],
            "kind": kind,
            "name": TABLES[name][kind].name,
            "metric": metric,
            "reported": reported[kind],
            "ours": ours.at[kind, metric],
            "ours_sd": ours.at[kind, f"{metric}_sd"],
            "runs": int(ours.at[kind, "scored"]),
            **{place: int(rank[kind]) for place, rank in places.items()},
            "reason": REASONS[metric],
        }
        for kind in ours.index
    ]
