"""The lesion gate: what refinement did to every lesion that was laid, and whether it made up new ones.

A lesion is erased when its contrast (mean HU in the mask minus mean HU in the ring outside it) falls below a share of
that before; lost when the segmenter found it before and not after; moved when the centre of what the segmenter finds
lies too far from where it was laid. An invented lesion is a segmented part that meets no lesion laid and nothing that
was suspected before, and that is new in the image: it stands out from its surroundings by more than it did, for a
probability may pass its threshold without any change that a reader could see. All is judged by masks and probabilities
as arrays: the network is the caller's.
"""

import numpy as np
import pandas as pd
from scipy import ndimage, stats

from lungsynth.ct import nodule, shape
from lungsynth.sets.proportions import share
from lungsynth.study.stages.refine import Gate

LESION_COLUMNS = (
    *("image", "lesion", "diameter_mm", "contrast_before", "contrast_after", "found_before", "found_after"),
    *("shift_before_mm", "shift_mm", "erased", "lost", "moved_before", "moved"),
)
IMAGE_COLUMNS = (
    *("image", "lesions", "erased", "lost", "moved", "invented", "largest_invented_mm"),
    *("lung_hu_before", "lung_hu_after", "keep"),
)
EIGHT = np.ones((3, 3), int)
UNCHOSEN = 0.5
"""The threshold where no slice could choose one."""


