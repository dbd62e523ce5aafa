"""A segmenter judged on nodule patches: Dice of windows that show the nodule anywhere, by size, texture and readers.

The nodule of a patch is in its middle. A window is drawn anywhere in the patch, so that a network that has learnt the
place and not the nodule fails; the mean is over several draws.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from scipy import ndimage

from lungsynth.ct.shape import ball_mm3, equivalent_diameter_mm, roundness
from lungsynth.segment.inference.candidates import levels_from, shape_score
from lungsynth.segment.scoring.detection import draw_weights, ratio_interval
from lungsynth.study.errors import DataError
from lungsynth.study.seeds import rng

DRAWS = 3
AGREEMENT = ("network_to_readers", "between_readers")
"""Columns of nodules: how well the network agrees with each reader, and the readers with each other."""
CONTEXT = ("dice_seen_whole", "dice_whole", "untouched", "untouched_whole")
"""Columns of nodules: Dice of the windows' pixels where the whole patch was seen, that of the whole patch, and in what
share of the windows, or whether in the whole patch, nothing was found of the nodule."""
LEVELS = tuple(round(0.3 + 0.05 * k, 2) for k in range(9))
"""Thresholds of the probability that are tried on tune patches."""

GROUPS: dict[str, Callable[[pd.DataFrame], pd.Series]] = {
    "all": lambda rows: rows["n_readers_slice"] > 0,
    "1 reader": lambda rows: rows["n_readers_slice"] == 1,
    "2 readers": lambda rows: rows["n_readers_slice"] == 2,
    "3 or more readers": lambda rows: rows["n_readers_slice"] >= 3,
    "below 6 mm": lambda rows: rows["eq_diam_mm"] < 6,
    "6 to 10 mm": lambda rows: (rows["eq_diam_mm"] >= 6) & (rows["eq_diam_mm"] < 10),
    "10 mm and more": lambda rows: rows["eq_diam_mm"] >= 10,
    "texture below 3": lambda rows: rows["texture"] < 3,
    "texture 3 and more": lambda rows: rows["texture"] >= 3,
}
"""Name -> which rows of nodules.csv belong to it; texture is the readers' mean rating, 1 ground glass to 5 solid."""


def windows(
    images: np.ndarray, masks: np.ndarray, names: Sequence[int], size: int, seed: int, draw: int
) -> tuple[np.ndarray, np.ndarray]:
    """One window a patch, drawn anywhere in it: HU int16 and masks uint8 [n, size, size].

    Each patch has a stream of its own by its name [n], so that leaving others out does not move its window.

    Raises:
        DataError: the patches are smaller than a window.
    """
    room = images.shape[-1] - size
    if room < 0:
        raise DataError(
            f"patches of {images.shape[-1]} px are smaller than windows of {size} px; give larger patches, or a "
            f"smaller window_px"
        )
    cut = []
    for name, image, mask in zip(names, images, masks, strict=True):
        top, left = rng(seed, "patch windows", draw, int(name)).integers(0, room + 1, size=2)
        box = (slice(top, top + size), slice(left, left + size))
        cut.append((image[box], mask[box]))
    hu, mask = zip(*cut, strict=True)
    return np.stack(hu), np.stack(mask)


