"""The tables of all scores, for people."""

import pandas as pd

from lungsynth.score.pairs import Difference
from lungsynth.score.record import COLUMNS, Score


def of_scores(scores: list[Score]) -> pd.DataFrame:
    """One row a number, the columns of `COLUMNS`, in the order of set, reference, extractor and metric."""
    rows = [{name: getattr(score, name) for name in COLUMNS} for score in scores]
    table = pd.DataFrame(rows, columns=COLUMNS)
    return table.sort_values(["set", "reference", "extractor", "metric"], kind="stable", ignore_index=True)


def of_differences(differences: dict[tuple[str, str, str, str], Difference]) -> pd.DataFrame:
    """Paired differences: {(first, second, reference, extractor): difference} to one row each."""
    rows = [
        {
            "first": first,
            "second": second,
            "reference": reference,
            "extractor": extractor,
            "kid_difference": one.value,
            "low": one.low,
            "high": one.high,
            "excludes_zero": one.excludes_zero,
        }
        for (first, second, reference, extractor), one in differences.items()
    ]
    names = ["first", "second", "reference", "extractor", "kid_difference", "low", "high", "excludes_zero"]
    return pd.DataFrame(rows, columns=names)
