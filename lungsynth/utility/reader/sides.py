"""The two sides of a blind test, real and generated: what is known of each picture, and its grey levels on request.

Both sides go the same way to 8 bits, so that neither is coarser, wider or darker than the other.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from lungsynth.ct.window import to_grey
from lungsynth.sets import bank, shard
from lungsynth.sets.tables import concatenate, read_csv, read_parquet
from lungsynth.study.errors import DataError

COLUMNS = ("id", "group", "class")
ALL = "all"
"""Class of pictures without classes."""
Grey = Callable[[np.ndarray], np.ndarray]
"""From a set's values to uint8."""


@dataclass(frozen=True)
class Side:
    """Real pictures, or generated ones.

    Attributes:
        name: of the set, for messages.
        role: of the set in the catalogue: test, refined, selected.
        table: one row a picture (COLUMNS); a group is a patient, or what else makes pictures look alike.
        read: rows -> uint8 pictures [n, h, w], or [n, h, w, 3] in colour.
    """

    name: str
    role: str
    table: pd.DataFrame
    read: Callable[[np.ndarray], np.ndarray]


def of_images(
    name: str,
    images: np.ndarray,
    ids: Sequence[str],
    groups: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
    role: str = "",
) -> Side:
    """A side of uint8 pictures in memory, [n, h, w] or [n, h, w, 3]; without groups, each is one of its own."""
    columns = (ids, ids if groups is None else groups, [ALL] * len(ids) if classes is None else classes)
    table = pd.DataFrame({column: list(map(str, values)) for column, values in zip(COLUMNS, columns, strict=True)})
    return Side(name, role, table, lambda rows: images[rows])


def of_bank(path: Path, name: str, role: str, grey: Grey) -> Side:
    """A side from a bank or a generated set; no picture is read before it is asked for."""
    rows = read_csv(path.with_suffix(".csv"))
    table = pd.DataFrame({"id": rows["id"].astype(str), "group": _groups(rows), "class": _classes(rows)})
    return Side(name, role, table, lambda chosen: _in_order(path, chosen, grey))


def of_release(shards: Sequence[Path], released: Sequence[Path], grey: Grey) -> Side:
    """The released composites: refined images that the gate kept; those on one background are a group.

    Args:
        shards: refined images; released: the table of what is released of each.
    """
    kept = [read_parquet(path).assign(part=part) for part, path in enumerate(released)]
    rows = concatenate(kept)
    table = pd.DataFrame({"id": rows["name"], "group": rows["normal"].astype(str), "class": ALL})

    def read(chosen: np.ndarray) -> np.ndarray:
        places = rows.iloc[chosen]
        images = [shard.load(shards[part])[at] for part, at in zip(places["part"], places["at"], strict=True)]
        return grey(np.stack(images))

    return Side("released composites", "refined", table, read)


def grey_of_ct(range_hu: tuple[float, float]) -> Grey:
    """HU to 256 levels over the range that the study's networks see; what lies outside is clipped on both sides."""
    return lambda hu: to_grey(hu, range_hu)


def grey_of_pictures(brightest: int) -> Grey:
    """Grey levels 0 to `brightest` to 8 bits; 8-bit ones stay as they are, colour too."""
    return lambda values: np.rint(np.asarray(values, np.float64) * (255 / brightest)).astype(np.uint8)


def _in_order(path: Path, chosen: np.ndarray, grey: Grey) -> np.ndarray:
    """The chosen rows in their own order; a bank is read in the file's."""
    ascending, place = np.unique(chosen, return_inverse=True)
    return grey(bank.read_rows(path, ascending.tolist()).images)[place]


def _groups(rows: pd.DataFrame) -> pd.Series:
    """The patient of each picture; one that has none is alone."""
    ids = rows["id"].astype(str)
    if "patient" not in rows:
        return ids
    patients = rows["patient"].fillna("").astype(str)
    return patients.where(patients != "", ids)


def _classes(rows: pd.DataFrame) -> pd.Series | str:
    """The class of each picture: the folder that a real one lies in, the label that a drawn one was asked for."""
    named = next((name for name in ("class", "label") if name in rows), None)
    return ALL if named is None else rows[named].astype(str)


def shares_of(real: Side, generated: Side) -> pd.Series:
    """Class -> pictures of the real side: what both sides are drawn by. One class where a side knows none.

    Raises:
        DataError: the generated side lacks a class.
    """
    if {ALL} in (set(real.table["class"]), set(generated.table["class"])):
        return pd.Series({ALL: 1.0})
    shares = real.table["class"].value_counts().sort_index().astype(float)
    if missing := sorted(set(shares.index) - set(generated.table["class"])):
        raise DataError(f"{generated.name}: no picture of class {missing[0]!r}, which {real.name} has: it would tell")
    return shares
