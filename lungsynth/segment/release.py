"""What goes with a segmenter's released weights: its operating point and its recipe."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from lungsynth.segment.scoring.patches import LEVELS, shape_scores
from lungsynth.segment.scoring.threshold import OperatingPoint
from lungsynth.sets.seen import who_was_seen, with_earlier
from lungsynth.study.errors import DataError
from lungsynth.study.runs import Run
from lungsynth.study.stages.segment import Segment


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
    segment: Segment,
    run: Run,
    study: str,
    chosen: Chosen | OperatingPoint,
    scans: pd.DataFrame,
    sha256: str,
    earlier: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Everything that one must know to use the weights, and what made them; plain values for JSON.

    Args:
        chosen: on patches, or on whole scans, where the point says itself what it stands on.
        scans: rows of cohort.csv that training ("fit") and operating point ("tune") stand on.
        sha256: of the weights' file.
        earlier: recipes of the networks that the run started from, whose patients these weights have seen too.
    """
    patches = isinstance(chosen, Chosen)
    own, point = segment.block(), chosen.point if patches else chosen
    blocks = segment.model_dump(mode="json", include={"kind", "network", "windows", "training", "patches"})
    learnt = {name: value for name, value in own.items() if name != "architecture"}
    return {
        "segment": {
            "kind": segment.kind,
            segment.kind: {"architecture": own["architecture"]},
            "network": blocks["network"],
            "operating_point": {"candidate_score": segment.operating_point.candidate_score},
        },
        "operating_point": point.to_dict(),
        **({"chosen_on": {key: value for key, value in asdict(chosen).items() if key != "point"}} if patches else {}),
        "training": {
            "study": study,
            "run": run.name,
            **{name: blocks[name] for name in ("windows", "training", "patches")},
            segment.kind: learnt,
        },
        **with_earlier(who_was_seen(scans, run.seed), earlier),
        "sha256": sha256,
    }
