"""The scores as charts: what each metric means, which set stands where, which question it answers."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from lungsynth.report import charts
from lungsynth.report.blocks import Chart, Table, table_of

METRIC_WORDS = {
    "inception_score": ("Inception score", "higher is better; at most the number of the classifier's classes"),
    "fid": ("FID", "lower is better; as good as it gets at its tick"),
    "kid": ("KID", "lower is better; 0, and as often negative as positive, where two sets are one"),
    "precision": ("Precision", "share of the images that lie among real ones; higher is better"),
    "recall": ("Recall", "share of the real ones that lie among the images; higher is better"),
    "density": ("Density", "how many real images are near; higher is better, 1 is usual"),
    "coverage": ("Coverage", "share of the real ones that have an image near; higher is better"),
    "authenticity": ("Authenticity", "share of images that are no near copy of a training image; .5 to .7 is usual"),
    "membership": ("Membership", "how well the images tell who was trained on; .5 is not at all"),
    "memorisation": ("Memorisation", "share of images nearer to training images than to held-out ones; .5 is none"),
    "neighbour_ratio": ("Neighbour ratio", "nearest over second nearest training image; copies pull it to 0"),
}
MAIN_METRICS = ("inception_score", "fid", "kid")
COPY_METRICS = ("authenticity", "membership", "memorisation", "neighbour_ratio")
REFERENCES = {
    "lesions_test": "Slices with a nodule",
    "normals_test": "Slices without a nodule",
    "nodules_test": "Nodules, cut out",
    "pictures_test": "Pictures",
}
SET_RANK = ("real", "generated", "normal", "selected", "composite", "refined", "released")


@dataclass(frozen=True)
class ScoreGroup:
    """The charts of one reference and extractor: the three that everybody reads, and the rest."""

    title: str
    main: list[Chart]
    more: list[Chart]


def score_groups(scores: pd.DataFrame | None) -> list[ScoreGroup]:
    """One group a reference and extractor; metrics about copies stand in another section."""
    if scores is None or scores.empty:
        return []
    groups = []
    for (reference, extractor), rows in scores.groupby(["reference", "extractor"], sort=False):
        main = score_charts(rows[rows.metric.isin(MAIN_METRICS)])
        more = score_charts(rows[~rows.metric.isin(MAIN_METRICS + COPY_METRICS)])
        if not main and not more:
            continue
        title = REFERENCES.get(str(reference), str(reference).replace("_", " "))
        eye = "InceptionV3" if extractor == "inception" else f"the extractor for {extractor}"
        groups.append(ScoreGroup(f"{title}, by {eye}", main or more, more if main else []))
    order = list(REFERENCES.values())
    return sorted(groups, key=lambda one: next((k for k, name in enumerate(order) if one.title.startswith(name)), 9))


def copy_scores(scores: pd.DataFrame | None) -> list[Chart]:
    """The metrics that look for copies, one chart a metric and reference."""
    if scores is None or scores.empty:
        return []
    rows = scores[scores.metric.isin(COPY_METRICS)]
    made = []
    for reference, part in rows.groupby("reference", sort=False):
        where = REFERENCES.get(str(reference), str(reference)).lower()
        made += [replace(chart, title=f"{chart.title}, {where}") for chart in score_charts(part)]
    return made


def score_charts(scores: pd.DataFrame) -> list[Chart]:
    """One chart a metric, in the order of METRIC_WORDS; the sets in the order in which data flow."""
    made = []
    ranks = {name: rank for rank, name in enumerate(METRIC_WORDS)}
    for metric in sorted(set(scores.metric), key=lambda name: (ranks.get(name, 99), name)):
        rows = scores[scores.metric == metric]
        order = rows.set.map(lambda name: SET_RANK.index(name) if name in SET_RANK else len(SET_RANK))
        rows = rows.iloc[np.argsort(order.to_numpy(), kind="stable")].reset_index(drop=True)
        title, words = METRIC_WORDS.get(str(metric), (str(metric).replace("_", " "), ""))
        sizes = [sorted(set(rows[name].dropna().astype(int))) for name in ("n_set", "n_reference")]
        counts = f"n {_span(sizes[0])}" + (f" against {_span(sizes[1])} real" if sizes[1] else "")
        caption = f"{words[:1].upper()}{words[1:]}. {counts}." if words else f"{counts}."
        made.append(Chart(charts.intervals(rows, title), title, caption, []))
    return made


def _span(values: list[int]) -> str:
    if not values:
        return "–"
    return f"{values[0]}" if len(values) == 1 else f"{values[0]} to {values[-1]}"


def scores_table(scores: pd.DataFrame | None) -> Table | None:
    """The scores as a table, None where there are none."""
    return None if scores is None or scores.empty else table_of(scores.fillna({"note": ""}))
