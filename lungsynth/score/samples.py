"""A sample: what an extractor made of the images of one set, and which of them belong together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lungsynth.study.errors import DataError


def patients_of(table: pd.DataFrame) -> np.ndarray | None:
    """The patient of each row of a bank; None where an image is generated, so that images are the units."""
    if "patient" not in table or ("source" in table and (table["source"] != "scan").any()):
        return None
    patients = table["patient"].fillna("").astype(str).to_numpy()
    return None if (patients == "").any() else patients


@dataclass(frozen=True)
class Sample:
    """Features (or logits) of a set's images, with the unit that each image was drawn with.

    Attributes:
        points: float64 [n, d].
        units: int [n], 0 .. n_units - 1 in order of first appearance: the patient of a real image; a generated image
            is its own unit.
        by_image: True where no patients are known, or only one, so that the images themselves are the units.
        one_patient: True where it is known that all images are of one patient.
    """

    points: np.ndarray
    units: np.ndarray
    by_image: bool
    one_patient: bool = False

    @classmethod
    def of(cls, points: np.ndarray, patients: Sequence[str] | np.ndarray | None = None) -> "Sample":
        """A sample from features [n, d] and, for real images, the patient of each row.

        Raises:
            DataError: a value is not finite, or rows and patients do not match.
        """
        points = np.ascontiguousarray(points, np.float64)
        if points.ndim != 2 or not np.isfinite(points).all():
            raise DataError(f"features must be finite numbers [n, d], got an array of shape {points.shape}")
        if patients is None or len(set(patients)) < 2:
            return cls(points, np.arange(len(points)), True, patients is not None and len(set(patients)) == 1)
        if len(patients) != len(points):
            raise DataError(f"{len(points)} rows of features but {len(patients)} patients")
        first_seen = {patient: unit for unit, patient in enumerate(dict.fromkeys(patients))}
        return cls(points, np.array([first_seen[patient] for patient in patients]), False)

    def __len__(self) -> int:
        return len(self.points)

    @property
    def n_units(self) -> int:
        """Number of patients, or of images where there are no patients."""
        return int(self.units.max()) + 1 if len(self.units) else 0

    def take(self, rows: np.ndarray) -> "Sample":
        """The images at `rows`, with their units renumbered."""
        units = np.unique(self.units[rows], return_inverse=True)[1]
        return Sample(self.points[rows], units, self.by_image, self.one_patient)
