"""The plan: which of all combinations are kept, as an index (FACTS 6). Nothing is rendered here."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from lungsynth.compose.clearance import Scores
from lungsynth.study.errors import DataError, StudyError
from lungsynth.study.seeds import torch_seeds
from lungsynth.study.stages.compose import Plan

QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Choice:
    """Flat row-major indices of the kept pairs, best first, and the score at the cut with its number of ties."""

    kept: np.ndarray
    threshold: float
    tied: int


def choose(score: np.ndarray, keep: int, max_per_normal: int | None = None, max_per_group: int | None = None) -> Choice:
    """The `keep` best pairs of `score` float32 [normals, groups], by (-score, normal, group).

    With bounds the list is walked from the best down and a pair is passed over whose normal or group is full.

    Raises:
        StudyError: `keep` is more than there are pairs.
        ValueError: a score is NaN.
        DataError: too few pairs have a score, or the bounds leave too few.
    """
    flat = np.ravel(score)
    if np.isnan(flat).any():
        raise ValueError(f"{int(np.isnan(flat).sum())} scores are NaN")
    if keep > flat.size:
        raise StudyError(
            f"compose.plan.keep: {keep} is more than the {flat.size} combinations of {score.shape[0]} normals and "
            f"{score.shape[1]} groups; lower it or raise compose.groups.count"
        )
    if max_per_normal is None and max_per_group is None:
        kept = _best(flat, keep)
    else:
        kept = _best_bounded(score, keep, max_per_normal, max_per_group)
    if len(kept) < keep or not np.isfinite(flat[kept]).all():
        fit = int(np.isfinite(flat[kept]).sum())
        raise DataError(
            f"only {fit} of {keep} composites can be kept ({int(np.isfinite(flat).sum())} of {flat.size} "
            "combinations lie inside the lungs): lower compose.plan.keep, raise compose.groups.count or "
            "compose.plan.max_per_normal or max_per_group"
        )
    threshold = flat[kept[-1]]
    return Choice(kept, float(threshold), int(np.count_nonzero(flat == threshold)))


def _best(flat: np.ndarray, keep: int) -> np.ndarray:
    """All above the threshold, then the first of those equal to it; a partition is five times as fast as a sort."""
    threshold = np.partition(flat, flat.size - keep)[flat.size - keep]
    above = np.flatnonzero(flat > threshold)
    above = above[np.argsort(-flat[above], kind="stable")]
    return np.concatenate([above, np.flatnonzero(flat == threshold)[: keep - len(above)]])


def _best_bounded(score: np.ndarray, keep: int, max_per_normal: int | None, max_per_group: int | None) -> np.ndarray:
    flat, n_groups = np.ravel(score), score.shape[1]
    left_normal = [max_per_normal or flat.size] * score.shape[0]
    left_group = [max_per_group or flat.size] * n_groups
    kept = []
    for index in np.argsort(-flat, kind="stable").tolist():
        i, j = divmod(index, n_groups)
        if left_normal[i] and left_group[j]:
            left_normal[i] -= 1
            left_group[j] -= 1
            kept.append(index)
            if len(kept) == keep:
                break
    return np.array(kept, int)


def make_plan(scores: Scores, settings: Plan, seed: int) -> tuple[pd.DataFrame, dict]:
    """The plan's rows and a summary for people.

    Returns:
        Rows normal int32, group int32 (indices into the pool of normals and the groups), clearance_mm float32, rank
        (0 the best), seed (int64, a function of the study's seed and the pair, so that it names the composite); and
        what `summary` gives.
    """
    choice = choose(scores.score, settings.keep, settings.max_per_normal, settings.max_per_group)
    normal, group = np.divmod(choice.kept, scores.score.shape[1])
    rows = {
        "normal": normal.astype(np.int32),
        "group": group.astype(np.int32),
        "clearance_mm": np.ravel(scores.clearance_mm)[choice.kept],
        "rank": np.arange(len(normal), dtype=np.int32),
        "seed": np.array(torch_seeds(seed, "composite", zip(normal.tolist(), group.tolist(), strict=True)), np.int64),
    }
    return pd.DataFrame(rows), summary(scores, choice)


def summary(scores: Scores, choice: Choice) -> dict:
    """Plain values: clearance of kept, dropped and impossible pairs, and how evenly normals and groups are used."""
    clearance, flat = np.ravel(scores.clearance_mm), np.ravel(scores.score)
    kept = np.zeros(flat.size, bool)
    kept[choice.kept] = True
    possible = np.isfinite(flat)
    normal, group = np.divmod(choice.kept, scores.score.shape[1])
    return {
        "combinations": int(flat.size),
        "inside_the_lungs": int(possible.sum()),
        "kept": len(choice.kept),
        "score_at_the_cut": choice.threshold,
        "tied_at_the_cut": choice.tied,
        "clearance_mm_kept": _quantiles(clearance[kept]),
        "clearance_mm_dropped": _quantiles(clearance[~kept & possible]),
        "clearance_mm_impossible": _quantiles(clearance[~possible]),
        "share_of_each_normal": _shares(normal, scores.score.shape[0]),
        "share_of_each_group": _shares(group, scores.score.shape[1]),
    }


def _quantiles(values: np.ndarray) -> list[float]:
    return [round(float(q), 3) for q in np.quantile(values, QUANTILES)] if len(values) else []


def _shares(index: np.ndarray, n: int) -> dict[str, float | int]:
    counts = np.bincount(index, minlength=n)
    share = counts / max(1, counts.sum())
    named = {"min": share.min(), "median": np.median(share), "max": share.max()}
    return {name: round(float(value), 6) for name, value in named.items()} | {"used": int((counts > 0).sum()), "of": n}
