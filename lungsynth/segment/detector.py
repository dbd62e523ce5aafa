"""What a detector must bring: how it learns, and how it finds nodules in a scan."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd

from lungsynth.segment.inference.planes import Scan
from lungsynth.segment.training.windows import Windows
from lungsynth.study.stages.segment import Inference
from lungsynth.train.data import Shape, Source
from lungsynth.train.trainable import Trainable


@dataclass(frozen=True)
class Detected:
    """What a detector makes of one scan.

    Attributes:
        candidates: one row each, columns `candidates.COLUMNS`: place in LPS mm, probability (0..1, ranks them), size.
            All of them: which are shown is the operating point's choice. NaN where the kind measures no size.
        labels: int32 [z, y, x], `label` of the candidate in its voxels; None where the kind outlines nothing.
        probability: uint8 0..255 [z, y, x] on the scan's grid; None where the kind does not judge every voxel.
    """

    candidates: pd.DataFrame
    labels: np.ndarray | None = None
    probability: np.ndarray | None = None


class Detector(Trainable, Protocol):
    """A kind of detector, made as `Kind(settings, network)`: its own settings and the study's `segment.network`.

    It is a `Trainable`; beside it brings where its batches come from and how it is used. A kind that judges every voxel
    extends `lungsynth.segment.voxels.VoxelDetector` and says so in its settings (`gives_probability`); its candidates
    are cut from the probability at thresholds that tune scans choose. A kind without has its candidates as they are.

    Attributes:
        shape: of what its networks take; `build` is given it, in training and to load weights.
    """

    shape: Shape

    def source(self, contexts: list[Windows], batch: int) -> Source:
        """The loop's data from contexts with and without a nodule, cut from fit scans.

        Args:
            contexts: the regular ones, and from the second checkpoint on those round its own false positives.
            batch: samples a step.

        Raises:
            DataError: too few contexts of a sort, or smaller than it needs.
        """

    def detect(self, modules: dict[str, Any], scan: Scan, inference: Inference) -> Detected:
        """Candidates in the lungs of a scan; none where it has no lungs.

        Args:
            modules: in eval mode, on any device; a second call gives the same.
            scan: HU volume and lung labels; its nodules are not looked at.
            inference: the study's `segment.inference`.
        """
