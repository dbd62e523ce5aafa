"""What goes with the released weights of a network of outlines: its scores and recipe."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from lungsynth.ct.shape import mask_diameter_mm
from lungsynth.segment.outlines.bodies import Body
from lungsynth.segment.outlines.outline import Outliner
from lungsynth.sets.seen import who_was_seen, with_crops
from lungsynth.sets.tables import counts_by
from lungsynth.study.runs import Run
from lungsynth.study.stages.segment import NoduleVolumes, Outlines

SIZES_MM = (0.0, 6.0, 10.0, np.inf)
"""Diameters between which scores are told apart, each range with its lower edge."""


def dice(one: np.ndarray, other: np.ndarray) -> float:
    """2 |A and B| / (|A| + |B|) of two masks, bool."""
    return 2 * np.count_nonzero(one & other) / max(1, np.count_nonzero(one) + np.count_nonzero(other))


def scores(outliner: Outliner, bodies: Sequence[Body]) -> pd.DataFrame:
    """Mean Dice in space of nodules that the detector has found, before and after, by surroundings and size.

    Columns: surroundings (whole, or those of a crop), from_mm, to_mm (of the nodule's ball), nodules, patients,
    dice_detector, dice.
    """
    each = [
        {
            "surroundings": "whole" if body.whole else "crop",
            "size": int(np.digitize(mask_diameter_mm(body.mask, body.volume.spacing_mm), SIZES_MM)),
            "patient": body.patient,
            "dice_detector": dice(body.candidate, body.mask),
            "dice": dice(outliner.outline(body.volume, body.probability, body.candidate), body.mask),
        }
        for body in bodies
    ]
    columns = ["surroundings", "from_mm", "to_mm", "nodules", "patients", "dice_detector", "dice"]
    rows, table = [], pd.DataFrame(each, columns=["surroundings", "size", "patient", "dice_detector", "dice"])
    for where, some in table.groupby("surroundings", sort=True):
        for size in (0, *sorted(set(some["size"]))):
            here = some[some["size"] == size] if size else some
            low, high = (SIZES_MM[size - 1], SIZES_MM[size]) if size else (SIZES_MM[0], SIZES_MM[-1])
            counts = len(here), here["patient"].nunique()
            rows.append([where, low, high, *counts, here["dice_detector"].mean(), here["dice"].mean()])
    return pd.DataFrame(rows, columns=columns)


def recipe(
    own: Outlines,
    nodules: NoduleVolumes,
    run: Run,
    study: str,
    bodies: pd.DataFrame,
    people: dict[str, list[str]],
    scans: pd.DataFrame,
) -> dict[str, Any]:
    """Everything that one must know to use the weights, and what made them; plain values for JSON.

    Args:
        bodies: the table beside them; people: patients of the nodules' crops by role; scans: rows of cohort.csv of
            scans whose nodules may be among them.
    """
    block = own.model_dump(mode="json")
    return {
        "outlines": {"network": block["network"]},
        "bodies": counts_by(bodies, "role", "how", "whole"),
        "training": {
            "study": study,
            "run": run.name,
            **{key: value for key, value in block.items() if key not in ("init_from", "network")},
            "nodules": nodules.model_dump(mode="json"),
        },
        **with_crops(who_was_seen(scans, run.seed), people),
    }
