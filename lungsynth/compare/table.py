"""The tables of a comparison: a row a kind, with mean and spread over its runs, and the paper's claims beside ours."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from lungsynth.compare.published import NAMES, REASONS, TABLES

LONG = ["kind", "run", "metric", "value", "low", "high", "floor", "floor_sd", "n_set", "n_reference", "note"]
CLAIMS = [
    "paper",
    "kind",
    "name",
    "metric",
    "reported",
    "ours",
    "ours_sd",
    "runs",
    "place_reported",
    "place_ours",
    "reason",
]


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


def of_kinds(contenders: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """One row a kind, in the order given: its budget, then mean, spread over runs (sd) and floor of every metric.

    Runs that could not be scored are counted in `runs` and not in the means; `note` says what is wrong with them.
    """
    numbers = scores(contenders)
    return pd.DataFrame(
        [
            _of_kind([one for one in contenders if one["kind"] == kind], numbers[numbers["kind"] == kind])
            for kind in dict.fromkeys(one["kind"] for one in contenders)
        ]
    )


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


def claims(target: str, kinds: pd.DataFrame) -> pd.DataFrame:
    """The paper's numbers beside ours, with the places of both among the kinds that both have: 1 is the best."""
    ours = kinds.set_index("kind")
    rows = []
    for metric, better in (("inception_score", False), ("fid", True)):
        if metric not in ours:
            continue
        shared = {
            kind: one for kind, one in TABLES[target].items() if kind in ours.index and pd.notna(ours.at[kind, metric])
        }
        reported = pd.Series({kind: getattr(one, metric) for kind, one in shared.items()}, dtype=float).rank(
            ascending=better
        )
        found = ours.loc[list(shared), metric].rank(ascending=better)
        for kind, one in shared.items():
            rows.append(
                {
                    "paper": NAMES[target],
                    "kind": kind,
                    "name": one.name,
                    "metric": metric,
                    "reported": getattr(one, metric),
                    "ours": ours.at[kind, metric],
                    "ours_sd": ours.at[kind, f"{metric}_sd"],
                    "runs": int(ours.at[kind, "scored"]),
                    "place_reported": int(reported[kind]),
                    "place_ours": int(found[kind]),
                    "reason": REASONS[metric],
                }
            )
    return pd.DataFrame(rows, columns=CLAIMS)
