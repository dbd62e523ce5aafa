"""Which pictures a blind test shows: none of its choices may tell a reader what a picture is.

Pictures of one patient, or on one background, look alike. Whoever has seen a labelled one knows the others, so the
patients and backgrounds of the orientation come in no question where there are enough of them; and questions are spread
over as many as there are.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lungsynth.study.errors import DataError


@dataclass(frozen=True)
class Drawn:
    """Rows of a side's table: those with their truth beside them, and those that are asked.

    Attributes:
        apart: whether no patient or background is among both.
    """

    orientation: np.ndarray
    questions: np.ndarray
    apart: bool


def draw(table: pd.DataFrame, orientation: int, questions: int, shares: pd.Series, rng: np.random.Generator) -> Drawn:
    """Draw the pictures of one side.

    Args:
        table: one row a picture; `group` names its patient or background, `class` its class.
        orientation, questions: pictures of each kind.
        shares: class -> its share of both; the same for real and generated, or the class would tell.

    Raises:
        DataError: a class has too few pictures.
    """
    rows = table.assign(at=np.arange(len(table)), luck=rng.permutation(len(table)))
    wanted = pd.DataFrame({"orientation": counts(shares, orientation), "questions": counts(shares, questions)})
    for name, need in wanted.sum(axis=1).items():
        if (there := int((rows["class"] == name).sum())) < need:
            raise DataError(f"{need} pictures of class {name!r} are needed, there are {there}")
    held = _held_back(rows, wanted)
    apart = held is not None
    first = rows[rows["group"].isin(held)] if apart else rows
    shown = _spread(first, wanted["orientation"])
    left = rows[~rows["group"].isin(held)] if apart else rows.drop(shown.index)
    asked = _spread(left, wanted["questions"])
    return Drawn(shown["at"].to_numpy(), asked["at"].to_numpy(), apart)


def counts(shares: pd.Series, total: int) -> pd.Series:
    """Whole numbers in the proportion of `shares` that sum to `total`; the largest remainders are rounded up."""
    exact = shares / shares.sum() * total
    whole = np.floor(exact).astype(int)
    up = (exact - whole).sort_values(ascending=False, kind="stable").index[: total - int(whole.sum())]
    whole[up] += 1
    return whole


def _held_back(rows: pd.DataFrame, wanted: pd.DataFrame) -> set | None:
    """The groups of the orientation: the smallest, so that most are left; None where too little would be left."""
    held: set = set()
    order = rows.groupby("group", sort=False).agg(n=("at", "size"), luck=("luck", "min")).sort_values(["n", "luck"])
    for group in order.index:
        missing = wanted["orientation"] - _per_class(rows[rows["group"].isin(held)], wanted.index)
        short = missing[missing > 0].index
        if not len(short):
            break
        if rows.loc[rows["group"] == group, "class"].isin(short).any():
            held.add(group)
    left = _per_class(rows[~rows["group"].isin(held)], wanted.index)
    return held if (left >= wanted["questions"]).all() else None


def _per_class(rows: pd.DataFrame, classes: Sequence) -> pd.Series:
    return rows["class"].value_counts().reindex(classes, fill_value=0)


def _spread(rows: pd.DataFrame, wanted: pd.Series) -> pd.DataFrame:
    """So many of each class by lot, no group a second time before every other has had its turn."""
    parts = []
    for name, count in wanted.items():
        of_class = rows[rows["class"] == name].sort_values("luck")
        turn = of_class.groupby("group", sort=False).cumcount()
        parts.append(of_class.assign(turn=turn).sort_values(["turn", "luck"]).head(count))
    return pd.concat(parts)
