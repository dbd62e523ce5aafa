"""What goes with a segmenter's released weights: its operating point and its recipe."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lungsynth.segment.registry import DETECTORS
from lungsynth.segment.scoring.patches import LEVELS, shape_scores
from lungsynth.segment.scoring.threshold import OperatingPoint
from lungsynth.segment.weights import sha256
from lungsynth.study.errors import DataError
from lungsynth.study.stages import Segment

NETWORK = ("slices", "spacing_mm", "native_mm", "candidate_score")
"""Settings that belong to the weights beside the kind's own."""
TRAINING = ("training", "context_px", "windows_per", "pasted")


@dataclass(frozen=True)
class Chosen:
    """An operating point that patches alone have chosen.

    Attributes:
        point: its `false_positives` and `scans` are 0: patches have no false positives to count.
        dice: mean on the patches at its threshold; patches: how many; nodules: how many set the candidate score.
    """

    point: OperatingPoint
    dice: float
    patches: int
    nodules: int


def operating_point(
    dice: np.ndarray,
    probability: np.ndarray,
    masks: np.ndarray,
    mm_per_px: np.ndarray,
    counted: np.ndarray,
    keep: float,
) -> Chosen:
    """The threshold of the best mean Dice, and the candidate score that the share `keep` of the nodules reaches.

    Args:
        dice: of `patches.scored` at `patches.LEVELS`, [draws, levels, n].
        probability, masks: of the whole patches, [n, h, h]; mm_per_px: [n].
        counted: bool [n], the nodules that set the candidate score.

    Raises:
        DataError: no nodule is counted.
    """
    if not counted.any():
        raise DataError("the tune patients have no nodule of two readers: no candidate score can be chosen")
    mean = dice.mean(axis=(0, 2))
    best = int(mean.argmax())
    scores = shape_scores(probability[counted], masks[counted], mm_per_px[counted], LEVELS[best])
    least = float(np.quantile(scores, 1 - keep, method="lower"))
    point = OperatingPoint(LEVELS[best], least, float((scores >= least).mean()), 0.0, int(counted.sum()), 0)
    return Chosen(point, float(mean[best]), len(counted), int(counted.sum()))


def recipe(
    segment: Segment, study: str, seed: int, chosen: Chosen, people: dict[str, list[str]], weights: Path
) -> dict[str, Any]:
    """Everything that one must know to use the weights, and what made them; plain values for JSON.

    people: role -> patients, of the training ("fit") and of the operating point ("tune").
    """
    block = segment.block()
    fixed = DETECTORS.settings(segment.kind).network_keys
    kept = segment.model_dump(mode="json", include={"kind", *NETWORK, *TRAINING})
    return {
        "segment": {
            **{name: kept[name] for name in ("kind", *NETWORK)},
            segment.kind: {name: block[name] for name in fixed},
        },
        "operating_point": chosen.point.to_dict(),
        "chosen_on": {key: value for key, value in asdict(chosen).items() if key != "point"},
        "training": {
            "study": study,
            "seed": seed,
            **{name: kept[name] for name in TRAINING},
            segment.kind: {name: value for name, value in block.items() if name not in fixed},
        },
        "patients": people,
        "sha256": sha256(weights),
    }
