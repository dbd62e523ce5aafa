"""What a detector found in a scan, as a file between the step that runs it and those that choose and count.

Of a kind with a probability it is the probability, from which candidates are cut at any threshold without the network;
of a kind without it is the table of its candidates. What was said of these in three dimensions is one more table.
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


def are_probabilities(paths: Iterable[Path]) -> bool:
    """Whether these files are of a detector that gives a probability; no file says the contrary."""
    return all(path.name.endswith(PROBABILITY) for path in paths)


JUDGED = ["threshold", "label", "probability"]
"""Columns of a scan's table of what its candidates at some thresholds are in three dimensions."""


class Found:
    """One scan's file, read once: candidates at any threshold.

    Args:
        scan: whose file it is; without it there are no candidates to be cut, but the probability is there.
        judged: the scan's table with `JUDGED`, whose probabilities stand in the place of the detector's; None: these
            stay.

    Attributes:
        probability: a volume uint8 0..255; None of a kind that gives none.
    """

    def __init__(self, path: Path, scan: Prepared | None = None, judged: Path | None = None):
        self.scan, self.table, self.probability = scan, None, None
        self._judged = None if judged is None else read_csv(judged)
        if path.name.endswith(PROBABILITY):
            self.probability = volumes.read(path)
        else:
            self.table = read_csv(path)

    def candidates(self, threshold: float, point: OperatingPointSettings) -> tuple[pd.DataFrame, np.ndarray | None]:
        """Table with the boxes hit, and labels, see `candidates.find`; without a probability all rows, no labels."""
        scan = self.scan
        if self.probability is None:
            return self._as_judged(self.table.assign(**{HITS: ""}), threshold), None
        table, labels = candidates.find(scan.scan, self.probability.hu, scan.volume, scan.lungs, threshold, point)
        return self._as_judged(scan.with_boxes(table, labels), threshold), labels

    def _as_judged(self, table: pd.DataFrame, threshold: float) -> pd.DataFrame:
        if self._judged is None or not len(table):
            return table
        rows = self._judged[np.isclose(self._judged["threshold"], threshold)].set_index("label")["probability"]
        return table.assign(probability=rows.loc[table["label"]].to_numpy(float))
