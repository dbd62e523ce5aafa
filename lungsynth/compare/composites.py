"""The chain's composites as contenders: which of them stand on anything real, and a seeded sample of each lot."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lungsynth.study.errors import DataError

REAL = "scan"
"""The `source` of what no generator drew."""


@dataclass(frozen=True)
class Lot:
    """Composites that are scored together: their name on the page, the stage they are taken from, whether those with
    anything real in them are left out, and whether they are the comparison's own, in which nothing is real."""

    title: str
    stage: str
    without_real: bool = False
    from_nothing: bool = False


LOTS = {
    "laid": Lot("two stages, as laid", "composite"),
    "refined": Lot("two stages, refined", "refined"),
    "generated": Lot("two stages, all generated", "refined", without_real=True),
    "from_nothing": Lot("two stages from nothing", "refined", from_nothing=True),
}

AGAINST = ("refined", "from_nothing")
"""Lots that a comparison holds the other rows against."""


def held_against(lot: Lot, kinds: Sequence[str]) -> list[str]:
    """The rows that one of AGAINST is compared with: all others, but not the chain's lots with the comparison's own."""
    apart = {one.title for one in LOTS.values() if one.from_nothing != lot.from_nothing}
    return [kind for kind in kinds if kind != lot.title and kind not in apart]


def origins(shards: Sequence[pd.DataFrame], normals: pd.DataFrame, nodules: pd.DataFrame) -> pd.DataFrame:
    """One row a composite: its shard and image, whether its background is real, and whether anything of it is.

    Args:
        shards: one row a lesion (image, normal, source_nodule); normals, nodules: the pool, with id and source.
    """
    real_normals = normals["source"].eq(REAL).to_numpy()
    real_nodules = set(nodules.loc[nodules["source"].eq(REAL), "id"])
    parts = []
    for k, rows in enumerate(shards):
        background = pd.Series(real_normals[rows["normal"].to_numpy(int)], index=rows.index)
        table = pd.DataFrame({"image": rows["image"], "background": background})
        table["any"] = background | rows["source_nodule"].isin(real_nodules)
        parts.append(table.groupby("image", as_index=False).any().assign(shard=k))
    return pd.concat(parts, ignore_index=True)


def nothing_real(n: int) -> pd.DataFrame:
    """The table of `origins` for n composites of a comparison's own, in one shard."""
    return pd.DataFrame({"image": range(n), "background": False, "any": False, "shard": 0})


def sample(table: pd.DataFrame, lot: Lot, most: int, rng: np.random.Generator) -> tuple[list[tuple[int, int]], float]:
    """(shard, image) of at most `most` composites of a lot, and the share of them that lies on a real slice.

    Args:
        table: of `origins`.

    Raises:
        DataError: the lot is empty.
    """
    table = table[~table["any"]] if lot.without_real else table
    if table.empty:
        raise DataError(f"{lot.title}: no composite is without anything real; give the pool more that is generated")
    table = table.iloc[np.sort(rng.choice(len(table), min(most, len(table)), replace=False))]
    places = [(int(k), int(row)) for k, row in zip(table["shard"], table["image"], strict=True)]
    return places, float(table["background"].mean())
