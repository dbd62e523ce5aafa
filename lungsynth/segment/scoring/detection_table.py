"""The rows of detection.csv: sensitivity, false positives, FROC, accuracy and Dice of a system, with intervals.

Intervals are bootstraps over patients, never over nodules: those of one patient resemble each other.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import ndimage

from lungsynth.ct.volume import Volume
from lungsynth.segment.scoring import detection
from lungsynth.segment.scoring.detection import XYZ, Curve, match
from lungsynth.segment.scoring.threshold import OperatingPoint
from lungsynth.sets import boxes

ENDS = ("", "_low", "_high")
"""Of the columns of a value and its bounds."""


@dataclass(frozen=True)
class Draws:
    """How often each scan is drawn, int [draws, scans], and the confidence of the intervals made from it."""

    weights: np.ndarray
    confidence: float = 0.95


def nodule_dice(nodules: np.ndarray, labels: np.ndarray) -> dict[int, float]:
    """Dice of every nodule against the candidates that touch it, over the slices that it has pixels in.

    nodules: labels 1..n [z, y, x] of the reference; labels: of the candidates shown, int [z, y, x]. A candidate that
    grows beyond the nodule counts in full in these slices; a missed nodule has 0.
    """
    result = {}
    for label, box in enumerate(ndimage.find_objects(nodules), start=1):
        if box is None:
            continue
        here = nodules[box] == label
        touching = np.unique(labels[box][here])
        found = np.isin(labels[box[0]], touching[touching > 0])
        shared = np.count_nonzero(found[:, box[1], box[2]] & here)
        result[label] = 2 * shared / (np.count_nonzero(found) + np.count_nonzero(here))
    return result


def largest_near(probability: np.ndarray, volume: Volume, xyz_mm: np.ndarray, radius_mm: np.ndarray) -> np.ndarray:
    """The largest probability (0..1) within `radius_mm` [n] of each place [n, 3] of a uint8 volume, [n]."""
    out = np.zeros(len(xyz_mm))
    spacing = np.asarray(volume.spacing_mm)
    for n, (centre, radius) in enumerate(zip(volume.to_index(xyz_mm), radius_mm, strict=True)):
        low = np.maximum(0, np.floor(centre - radius / spacing).astype(int))
        high = np.minimum(volume.hu.shape, np.ceil(centre + radius / spacing).astype(int) + 1)
        if (high <= low).any():
            continue
        grid = np.stack(np.meshgrid(*map(np.arange, low, high), indexing="ij"), axis=-1)
        inside = (((grid - centre) * spacing) ** 2).sum(-1) <= radius**2
        part = probability[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
        out[n] = part[inside].max(initial=0) / 255
    return out


def patch_list(
    annotations: pd.DataFrame, blobs: pd.DataFrame, scans: list[str], rng: np.random.Generator
) -> pd.DataFrame:
    """The balanced list behind the accuracy (FACTS 3.5, `patch`): nodules, and as many blobs that hit none.

    blobs: candidates of the baseline; those that hit no nodule look like one and are none. Each gets the diameter of a
    nodule, so that size does not tell the classes apart. Columns: scan, x_mm, y_mm, z_mm, diameter_mm, nodule (bool).
    """
    nodules = annotations[annotations["scan"].isin(scans)].reset_index(drop=True)
    pool = []
    for scan in scans:
        here, blob = nodules[nodules["scan"] == scan], blobs[blobs["scan"] == scan]
        distance = np.sqrt(((blob[XYZ].to_numpy()[:, None] - here[XYZ].to_numpy()[None]) ** 2).sum(-1))
        far = (distance >= here["diameter_mm"].to_numpy() / 2 + 5).all(axis=1)
        pool.append(blob[far & ~boxes.hits(here[boxes.boxed(here)], blob).any(axis=0)])
    others = pd.concat(pool, ignore_index=True)
    n = min(len(nodules), len(others))
    columns = ["scan", *XYZ, "diameter_mm"]
    chosen = nodules.iloc[np.sort(rng.choice(len(nodules), n, replace=False))][columns].assign(nodule=True)
    drawn = others.iloc[np.sort(rng.choice(len(others), n, replace=False))][columns].assign(nodule=False)
    drawn["diameter_mm"] = rng.permutation(chosen["diameter_mm"].to_numpy())
    return pd.concat([chosen, drawn], ignore_index=True)


def with_probability(patches: pd.DataFrame, maps: dict[str, Volume]) -> pd.DataFrame:
    """The list with a column `probability`: the largest within the patch's radius in the scan's uint8 map."""
    values = np.zeros(len(patches))
    for scan, volume in maps.items():
        here = (patches["scan"] == scan).to_numpy()
        places, radius = patches.loc[here, XYZ].to_numpy(float), patches.loc[here, "diameter_mm"].to_numpy(float) / 2
        values[here] = largest_near(volume.hu, volume, places, radius)
    return patches.assign(probability=values)


def accuracy(patches: pd.DataFrame, scans: list[str], draws: Draws) -> tuple[float, float, float]:
    """Share of the balanced list that is told right at .5, with its interval; patches: + column `probability`."""
    right = (patches["probability"] >= 0.5) == patches["nodule"]
    at = pd.Index(scans).get_indexer(patches["scan"])
    counts = [np.bincount(at[which], minlength=len(scans)) for which in (right.to_numpy(), np.ones(len(at), bool))]
    return detection.ratio_interval(*counts, draws.weights, draws.confidence)


def mean_dice(dice: pd.DataFrame, scans: list[str], draws: Draws) -> tuple[float, float, float]:
    """Mean Dice over nodules (missed ones 0) with its interval; dice: one row a nodule, columns scan, dice."""
    at = pd.Index(scans).get_indexer(dice["scan"])
    total = np.bincount(at, dice["dice"], minlength=len(scans))
    return detection.ratio_interval(total, np.bincount(at, minlength=len(scans)), draws.weights, draws.confidence)


def outside_lungs(annotations: pd.DataFrame, scans: list[str]) -> int:
    """How many nodules of the scans lie outside the lungs by their masks, where no candidate is looked for."""
    here = annotations[annotations["scan"].isin(scans)]
    return int((here["inside_lung_mm"] < 0).sum()) if "inside_lung_mm" in here else 0


def voxel_columns(
    patches: pd.DataFrame, maps: dict[str, Volume | None], dice: pd.DataFrame, scans: list[str], draws: Draws
) -> dict[str, float]:
    """Accuracy and Dice with their bounds, for the row of a detector; NaN where it gives no probability.

    patches: of `patch_list`; maps: uint8 probability of each scan; dice: one row a nodule, columns scan, dice.
    """
    none = (float("nan"),) * 3
    if any(volume is None for volume in maps.values()):
        values = {"accuracy": none, "dice": none}
    else:
        sure = accuracy(with_probability(patches, maps), scans, draws)
        values = {"accuracy": sure, "dice": mean_dice(dice, scans, draws)}
    return {f"{what}{end}": one for what, three in values.items() for end, one in zip(ENDS, three, strict=True)}


def detection_row(
    system: str,
    marks: pd.DataFrame,
    annotations: pd.DataFrame,
    scans: list[str],
    point: OperatingPoint,
    draws: Draws,
    excluded: pd.DataFrame | None = None,
) -> dict[str, float | int | str]:
    """One system on the test scans: counts and sensitivity at its operating point, CPM over all its marks.

    marks: all candidates at the point's threshold, whatever their score.
    """
    matched = match(marks, annotations, scans, excluded)
    shown = match(marks[marks["probability"] >= point.probability], annotations, scans, excluded)
    found, nodules, false = detection.counts_at(matched, point.probability)
    value, low, high = detection.ratio_interval(found, nodules, draws.weights, draws.confidence)
    curve = detection.bootstrap(Curve(matched), draws.weights, confidence=draws.confidence)
    return {
        "system": system,
        "scans": len(scans),
        "nodules": int(nodules.sum()),
        "found": int(found.sum()),
        "outside_lungs": outside_lungs(annotations, scans),
        "sensitivity": value,
        "sensitivity_low": low,
        "sensitivity_high": high,
        "false_positives_per_scan": float(false.sum() / len(scans)),
        "candidates_per_scan": shown.candidates_per_scan,
        "cpm": detection.cpm(Curve(matched)),
        "cpm_low": curve.cpm_low,
        "cpm_high": curve.cpm_high,
        "threshold": point.threshold,
        "probability": point.probability,
    }


def froc_table(system: str, matched: detection.Matched, draws: Draws) -> pd.DataFrame:
    """Sensitivity at the seven rates with its interval, one row a rate, for the report's curve."""
    curve = Curve(matched)
    outcome = detection.bootstrap(curve, draws.weights, confidence=draws.confidence)
    values = {"false_positives_per_scan": detection.RATES, "sensitivity": curve.at()}
    return pd.DataFrame({"system": system, **values, "low": outcome.low, "high": outcome.high})
