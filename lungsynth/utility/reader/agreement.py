"""How far readers agree beyond chance: Cohen's kappa of two (1960), Fleiss's of several (1971)."""

from itertools import combinations

import numpy as np
import pandas as pd

NAN = float("nan")
COLUMNS = ("readers", "pictures", "agreement", "kappa")


def cohen(one: np.ndarray, other: np.ndarray) -> float:
    """Kappa of two readers' answers to the same pictures; NaN where both gave one and the same answer throughout."""
    one, other = np.asarray(one), np.asarray(other)
    if not len(one):
        return NAN
    names = np.unique(np.concatenate([one, other]))
    by_chance = sum(float((one == name).mean() * (other == name).mean()) for name in names)
    return _beyond(float((one == other).mean()), by_chance)


def fleiss(answers: np.ndarray) -> float:
    """Kappa of several readers, answers [pictures, readers]; NaN where there was one answer only."""
    answers = np.asarray(answers)
    pictures, readers = answers.shape
    if not pictures or readers < 2:
        return NAN
    counts = _counts(answers)
    by_chance = float(np.square(counts.sum(axis=0) / counts.sum()).sum())
    return _beyond(_pairs_agreeing(counts, readers), by_chance)


def _counts(answers: np.ndarray) -> np.ndarray:
    """How many readers gave each answer to a picture, [pictures, answers]."""
    return np.stack([(answers == name).sum(axis=1) for name in np.unique(answers)], axis=1)


def _pairs_agreeing(counts: np.ndarray, readers: int) -> float:
    return float(((counts * (counts - 1)).sum(axis=1) / (readers * (readers - 1))).mean())


def _beyond(seen: float, by_chance: float) -> float:
    return NAN if by_chance >= 1 else (seen - by_chance) / (1 - by_chance)


def agreement(answers: pd.DataFrame) -> pd.DataFrame:
    """Kappa of every pair of readers, and of all where there are three or more (COLUMNS); no rows of a single one.

    Args:
        answers: reader, id, answer. What not all of a row's readers answered is left out of it.
    """
    table, rows = answers.pivot(index="id", columns="reader", values="answer"), []
    for pair in combinations(table.columns, 2):
        both = table[list(pair)].dropna()
        one, other = (both[name].to_numpy() for name in pair)
        seen = float((one == other).mean()) if len(both) else NAN
        rows.append((" and ".join(pair), len(both), seen, cohen(one, other)))
    if len(table.columns) > 2:
        every = table.dropna().to_numpy()
        seen = _pairs_agreeing(_counts(every), every.shape[1]) if len(every) else NAN
        rows.append((f"all {len(table.columns)} (Fleiss)", len(every), seen, fleiss(every)))
    return pd.DataFrame(rows, columns=list(COLUMNS))