def dice(found: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """2 |A and B| / (|A| + |B|) of each image, [n], 1 where both are empty; found: bool, masks: 0/1 [n, h, w]."""
    masks = masks > 0
    total = found.sum(axis=(1, 2)) + masks.sum(axis=(1, 2))
    return np.where(total > 0, 2 * (found & masks).sum(axis=(1, 2)) / np.maximum(total, 1), 1.0)


def untouched(found: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Of which images not one pixel of the mask was found, bool [n]; arguments as of `dice`."""
    masks = masks > 0
    return masks.any(axis=(1, 2)) & ~(found & masks).any(axis=(1, 2))


def to_readers(found: np.ndarray, votes: np.ndarray, readers: np.ndarray) -> np.ndarray:
    """How well masks agree with each of a nodule's readers, [n]: 2 sum_N v / (r |N| + sum v) of votes v of r readers.

    It is the Dice with one reader, both sums of it taken over all of them.

    Args:
        found: bool [n, h, w]; votes: how many readers' outlines hold each pixel, uint8 [n, h, w]; readers: [n].
    """
    sizes = readers * found.sum(axis=(1, 2)) + votes.sum(axis=(1, 2), dtype=int)
    return np.where(sizes > 0, 2 * (found * votes).sum(axis=(1, 2), dtype=int) / np.maximum(sizes, 1), 1.0)


def between_readers(votes: np.ndarray, readers: np.ndarray) -> np.ndarray:
    """How well a nodule's readers agree with each other, [n]: sum v (v - 1) / ((r - 1) sum v); NaN of one reader's.

    votes, readers: as of `to_readers`.
    """
    votes = votes.astype(int)
    pairs, total = (votes * (votes - 1)).sum(axis=(1, 2)), (readers - 1) * votes.sum(axis=(1, 2))
    return np.where(total > 0, pairs / np.maximum(total, 1), np.nan)


def scored(
    probability: Callable[[np.ndarray], np.ndarray],
    images: np.ndarray,
    masks: np.ndarray,
    names: Sequence[int],
    size: int,
    levels: tuple[float, ...],
    seed: int,
) -> np.ndarray:
    """Dice of every patch at every threshold in every draw, float64 [draws, levels, n].

    probability: HU int16 [n, size, size] -> 0..1 of the same shape. images, masks: [n, h, h]; names: [n],
    see `windows`.
    """
    out = []
    for draw in range(DRAWS):
        hu, mask = windows(images, masks, names, size, seed, draw)
        p = probability(hu)
        out.append([dice(p >= level, mask) for level in levels])
    return np.array(out)


def agreement(
    looks: Sequence[np.ndarray],
    level: float,
    images: np.ndarray,
    votes: np.ndarray,
    readers: np.ndarray,
    names: Sequence[int],
    size: int,
    seed: int,
) -> dict[str, np.ndarray]:
    """`AGREEMENT` of every nodule in the windows that `scored` has drawn, means over its draws; NaN of one reader's.

    looks: the probability 0..1 [n, size, size] of each draw; the rest: as of `scored` and `to_readers`.
    """
    cut = [windows(images, votes, names, size, seed, draw)[1] for draw in range(len(looks))]
    ours = [to_readers(p >= level, seen, readers) for p, seen in zip(looks, cut, strict=True)]
    theirs = np.mean([between_readers(seen, readers) for seen in cut], axis=0)
    return dict(zip(AGREEMENT, (np.where(np.isnan(theirs), np.nan, np.mean(ours, axis=0)), theirs), strict=True))


def context(
    looks: Sequence[np.ndarray],
    whole: np.ndarray,
    level: float,
    images: np.ndarray,
    masks: np.ndarray,
    names: Sequence[int],
    size: int,
    seed: int,
) -> dict[str, np.ndarray]:
    """`CONTEXT` of every nodule: what more surroundings change; of windows the mean over the draws of `scored`.

    whole: the probability 0..1 [n, h, h] of the whole patches; the rest: as of `agreement` and `scored`.
    """
    found, same, missed = whole >= level, [], []
    for draw, p in enumerate(looks):
        seen, mask = windows(found, masks, names, size, seed, draw)
        same.append(dice(seen, mask))
        missed.append(untouched(p >= level, mask))
    of_windows = [np.mean(values, axis=0) for values in (same, missed)]
    columns = (of_windows[0], dice(found, masks), of_windows[1], untouched(found, masks).astype(float))
    return dict(zip(CONTEXT, columns, strict=True))


def summary(rows: pd.DataFrame, draws: np.ndarray, samples: int, confidence: float, seed: int) -> pd.DataFrame:
    """Mean Dice of each group with its bootstrap interval over patients, and of each draw.

    rows: patient_id, n_readers_slice, eq_diam_mm, texture; draws: Dice [draws, n]. Columns: group, nodules, patients,
    dice, low, high, draw_1 .. draw_n, spread (largest draw less the smallest), and the means of `CONTEXT` where rows
    have it. Where rows have `AGREEMENT`, NaN of one reader's nodules, the means of the others follow with their
    intervals.
    """
    people, codes = np.unique(rows["patient_id"].to_numpy(str), return_inverse=True)
    weights = draw_weights(people, samples, rng(seed, "patch scores", "bootstrap"))
    out = []
    for group, holds in GROUPS.items():
        chosen = holds(rows).to_numpy(bool)
        count = np.bincount(codes[chosen], minlength=len(people))
        total = np.bincount(codes[chosen], draws.mean(axis=0)[chosen], minlength=len(people))
        value, low, high = ratio_interval(total, count, weights, confidence)
        each = draws[:, chosen].mean(axis=1) if chosen.any() else np.full(len(draws), np.nan)
        row = {"group": group, "nodules": int(chosen.sum()), "patients": int((count > 0).sum())}
        row |= {"dice": value, "low": low, "high": high}
        row |= {f"draw_{number}": mean for number, mean in enumerate(each, start=1)}
        row["spread"] = float(np.ptp(each))
        row |= {name: rows[name][chosen].mean() for name in CONTEXT if name in rows}
        if set(AGREEMENT) <= set(rows):
            chosen = chosen & rows[AGREEMENT[1]].notna().to_numpy()
            count = np.bincount(codes[chosen], minlength=len(people))
            for name in AGREEMENT:
                total = np.bincount(codes[chosen], rows[name].to_numpy()[chosen], minlength=len(people))
                row[name], row[f"{name}_low"], row[f"{name}_high"] = ratio_interval(total, count, weights, confidence)
        out.append(row)
    return pd.DataFrame(out)


def shape_scores(probability: np.ndarray, masks: np.ndarray, mm_per_px: np.ndarray, threshold: float) -> np.ndarray:
    """The `shape_score` of each patch's nodule, were it as round across the slices as it is in its own, float64 [n].

    probability: 0..1 [n, h, h]; masks: 0/1 [n, h, h]; mm_per_px: [n]. As in a scan, the best part above the threshold
    or a higher level counts, of those that share pixels with the mask; 0 where there is none.
    """
    out = np.zeros(len(probability))
    for number, (p, mask, mm) in enumerate(zip(probability, masks > 0, mm_per_px, strict=True)):
        for level in levels_from(threshold):
            parts, _ = ndimage.label(p >= level, np.ones((3, 3)))
            for label in np.unique(parts[mask & (parts > 0)]):
                out[number] = max(out[number], _ball_score(p, parts == label, mm))
    return out


def _ball_score(p: np.ndarray, part: np.ndarray, mm: float) -> float:
    """The shape score of the ball with the area of a part [h, h]: its compactness is the plane's to the power 3/2."""
    return float(shape_score(p[part].max(), roundness(part) ** 1.5, ball_mm3(equivalent_diameter_mm(part, mm))))
