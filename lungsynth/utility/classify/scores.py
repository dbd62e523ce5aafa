"""What a classifier scores: numbers from confusion tables, drawn again by patient."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lungsynth.ct.files import sha256
from lungsynth.sets.resampling import draw_counts, percentile_interval
from lungsynth.sets.tables import read_json, read_users_csv
from lungsynth.study.seeds import rng as named_rng

METRICS = ("accuracy", "precision", "recall", "f1", "balanced_accuracy")
"""Precision, recall and F1 are means over the classes; recall of that kind is balanced accuracy by definition."""
APPROACHES = {
    "base": ("real", "test"),
    "gan_train": ("generated", "test"),
    "gan_test": ("real", "generated"),
    "combined": ("combined", "test"),
}
"""By approach: what a classifier has learnt from, and what it is tested on (Shmelkov 2018; FACTS 7.1, 7.2).

Draw.AI's real, synthetic and combined are base, gan_train and combined.
"""


def metrics(confusion: np.ndarray) -> np.ndarray:
    """`METRICS` of confusion tables [..., k, k], rows the truth and columns what was predicted: float64 [..., 5].

    Of a class that nothing was predicted as, precision is 0. Where a class has no image, means over the classes are
    NaN.
    """
    right = np.diagonal(confusion, axis1=-2, axis2=-1)
    there, said = confusion.sum(-1), confusion.sum(-2)
    with np.errstate(invalid="ignore", divide="ignore"):
        recall = (right / there).mean(-1)
        precision = (right / np.where(there, np.maximum(said, 1), np.nan)).mean(-1)
        f1 = (2 * right / np.where(there, there + said, np.nan)).mean(-1)
        accuracy = right.sum(-1) / there.sum(-1)
    return np.stack([accuracy, precision, recall, f1, recall], axis=-1)


def symmetric_difference(one: float, other: float) -> float:
    """|a - b| / ((a + b) / 2): what GIST's text gives as the difference of two accuracies (FACTS 7.1)."""
    return abs(one - other) / ((one + other) / 2)


@dataclass(frozen=True)
class Said:
    """What one training says of its test images.

    Attributes:
        facts: of `train_classifier`: kind, trained_on, seed, classes, learnt.
        table: its predictions: id, patient, set, truth, predicted, all text.
        sha256: of their file.
    """

    facts: dict[str, Any]
    table: pd.DataFrame
    sha256: str


def read_said(predictions: Path, facts: Path) -> Said:
    """What `train_classifier` left of one training.

    Raises:
        DataError: a file is missing or damaged.
    """
    columns = ("id", "patient", "set", "truth", "predicted")
    return Said(read_json(facts), read_users_csv(predictions, dict.fromkeys(columns, "text")), sha256(predictions))


@dataclass(frozen=True)
class Tested:
    """One training tested by one approach.

    Attributes:
        said: the training; approach: one of `APPROACHES`.
        by_unit: confusion tables float64 [units, k, k] by patient, or by image where it is generated.
        drawn: metrics of the bootstrap's draws [draws, 5]; NaN where there are fewer than two units.
    """

    said: Said
    approach: str
    by_unit: np.ndarray
    drawn: np.ndarray

    @property
    def confusion(self) -> np.ndarray:
        """Images by truth and prediction, [k, k]."""
        return self.by_unit.sum(0)

    @property
    def values(self) -> np.ndarray:
        """`METRICS` of all its images."""
        return metrics(self.confusion)


def by_approach(trainings: Sequence[Said], seed: int, draws: int) -> list[Tested]:
    """Every training by every approach that it serves.

    Test patients are drawn again, and generated images; all trainings see the same draws of each set, so that what they
    score on it can be held against each other draw by draw.
    """
    found = {}
    for name in ("test", "generated"):
        tables = {k: _units(one.table[one.table["set"] == name]) for k, one in enumerate(trainings)}
        units = sorted({unit for table in tables.values() for unit in table["unit"]})
        counts = draw_counts(len(units), draws, named_rng(seed, "utility", "bootstrap", name)) if units else None
        for k, table in tables.items():
            if len(table):
                by_unit = _by_unit(table, units, trainings[k].facts["classes"])
                found[k, name] = by_unit, _drawn(by_unit, counts)
    return [
        Tested(one, approach, *found[k, on])
        for approach, (learnt, on) in APPROACHES.items()
        for k, one in enumerate(trainings)
        if one.facts["trained_on"] == learnt
    ]


def _units(table: pd.DataFrame) -> pd.DataFrame:
    """With the column `unit`: the patient, or the image where some have none."""
    named = table["patient"].ne("").all()
    return table.assign(unit=table["patient"] if named else table["id"])


def _by_unit(table: pd.DataFrame, units: Sequence[str], classes: Sequence[str]) -> np.ndarray:
    place, number = ({name: k for k, name in enumerate(names)} for names in (units, classes))
    confusions = np.zeros((len(units), len(classes), len(classes)))
    where = table["unit"].map(place), table["truth"].map(number), table["predicted"].map(number)
    np.add.at(confusions, tuple(column.to_numpy(int) for column in where), 1)
    return confusions


def _drawn(by_unit: np.ndarray, counts: np.ndarray) -> np.ndarray:
    if len(by_unit) < 2:  # one patient says how he varies, and not how patients do
        return np.full((len(counts), len(METRICS)), np.nan)
    flat = counts @ by_unit.reshape(len(by_unit), -1)
    return metrics(flat.reshape(len(counts), *by_unit.shape[1:]))


def interval(value: float, drawn: np.ndarray, level: float) -> tuple[float, float]:
    """The bootstrap's interval of a value, (NaN, NaN) where nothing could be drawn."""
    return percentile_interval(value, drawn, level) if np.isfinite(drawn).any() else (np.nan, np.nan)
