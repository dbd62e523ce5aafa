"""A table of nodule patches: nodules.npz (HU, consensus masks) and nodules.csv, one row a patch."""

import hashlib
from functools import cached_property
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import pandas as pd

from lungsynth.cohort.base import Mark, Reader, Role, Scan, ScanRef, safe_id, short_hash, to_hu
from lungsynth.cohort.registry import READERS
from lungsynth.cohort.shapes import texture_of_rating
from lungsynth.ct.volume import Volume
from lungsynth.sets.tables import Cell, read_users_csv
from lungsynth.study.errors import DataError

COLUMNS: dict[str, Cell] = {
    "index": "whole number",
    "patient_id": "text",
    "series_uid": "text",
    "row0": "number",
    "col0": "number",
    "z_mm": "number",
    "pixel_spacing_mm": "number",
    "n_readers_slice": "whole number",
    "texture": "number or empty",
    "eq_diam_mm": "number",
    "near_duplicate": "flag",
}


@READERS.register("patches")
class PatchesReader(Reader):
    """All patches of one series form a scan of kind `patch`: [n, h, w], planes that are no neighbours, 1 mm "apart"."""

    def list(self) -> list[ScanRef]:
        """One scan for each patient and series that keeps a row."""
        refs = []
        for (patient, series), rows in self._table.groupby(["patient_id", "series_uid"], sort=True):
            indices = [int(i) for i in rows["index"]]
            name = f"{safe_id(patient)}-{short_hash(series, 8)}"
            files = (self._npz.relative_to(self.root), self._csv.relative_to(self.root))
            refs.append(ScanRef(name, safe_id(patient), "patch", files, series, {"rows": indices}))
        if not refs:
            raise DataError(f"{self._csv}: no row passes min_readers {self.settings.min_readers} and exclude_patients")
        return refs

    def read(self, ref: ScanRef) -> Scan:
        """The patches of a series with their masks; label k is the k-th patch's nodule."""
        indices = ref.extra["rows"]
        rows = self._table.set_index("index").loc[indices]
        spacing = rows["pixel_spacing_mm"].to_numpy(float)
        if np.ptp(spacing) > 1e-4:
            raise DataError(f"{self._csv}: the series {ref.uid} has more than one pixel spacing")
        images, masks = (self._arrays[name][indices] for name in ("image", "mask"))
        volume = Volume(to_hu(images, self._npz), (1.0, float(spacing[0]), float(spacing[0])))
        labels = masks.astype(np.uint8) * np.arange(1, len(indices) + 1, dtype=np.uint8)[:, None, None]
        marks = [self._mark(volume, labels[k], k, row) for k, row in enumerate(rows.to_dict("records"))]
        return Scan(volume, nodules=labels, marks=tuple(marks))

    def allowed_roles(self, ref: ScanRef) -> tuple[Role, ...]:
        """With `test_modulus` the patient's hash decides who is test, and who can never be."""
        modulus = self.settings.test_modulus
        if modulus is None:
            return super().allowed_roles(ref)
        return ("test",) if patient_hash(ref.patient) % modulus == 0 else ("fit", "tune", "domain")

    def patches(self) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
        """All patches that pass the filters: their rows, HU int16 [n, h, h] and masks uint8 0/1 [n, h, h].

        Raises:
            DataError: the folder cannot be read as patches, or none passes.
        """
        rows = self._table.reset_index(drop=True)
        if not len(rows):
            raise DataError(f"{self._csv}: no row passes min_readers {self.settings.min_readers} and exclude_patients")
        images, masks = (self._arrays[name][rows["index"].to_numpy()] for name in ("image", "mask"))
        return rows, to_hu(images, self._npz), masks

    @cached_property
    def _folder(self) -> Path:
        """The root itself, or the folder of the usual name in it."""
        inner = self.root / "lidc_nodules"
        return inner if not (self.root / "nodules.csv").is_file() and (inner / "nodules.csv").is_file() else self.root

    @property
    def _npz(self) -> Path:
        return self._folder / "nodules.npz"

    @property
    def _csv(self) -> Path:
        return self._folder / "nodules.csv"

    @cached_property
    def _table(self) -> pd.DataFrame:
        """The rows that pass the filters."""
        settings = self.settings
        others: dict[str, Cell] = {"other_nodule_px": "whole number"} if settings.drop_with_others else {}
        table = read_users_csv(self._csv, COLUMNS | others)
        _check_rows(table, self._csv)
        keep = (table.n_readers_slice >= settings.min_readers) & ~table.patient_id.isin(settings.exclude_patients)
        if settings.drop_near_duplicates:
            keep &= table.near_duplicate != 1
        if settings.drop_with_others:
            keep &= table.other_nodule_px == 0
        table = table[keep]
        if settings.max_patients:
            people = sorted(table.patient_id.unique(), key=patient_hash)[: settings.max_patients]
            table = table[table.patient_id.isin(people)]
        return table

    @cached_property
    def _arrays(self) -> dict[str, np.ndarray]:
        """image int16 [n, h, w] and mask uint8 [n, h, w]."""
        try:
            with np.load(self._npz, allow_pickle=False) as data:
                arrays = {name: data[name] for name in ("image", "mask")}
        except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
            raise DataError(f"{self._npz}: cannot be read as patches ({error})") from None
        shapes = {array.shape for array in arrays.values()}
        if len(shapes) > 1 or any(len(s) != 3 or s[1] != s[2] for s in shapes):
            raise DataError(f"{self._npz}: image and mask must have one shape [n, h, h], got {sorted(shapes)}")
        if int(self._table["index"].max()) >= len(arrays["image"]):
            raise DataError(f"{self._npz}: holds {len(arrays['image'])} patches, {self._csv.name} names more")
        return arrays

    def _mark(self, volume: Volume, label: np.ndarray, k: int, row: dict) -> Mark:
        where = np.argwhere(label)
        if not len(where):
            raise DataError(f"{self._npz}: the mask of patch {row['series_uid']} at {row['z_mm']} mm is empty")
        centre = tuple(float(c) for c in volume.to_mm([k, *where.mean(0)]))
        return Mark(
            centre,
            float(row["eq_diam_mm"]),
            texture_of_rating(row["texture"]),
            int(row["n_readers_slice"]),
            k + 1,
            "patch",
        )


def _check_rows(table: pd.DataFrame, path: Path) -> None:
    """Every row names its own patch, a patient, a series and sizes that can be."""
    bad = {
        "index": table["index"].duplicated() | (table["index"] < 0),
        "patient_id": table.patient_id == "",
        "series_uid": table.series_uid == "",
        "pixel_spacing_mm": table.pixel_spacing_mm <= 0,
        "eq_diam_mm": table.eq_diam_mm <= 0,
    }
    for column, rows in bad.items():
        if rows.any():
            line = rows.idxmax()
            value = table.loc[line, column]
            raise DataError(f"{path}: row {line}, {column}: {value!s} is there twice, negative, zero or empty")


def patient_hash(patient: str) -> int:
    """SHA-256 of a patient's id as a number: deals patients out the same way in every study."""
    return int(hashlib.sha256(patient.encode()).hexdigest(), 16)
