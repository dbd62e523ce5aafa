"""What a detector found in a scan, as a file between the step that runs it and those that choose and count.

Of a kind with a probability it is the probability, from which candidates are cut at any threshold without the network;
of a kind without it is the table of its candidates.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from lungsynth.ct import volume as volumes
from lungsynth.segment.inference import candidates
from lungsynth.sets.boxes import HITS
from lungsynth.sets.scans import Prepared
from lungsynth.sets.tables import read_csv, write_csv
from lungsynth.study.stages.segment import OperatingPointSettings

PROBABILITY, TABLE = ".nii.gz", ".csv"


def write_probability(folder: Path, scan: Prepared, probability: np.ndarray) -> None:
    """Write uint8 0..255 [z, y, x] on the scan's grid."""
    volumes.write(folder / f"{scan.scan}{PROBABILITY}", scan.volume.like(probability))


def write_candidates(folder: Path, scan: Prepared, table: pd.DataFrame) -> None:
    """Write a table with `candidates.COLUMNS`."""
    write_csv(folder / f"{scan.scan}{TABLE}", table[candidates.COLUMNS])


def files(folders: Iterable[Path]) -> dict[str, Path]:
    """The file of every scan, by the scan's name."""
    paths = (path for folder in folders for path in folder.iterdir() if not path.name.startswith("."))
    return {path.name.removesuffix(PROBABILITY).removesuffix(TABLE): path for path in paths}


class Found:
    """One scan's file, read once: candidates at any threshold.

    Args:
        scan: whose file it is; without it there are no candidates to be cut, but the probability is there.

    Attributes:
        probability: a volume uint8 0..255; None of a kind that gives none.
    """

    def __init__(self, path: Path, scan: Prepared | None = None):
        self.scan, self.table, self.probability = scan, None, None
        if path.name.endswith(PROBABILITY):
            self.probability = volumes.read(path)
        else:
            self.table = read_csv(path)

    def candidates(self, threshold: float, point: OperatingPointSettings) -> tuple[pd.DataFrame, np.ndarray | None]:
        """Table with the boxes hit, and labels, see `candidates.find`; without a probability all rows, no labels."""
        if self.probability is None:
            return self.table.assign(**{HITS: ""}), None
        scan = self.scan
        table, labels = candidates.find(scan.scan, self.probability.hu, scan.volume, scan.lungs, threshold, point)
        return scan.with_boxes(table, labels), labels
