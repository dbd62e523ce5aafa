"""Classes of a set's images, read from its table: for generators that draw by class, and for classifiers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pandas as pd

from lungsynth.sets.bank import ImageSet
from lungsynth.study.errors import DataError, StudyError, nearest
from lungsynth.study.seeds import rng as named_rng
from lungsynth.study.stages.generate import MOST_CLASSES, Labels


@dataclass(frozen=True)
class Classes:
    """What a generator draws by.

    Attributes:
        names: of the classes, in the order of their numbers; shares: of them among the real images, 1 together.
    """

    names: Sequence[str]
    shares: Sequence[float]

    def draw(self, n: int, seed: int, name: str) -> np.ndarray:
        """Classes int64 [n] in the real proportions; that of image i comes from the stream (name, "label", i)."""
        bounds = np.cumsum(self.shares)[:-1]
        points = [named_rng(seed, name, "label", k).random() for k in range(n)]
        return np.searchsorted(bounds, points, side="right").astype(np.int64)

    def all_of(self, n: int, label: str) -> np.ndarray:
        """Classes int64 [n], each the one that is called `label`.

        Raises:
            StudyError: there is no such class.
        """
        if label not in self.names:
            raise StudyError(f"label: got {label!r}; this generator draws {', '.join(self.names)}")
        return np.full(n, list(self.names).index(label), np.int64)

    def marked(self, made: ImageSet, drawn: np.ndarray) -> ImageSet:
        """Drawn images with the name of the class that each was asked for as the column `label`."""
        names = [self.names[int(k)] for k in drawn]
        return replace(made, table=made.table.assign(label=names))


@dataclass(frozen=True)
class Labelled:
    """A bank's images by class.

    Attributes:
        column: of the bank's table, where the classes come from.
        names: of the classes; of_row: int64 [n], the class of each image, -1 where it has none.
    """

    column: str
    names: tuple[str, ...]
    of_row: np.ndarray

    @property
    def counts(self) -> np.ndarray:
        """Images of each class."""
        return np.bincount(self.of_row[self.of_row >= 0], minlength=len(self.names))

    @property
    def classes(self) -> Classes:
        """The classes with their shares of the images that have one."""
        counts = self.counts
        return Classes(self.names, (counts / counts.sum()).tolist())

    @property
    def words(self) -> str:
        """A line for the log: how many images of which class, and how many are left out."""
        parts = ", ".join(f"{name} {count}" for name, count in zip(self.names, self.counts, strict=True))
        return f"classes by {self.column}: {parts}; {int((self.of_row < 0).sum())} images without one are left out"


def read(table: pd.DataFrame, wanted: Labels, key: str, what: str = "the bank") -> Labelled:
    """The class of every row of a set's table; an empty cell, or a value that is no class, has none.

    Args:
        key: of the setting, what: the set, for messages.

    Raises:
        DataError: no such column, no numbers where they are cut, numbers that are neither cut nor whole, too many
            values, or no row with a class.
    """
    if wanted.column not in table:
        raise DataError(
            f"{key}.column: {what} has no column {wanted.column!r}{nearest(wanted.column, list(table.columns))}"
        )
    values = table[wanted.column]
    if wanted.cuts:
        names, of_row = _by_cuts(values, wanted.cuts, key)
    else:
        names, of_row = _by_value(values, wanted.names, key)
    if not (of_row >= 0).any():
        raise DataError(f"{key}.column: no image of {what} has a class by {wanted.column!r}")
    return Labelled(wanted.column, tuple(names), of_row)


def _by_cuts(values: pd.Series, cuts: Sequence[float], key: str) -> tuple[list[str], np.ndarray]:
    """Classes between cuts; a value that is one belongs to what lies above it."""
    if not pd.api.types.is_numeric_dtype(values):
        raise DataError(f"{key}.cuts: the column {values.name!r} holds no numbers that could be cut; leave cuts out")
    between = [f"{low:g} to {high:g}" for low, high in pairwise(cuts)]
    numbers = values.to_numpy(float)
    of_row = np.where(np.isfinite(numbers), np.searchsorted(cuts, numbers, side="right"), -1)
    return [f"below {cuts[0]:g}", *between, f"{cuts[-1]:g} and above"], of_row.astype(np.int64)


def _by_value(values: pd.Series, names: Sequence[str] | None, key: str) -> tuple[list[str], np.ndarray]:
    """A class for each value, sorted, or those of `names` alone."""
    numeric, there = pd.api.types.is_numeric_dtype(values), values.notna() & (values != "")
    if numeric and (values[there] % 1 != 0).any():
        raise DataError(f"{key}.cuts: is needed, as the column {values.name!r} holds numbers that are not whole")
    words = [f"{value:.0f}" if numeric else str(value) for value in sorted(values[there].unique())]
    names = list(names or words)
    if len(names) > MOST_CLASSES:
        raise DataError(f"{key}.column: {values.name!r} has {len(names)} values; classes are {MOST_CLASSES} at most")
    number = {name: k for k, name in enumerate(names)}
    texts = [f"{value:.0f}" if numeric else str(value) for value in values[there]]
    of_row = np.full(len(values), -1, np.int64)
    of_row[there.to_numpy()] = [number.get(text, -1) for text in texts]
    return names, of_row
