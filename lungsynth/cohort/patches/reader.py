"""A table of nodule patches: nodules.npz (HU, consensus masks) and nodules.csv, one row a patch."""

import tokenize
import zlib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import pandas as pd

from lungsynth.cohort.base import Mark, Reader, Role, Scan, ScanRef, safe_id, short_hash, to_hu
from lungsynth.cohort.checks import IN_PLANE_MM
from lungsynth.cohort.registry import READERS
from lungsynth.cohort.shapes import share_of, texture_of_rating
from lungsynth.ct.volume import Volume
from lungsynth.sets.tables import Cell, read_users_csv
from lungsynth.study.errors import DataError
from lungsynth.study.seeds import patient_hash

COLUMNS: dict[str, Cell] = {
    "index": "whole number",
    "patient_id": "text",
    "series_uid": "text",
    "row0": "number or empty",
    "col0": "number or empty",
    "z_mm": "number or empty",
    "pixel_spacing_mm": "number",
    "n_readers_slice": "whole number",
    "texture": "number or empty",
    "eq_diam_mm": "number or empty",
    "near_duplicate": "flag",
}
UNNUMBERED = -1
OPTIONAL: dict[str, str | float | int] = {
    "index": UNNUMBERED,
    "series_uid": "",
    "row0": np.nan,
    "col0": np.nan,
    "z_mm": np.nan,
    "texture": np.nan,
    "near_duplicate": 0,
}
"""Columns that nodules of other archives may lack when they are scored, and what stands for them."""
UNREADABLE = (
    OSError, ValueError, KeyError, EOFError, BadZipFile, zlib.error, SyntaxError, tokenize.TokenError,
    RuntimeError,  # encrypted, or packed in a way that is not known
    TypeError,  # a single array (.npy) under the name of an archive
    MemoryError,  # a header that promises more than any machine holds
)  # fmt: skip
NO_LUNG_ABOVE_HU = -200
"""Every patch of a lung holds something below it."""


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
        return sorted(refs, key=lambda ref: ref.scan)

    def read(self, ref: ScanRef) -> Scan:
        """The patches of a series with their masks; label k is the k-th patch's nodule."""
        indices = ref.extra["rows"]
        rows = self._table[self._table["index"].isin(indices)]
        spacing = rows["pixel_spacing_mm"].to_numpy(float)
        if np.ptp(spacing) > 1e-4:
            raise DataError(f"{self._csv}: the series {ref.uid} has more than one pixel spacing")
        images, masks = self._chosen(pd.Index(rows["index"]))
        volume = Volume(to_hu(images, self._npz), (1.0, float(spacing[0]), float(spacing[0])))
        kind = np.uint8 if len(indices) <= np.iinfo(np.uint8).max else np.uint16
        labels = (masks > 0) * np.arange(1, len(indices) + 1, dtype=kind)[:, None, None]
        marks = [self._mark(volume, labels[k], k, row) for k, row in enumerate(rows.to_dict("records"))]
        return Scan(volume, nodules=labels, shares=self._shares(rows), marks=tuple(marks))

    def allowed_roles(self, ref: ScanRef) -> tuple[Role, ...]:
        """With `test_modulus` the patient's hash decides who is test, and who can never be."""
        modulus = self.settings.test_modulus
        if modulus is None:
            return super().allowed_roles(ref)
        return ("test",) if patient_hash(ref.patient) % modulus == 0 else ("fit", "tune", "domain")

    def patches(self) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
        """All patches that pass the filters and show a nodule: rows, HU int16 [n, h, h], masks uint8 0/1 [n, h, h].

        Columns that are missing (`OPTIONAL`) are filled; a diameter that is unknown is that of the mask. `skipped`
        names the rows whose mask is empty: of these nobody knows where the nodule ends. `votes`: how many readers'
        outlines hold each pixel, uint8 [n, h, h]; None where the archive has no such array.

        Raises:
            DataError: the folder cannot be read as patches, or none passes.
        """
        rows = self._rows(OPTIONAL)
        if not len(rows):
            raise DataError(f"{self._csv}: no row passes min_readers {self.settings.min_readers} and exclude_patients")
        low, high = IN_PLANE_MM
        wide = {"pixel_spacing_mm": ~rows.pixel_spacing_mm.between(low, high)}
        _refuse_rows(rows, wide, self._csv, f"mm; {low:g} to {high:g} are possible")
        images, masks = self._chosen(pd.Index(rows["index"]))
        masks = (masks > 0).astype(np.uint8)
        area = masks.sum(axis=(1, 2), dtype=int)
        self.skipped = [(f"row {line}", "its mask is empty") for line in rows.index[area == 0]]
        if not area.any():
            raise DataError(f"{self._npz}: the masks of all {len(rows)} patches are empty")
        hu = to_hu(images[area > 0], self._npz)
        if hu.min() >= NO_LUNG_ABOVE_HU:
            raise DataError(
                f"{self._npz}: no air in any patch (lowest value {hu.min()}); `image` must hold Hounsfield units"
            )
        self.votes = self._votes(rows[area > 0])
        rows, area, masks = rows[area > 0].reset_index(drop=True), area[area > 0], masks[area > 0]
        of_mask = 2 * np.sqrt(area / np.pi) * rows["pixel_spacing_mm"]
        return rows.assign(eq_diam_mm=rows["eq_diam_mm"].where(rows["eq_diam_mm"] > 0, of_mask)), hu, masks

    def _votes(self, rows: pd.DataFrame) -> np.ndarray | None:
        """Those of the patches of some rows.

        Raises:
            DataError: more votes than readers.
        """
        if "votes" not in self._arrays:
            return None
        votes = self._arrays["votes"][rows["index"].to_numpy(int)]
        many = votes.max(axis=(1, 2)) > rows["n_readers_slice"].to_numpy()
        why = "are fewer readers than `votes` counts in nodules.npz"
        _refuse_rows(rows, {"n_readers_slice": pd.Series(many, rows.index)}, self._csv, why)
        return votes.astype(np.uint8)

    def _shares(self, rows: pd.DataFrame) -> np.ndarray | None:
        """See `Scan.shares`, of the patches of some rows; errors: as of `_votes`."""
        votes = self._votes(rows)
        if votes is None:
            return None
        return share_of(votes, rows["n_readers_slice"].to_numpy()[:, None, None])

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
        """The rows that pass the filters, each with a series and a size."""
        table = self._rows({})
        bad = {"series_uid": table.series_uid == "", "eq_diam_mm": ~(table.eq_diam_mm > 0)}
        _refuse_rows(table, bad, self._csv)
        return table

    def _rows(self, optional: Mapping[str, str | float | int]) -> pd.DataFrame:
        """The rows that pass the filters; `optional`: columns that may be missing, and what stands for them then."""
        settings = self.settings
        others: dict[str, Cell] = {"other_nodule_px": "whole number"} if settings.drop_with_others else {}
        needed = {"near_duplicate"} if settings.drop_near_duplicates else set()
        if not self._csv.is_file():
            raise DataError(
                f"{self._csv}: no such file; LUNGSYNTH_DATA and the source's path must lead to nodules.csv and "
                "nodules.npz, or to the folder above lidc_nodules"
            )
        defaults = {name: value for name, value in optional.items() if name not in needed}
        table = read_users_csv(self._csv, COLUMNS | others, defaults)
        table = self._numbered(table) if "index" in defaults else table
        bad = {
            "index": table["index"].duplicated() | (table["index"] < 0),
            "patient_id": table.patient_id == "",
            "pixel_spacing_mm": table.pixel_spacing_mm <= 0,
        }
        _refuse_rows(table, bad, self._csv)
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

    def _numbered(self, table: pd.DataFrame) -> pd.DataFrame:
        """The rows with the numbers of their patches in `index`.

        Row i is patch i where the table has no numbers, or as many rows as there are patches and numbers beyond them:
        a part of a larger set that kept its numbers.

        Raises:
            DataError: no numbers, and not as many rows as patches.
        """
        patches, index = len(self._arrays["image"]), table["index"]
        missing = (index == UNNUMBERED).all()
        if missing and len(table) != patches:
            raise DataError(
                f"{self._csv}: has {len(table)} rows for {patches} patches; give a row for each, or a column index"
            )
        theirs = len(table) == patches and index.is_unique and index.min() >= 0 and index.max() >= patches
        return table.assign(index=np.arange(len(table))) if missing or theirs else table

    @cached_property
    def _arrays(self) -> dict[str, np.ndarray]:
        """image int16 [n, h, w] and mask uint8 [n, h, w]; votes uint8 [n, h, w] where there are some."""
        try:
            with np.load(self._npz, allow_pickle=False) as data:
                names = ("image", "mask", *(("votes",) if "votes" in data.files else ()))
                arrays = {name: data[name] for name in names}
        except UNREADABLE as error:
            raise DataError(f"{self._npz}: cannot be read as patches ({error})") from None
        shapes = {array.shape for array in arrays.values()}
        if len(shapes) > 1 or any(len(s) != 3 or s[1] != s[2] for s in shapes):
            raise DataError(f"{self._npz}: {' and '.join(arrays)} must have one shape [n, h, h], got {sorted(shapes)}")
        wrong = [name for name, array in arrays.items() if array.dtype.kind not in "buif"]
        if wrong:
            raise DataError(f"{self._npz}: {wrong[0]} is of type {arrays[wrong[0]].dtype}; it must hold numbers")
        return arrays

    def _chosen(self, index: pd.Index) -> tuple[np.ndarray, np.ndarray]:
        """Images and masks of the patches with these values of the column `index`.

        Raises:
            DataError: one is beyond the end.
        """
        images, masks = self._arrays["image"], self._arrays["mask"]
        if index.max() >= len(images):
            raise DataError(
                f"{self._npz}: holds {len(images)} patches, {self._csv.name} names more (index {index.max()}; "
                "the first is 0)"
            )
        rows = index.to_numpy(int)
        return images[rows], masks[rows]

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


def _refuse_rows(
    table: pd.DataFrame,
    bad: Mapping[str, pd.Series],
    path: Path,
    why: str = "is there twice, negative, zero or empty",
) -> None:
    """Refuse a table with rows that cannot be meant; bad: column -> which rows."""
    for column, rows in bad.items():
        if rows.any():
            line = rows.idxmax()
            value = table.loc[line, column]
            raise DataError(f"{path}: row {line}, {column}: {value!s} {why}")
