"""Which generated images are kept: valid ones, as near to real ones as real ones are, no copies, in the real proportion
of sizes.

"Highest similarity" (Chi 2023) is the cosine between an image's features and those of the nearest real image, among
images that are no copies (FACTS 8.7). An image gets likest by having nothing of its own: the smoothest, emptiest and
commonest come first, and a set that was selected so is worse than the one it was selected from. So likeness is a bound
here, which other patients' real images set, and among what passes the draw is even, unless a study prefers likeness.
Nodules are drawn within classes of diameter, slices within classes of lung area, that hold equally many real ones each,
and each class gives its share; pictures within the classes that they were drawn by.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from lungsynth.ct.shape import areas_mm2, two_lungs
from lungsynth.ct.window import to_unit
from lungsynth.features.similarity import copies_of, cosine_to_nearest
from lungsynth.sets.bank import ImageSet
from lungsynth.study.errors import TrainingError
from lungsynth.study.stages.generate import Selection

DIAMETER_CLASSES = 10
LEAST_IN_CLASS = 4


@dataclass(frozen=True)
class Chosen:
    """What was kept and why the rest was not.

    Attributes:
        rows: indices of the kept images, in their own order.
        similarity: cosine to the nearest real image, float64 [n], for all candidates.
        counts: candidates, kept, and refused images by reason.
        moved: images that stand in for a class of sizes which had too few.
    """

    rows: np.ndarray
    similarity: np.ndarray
    counts: dict[str, int]
    moved: int

    def summary(self) -> dict[str, Any]:
        """Plain values for selection.json."""
        kept = self.similarity[self.rows]
        known = ("candidates", "kept", "wanted")
        refused = {reason: count for reason, count in self.counts.items() if reason not in known}
        refused["valid, but not needed"] = self.counts["candidates"] - self.counts["kept"] - sum(refused.values())
        return {
            **{name: self.counts[name] for name in known},
            "refused": refused,
            "moved": self.moved,
            "similarity": {"mean": float(kept.mean()), "least": float(kept.min())},
        }


def select(
    generated: ImageSet,
    generated_features: np.ndarray,
    real: ImageSet,
    real_features: np.ndarray,
    settings: Selection,
    window_hu: tuple[float, float],
    what: Literal["nodules", "normals", "pictures"],
    rng: np.random.Generator,
    tune: ImageSet | None = None,
    tune_features: np.ndarray | None = None,
) -> Chosen:
    """Choose at most `settings.keep` generated images.

    Args:
        generated, real: candidates, and the images that the generator was trained on.
        generated_features, real_features: [n, d] and [m, d], by one extractor.
        settings: how many are wanted (fewer are kept where fewer pass), and what is refused.
        window_hu: HU range in which pixels are compared.
        what: decides the validity checks.
        rng: of the even draw.
        tune: real images of other patients: for the ranges and proportions of sizes, and, with their features, for the
            least likeness that counts as real.

    Raises:
        TrainingError: nothing passes.
    """
    if what == "pictures":
        sizes, reasons = np.zeros(0), np.full(len(generated), "", object)
    else:
        check = _nodule_faults if what == "nodules" else _slice_faults
        sizes = _sizes(real, what) if tune is None else np.concatenate([_sizes(real, what), _sizes(tune, what)])
        reasons = check(generated, sizes, settings)
    pixels = [to_unit(one.images, window_hu).reshape(len(one), -1) for one in (generated, real)]
    for name, made, there in (("features", generated_features, real_features), ("pixels", *pixels)):
        copies = copies_of(made, there, settings.min_distance_quantile)
        reasons = np.where((reasons == "") & copies, f"copy in {name}", reasons)
    similarity = cosine_to_nearest(generated_features, real_features)
    if settings.min_likeness_quantile is not None and tune_features is not None and len(tune_features):
        usual = cosine_to_nearest(tune_features, real_features)
        unlike = similarity < np.quantile(usual, settings.min_likeness_quantile)
        reasons = np.where((reasons == "") & unlike, "less alike than other patients' images", reasons)
    order = similarity if settings.prefer == "likeness" else rng.random(len(generated))
    valid = np.flatnonzero(reasons == "")
    if not len(valid):
        why = ", ".join(f"{count} {reason}" for reason, count in Counter(reasons.tolist()).items())
        raise TrainingError(f"none of {len(generated)} generated {what} is of use ({why}); train longer or draw more")
    if what == "pictures":
        rows, moved = _by_class(generated, order, valid, settings.keep)
    elif settings.match_sizes:
        rows, moved = _in_proportion(_sizes(generated, what), order, valid, sizes, settings.keep)
    else:
        rows, moved = best(order, valid, settings.keep), 0
    refused = Counter(reason for reason in reasons.tolist() if reason)
    counts = {"candidates": len(generated), "kept": len(rows), "wanted": settings.keep, **dict(sorted(refused.items()))}
    return Chosen(np.sort(rows), similarity, counts, moved)


def best(order: np.ndarray, among: np.ndarray, keep: int) -> np.ndarray:
    """The `keep` indices of `among` with the largest `order`; the lower index first where they are equal."""
    return among[np.argsort(-order[among], kind="stable")[:keep]]


def _sizes(images: ImageSet, what: str) -> np.ndarray:
    """Diameters of nodules in mm, or lung areas in mm2, by the masks."""
    area = areas_mm2(images.masks, images.mm_per_px)
    return 2 * np.sqrt(area / np.pi) if what == "nodules" else area


def _nodule_faults(nodules: ImageSet, sizes: np.ndarray, settings: Selection) -> np.ndarray:
    """The reason against each nodule, "" where there is none."""
    diameter, inside = _sizes(nodules, "nodules"), nodules.masks > 0
    low, high = np.quantile(sizes, settings.size_quantiles)
    at_border = inside[:, [0, -1]].any((1, 2)) | inside[:, :, [0, -1]].any((1, 2))
    return np.select(
        [diameter == 0, at_border, (diameter < low) | (diameter > high)],
        ["empty mask", "touches the border", "diameter unlike real ones"],
        "",
    ).astype(object)


def _slice_faults(slices: ImageSet, sizes: np.ndarray, settings: Selection) -> np.ndarray:
    """The reason against each slice, "" where there is none."""
    area = _sizes(slices, "normals")
    low, high = np.quantile(sizes, settings.size_quantiles)
    return np.select(
        [~two_lungs(slices.masks), (area < low) | (area > high)], ["not two lungs", "lung area unlike real ones"], ""
    ).astype(object)


def _by_class(generated: ImageSet, order: np.ndarray, valid: np.ndarray, keep: int) -> tuple[np.ndarray, int]:
    """The first by `order` of each class, in the proportion in which classes were drawn; 0 stand in for others."""
    labels = generated.table.get("label", pd.Series("", index=generated.table.index)).to_numpy()
    chosen = []
    for name in sorted(set(labels)):
        share = int(np.floor(keep * (labels == name).mean()))
        chosen.append(best(order, valid[labels[valid] == name], share))
    return np.concatenate(chosen), 0


def _in_proportion(
    diameters: np.ndarray, order: np.ndarray, valid: np.ndarray, sizes: np.ndarray, keep: int
) -> tuple[np.ndarray, int]:
    """The first by `order` of each class of diameter, equally many of each; its neighbours give what a class lacks.

    The classes' bounds are quantiles of the real `sizes`. Returns (indices, how many stand in for another class).
    """
    keep = min(keep, len(valid))
    classes = int(np.clip(keep // LEAST_IN_CLASS, 1, DIAMETER_CLASSES))
    bounds = np.quantile(sizes, np.linspace(0, 1, classes + 1)[1:-1])
    place = np.searchsorted(bounds, diameters[valid], side="right")
    members = [list(best(order, valid[place == k], len(valid))) for k in range(classes)]
    quotas = [keep * (k + 1) // classes - keep * k // classes for k in range(classes)]
    chosen = [member[:quota] for member, quota in zip(members, quotas, strict=True)]
    spare = [member[quota:] for member, quota in zip(members, quotas, strict=True)]
    moved = 0
    for k, quota in enumerate(quotas):
        for other in sorted(range(classes), key=lambda c: (abs(c - k), c)):
            while len(chosen[k]) < quota and spare[other]:
                chosen[k].append(spare[other].pop(0))
                moved += 1
    return np.array([row for part in chosen for row in part], dtype=int), moved