def judge(
    before: np.ndarray,
    after: np.ndarray,
    masks: np.ndarray,
    probability_before: np.ndarray,
    probability_after: np.ndarray,
    threshold: float,
    mm_per_px: float,
    settings: Gate,
    lungs: np.ndarray | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What happened to n composites.

    Args:
        before, after: int16 HU [n, h, w], composites and what the refiner made of them.
        masks: uint8 [n, h, w], k in the pixels of the k-th lesion laid.
        probability_before, probability_after: the segmenter's, 0..1 [n, h, w].
        threshold: its operating point; what reaches it is segmented.
        lungs: labels [n, h, w]; where given, segmented parts outside the lungs are no inventions, and the mean HU of
            the lungs (without lesions) is compared.

    Returns:
        One row a lesion (LESION_COLUMNS) and one an image (IMAGE_COLUMNS); `image` is the place in the arrays.
        Shifts are empty where nothing was segmented, contrasts where a ring has no pixel. `keep` is False where a
        lesion was erased, lost or moved, or one invented.
    """
    lesion_rows, image_rows = [], []
    for k in range(len(masks)):
        parts = [_parts(probability[k] >= threshold) for probability in (probability_before, probability_after)]
        suspected = probability_before[k] >= settings.suspected_share * threshold
        rows = [
            {"image": k, "lesion": label} | _lesion((before[k], after[k]), masks[k], label, parts, mm_per_px, settings)
            for label in map(int, np.unique(masks[k][masks[k] > 0]))
        ]
        inside = None if lungs is None else lungs[k] > 0
        invented = _invented(parts[1], suspected, masks[k], inside, (before[k], after[k]), mm_per_px, settings)
        image_rows.append({"image": k} | _image(rows, invented, (before[k], after[k]), masks[k], inside))
        lesion_rows += rows
    return (
        pd.DataFrame(lesion_rows, columns=list(LESION_COLUMNS)),
        pd.DataFrame(image_rows, columns=list(IMAGE_COLUMNS)),
    )


def _parts(segmented: np.ndarray) -> np.ndarray:
    """Connected parts (8 neighbours) of a bool [h, w], labelled from 1."""
    return ndimage.label(segmented, EIGHT)[0]


def _lesion(
    images: tuple, masks: np.ndarray, label: int, parts: list[np.ndarray], mm_per_px: float, settings: Gate
) -> dict:
    where = masks == label
    diameter = shape.equivalent_diameter_mm(where, mm_per_px)
    contrast = [nodule.contrast(image, masks, label, settings.ring_mm, mm_per_px) for image in images]
    limit = max(settings.move_mm, settings.move_radius_share * diameter / 2)
    shift = [_shift_mm(found, where, mm_per_px) for found in parts]
    found = [not np.isnan(value) for value in shift]
    return {
        "diameter_mm": diameter,
        "contrast_before": contrast[0],
        "contrast_after": contrast[1],
        "found_before": found[0],
        "found_after": found[1],
        "shift_before_mm": shift[0],
        "shift_mm": shift[1],
        # A lesion that never stood out (it lies on a vessel) has no contrast to lose.
        "erased": bool(contrast[0] > 0 and contrast[1] < settings.min_contrast_share * contrast[0]),
        "lost": found[0] and not found[1],
        "moved_before": bool(found[0] and shift[0] > limit),
        "moved": bool(found[1] and shift[1] > limit),
    }


def _shift_mm(parts: np.ndarray, where: np.ndarray, mm_per_px: float) -> float:
    """Distance of the mask's centre to that of the part that covers most of it; NaN where no part meets the mask.

    The whole part counts: where a vessel is segmented with the lesion, its centre is off before refinement too.
    """
    covered = np.bincount(parts[where], minlength=1)
    covered[0] = 0
    if not covered.any():
        return float("nan")
    centres = (shape.centroid_px(parts == covered.argmax()), shape.centroid_px(where))
    return float(np.hypot(*np.subtract(*centres)) * mm_per_px)


def _invented(
    parts: np.ndarray,
    suspected: np.ndarray,
    masks: np.ndarray,
    inside: np.ndarray | None,
    images: tuple[np.ndarray, np.ndarray],
    mm_per_px: float,
    settings: Gate,
) -> list[float]:
    """Diameters in mm of the parts that were made up; images: before and after."""
    known = (masks > 0) | suspected
    diameters = []
    for label in range(1, parts.max() + 1):
        part = parts == label
        in_lung = inside is None or bool((part & inside).any())
        diameter = shape.equivalent_diameter_mm(part, mm_per_px)
        if not in_lung or diameter < settings.invented_mm or (part & known).any():
            continue
        before, after = (nodule.contrast(image, part, 1, settings.ring_mm, mm_per_px) for image in images)
        if after - before >= settings.invented_hu:
            diameters.append(diameter)
    return diameters


def _image(
    lesions: list[dict], invented: list[float], images: tuple, masks: np.ndarray, inside: np.ndarray | None
) -> dict:
    counts = {name: sum(row[name] for row in lesions) for name in ("erased", "lost", "moved")}
    lung = np.zeros(masks.shape, bool) if inside is None else inside & (masks == 0)
    mean = [float(image[lung].mean()) if lung.any() else float("nan") for image in images]
    return {
        "lesions": len(lesions),
        **counts,
        "invented": len(invented),
        "largest_invented_mm": max(invented, default=0.0),
        "lung_hu_before": mean[0],
        "lung_hu_after": mean[1],
        "keep": not any(counts.values()) and not invented,
    }


def operating_point(
    probability: np.ndarray, masks: np.ndarray, empty: np.ndarray, lungs: np.ndarray, mm_per_px: float, settings: Gate
) -> dict[str, float | int | None]:
    """Where the segmenter works as the eye of the gate: the highest threshold that finds a share of real nodules.

    Args:
        probability, masks: of real slices with nodules, [n, h, w]; k in the pixels of the k-th.
        empty, lungs: probability in real slices without one, and their lungs, [m, h, w].

    Returns:
        threshold, the share of `nodules` that it finds, and the share of the `normals` in which it finds something: a
        judge that finds little, or something everywhere, proves nothing. Without a nodule the threshold is
        `UNCHOSEN`, and its share None.
    """
    best = np.array(
        [
            float(p[mask == k].max())
            for p, mask in zip(probability, masks, strict=True)
            for k in np.unique(mask[mask > 0])
        ]
    )
    threshold = settings.threshold
    if threshold is None:
        missed = int(len(best) * (1 - settings.sensitivity) + 1e-9)
        threshold = float(np.sort(best)[missed]) if len(best) else UNCHOSEN
    finds = [
        _finds_anything(p >= threshold, inside > 0, mm_per_px, settings) for p, inside in zip(empty, lungs, strict=True)
    ]
    return {
        "threshold": threshold,
        "sensitivity": float((best >= threshold).mean()) if len(best) else None,
        "nodules": len(best),
        "findings": float(np.mean(finds)) if finds else None,
        "normals": len(finds),
    }


def _finds_anything(segmented: np.ndarray, inside: np.ndarray, mm_per_px: float, settings: Gate) -> bool:
    parts = _parts(segmented)
    found = [parts == label for label in np.unique(parts[inside & (parts > 0)])]
    return any(shape.equivalent_diameter_mm(part, mm_per_px) >= settings.invented_mm for part in found)


def summary(lesions: pd.DataFrame, images: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """Shares with Wilson's intervals: rows what, of, hits, n, share, low, high.

    Erased, lost and moved are shares of all lesions laid. What the segmenter did not find before refinement cannot be
    judged lost and is counted apart, and so is what lay too far off before, which no refiner moved.
    """
    found = lesions["found_before"].astype(bool)
    counted = [
        ("erased", "lesions laid", lesions["erased"]),
        ("lost", "lesions laid", lesions["lost"]),
        ("moved", "lesions laid", lesions["moved"]),
        ("lost, of those found before", "lesions found before", lesions["lost"][found]),
        ("too far off before", "lesions laid", lesions["moved_before"]),
        ("moved by refinement", "lesions laid", lesions["moved"].astype(bool) & ~lesions["moved_before"].astype(bool)),
        ("not found before", "lesions laid", ~found),
        ("not found after", "lesions laid", ~lesions["found_after"].astype(bool)),
        ("without contrast before", "lesions laid", ~(lesions["contrast_before"] > 0)),
        ("with an invented lesion", "images", images["invented"] > 0),
        ("kept", "images", images["keep"]),
    ]
    return pd.DataFrame(
        [
            {"what": what, "of": of, **share(int(hits.astype(bool).sum()), len(hits), confidence)}
            for what, of, hits in counted
        ]
    )


def lung_shift(images: pd.DataFrame, confidence: float = 0.95) -> dict[str, float | int | None]:
    """Mean change of the lungs' density over images in HU, with Student's interval; None where there are too few.

    Args:
        images: lung_hu_before and lung_hu_after, empty where a slice shows no lung.
    """
    change = (images["lung_hu_after"] - images["lung_hu_before"]).dropna().to_numpy(float)
    found = {"n": len(change), "mean": float(change.mean()) if len(change) else None, "low": None, "high": None}
    if len(change) > 1:
        reach = stats.t.ppf(0.5 + confidence / 2, len(change) - 1) * change.std(ddof=1) / np.sqrt(len(change))
        found |= {"low": found["mean"] - float(reach), "high": found["mean"] + float(reach)}
    return found
