"""A folder of pictures (PNG, JPEG, DICOM), one sub-folder a class, each made a square slice on one scale."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from lungsynth.cohort.base import Reader, Scan, ScanRef, safe_id, short_hash, to_hu
from lungsynth.cohort.copies import thumbnail
from lungsynth.cohort.images.pictures import (
    STAND_IN_MM,
    SUFFIXES,
    Picture,
    file_kind,
    person_of,
    read_dicom,
    read_picture,
    read_tags,
)
from lungsynth.cohort.names import entries, link_fault
from lungsynth.cohort.registry import READERS
from lungsynth.ct.resample import resize
from lungsynth.ct.volume import Volume
from lungsynth.study.errors import DataError
from lungsynth.study.expressions import first_in


@READERS.register("images")
class ImagesReader(Reader):
    """Each picture is a slice of `size_px` squared; its class is its first folder, kept in `ScanRef.extra`.

    Grey levels become HU-like values: level 0 is `grey_hu[0]`, the highest level that the file's bits can hold (255 or
    65535; 2**bits - 1 where `bits` is set) is `grey_hu[1]`, linear between; clipped to the range of all readers. So
    PNGs of a release (HU + 1024 in 16 bits) are read with `grey_hu: [-1024, 64511]`. CT in DICOM keeps its HU.
    """

    def list(self) -> list[ScanRef]:
        """Every picture in a class folder."""
        self.skipped = []
        refs = [ref for relative in sorted(entries(self.root)) if (ref := self._ref(relative)) is not None]
        if not refs:
            raise DataError(f"{self.root}: no picture (.png, .jpg, .dcm) in a sub-folder, one a class; check the path")
        return sorted(refs, key=lambda ref: ref.scan)

    def read(self, ref: ScanRef) -> Scan:
        """The picture on its square grid; one pixel of it is placed at its own place in the picture, in mm."""
        path = self.root / ref.source_files[0]
        picture = _picture(path)
        mm = picture.spacing_mm or (self.settings.mm_per_px or STAND_IN_MM,) * 2
        sized = bool(picture.spacing_mm or self.settings.mm_per_px)
        if self.chest_ct and not sized:
            raise DataError(f"{path}: does not say how large its pixels are, which lungs are found by; set mm_per_px")
        if not (np.isfinite(mm).all() and min(mm) > 0 and abs(mm[0] - mm[1]) <= 0.01 * mm[1]):
            raise DataError(f"{path}: pixels of {mm[0]:g} x {mm[1]:g} mm; they must be square")
        return Scan(self._fitted(to_hu(self._hu(picture, path), path), mm[1]), sized=sized)

    def looks(self, refs: Sequence[ScanRef]) -> Mapping[str, np.ndarray]:
        """Of every picture that can be read; `read` says what is wrong with the others."""
        found = {}
        for ref in refs:
            with suppress(DataError, OSError):
                found[ref.scan] = thumbnail(_picture(self.root / ref.source_files[0]).values)
        return found

    def _hu(self, picture: Picture, path: Path) -> np.ndarray:
        """HU, or grey levels stretched onto `grey_hu`."""
        if not picture.bits:
            return picture.values
        low, high = self.settings.grey_hu
        top = 2 ** (self.settings.bits or picture.bits) - 1
        if picture.values.max() > top:
            raise DataError(f"{path}: has grey levels to {picture.values.max():g}, more than bits {self.settings.bits}")
        return low + picture.values / top * (high - low)

    def _fitted(self, hu: np.ndarray, mm_per_px: float) -> Volume:
        """The middle of the picture as a square volume [1, size_px, size_px]."""
        size, (rows, columns) = self.settings.size_px, hu.shape
        side = min(rows, columns) if self.settings.fit == "crop" else max(rows, columns)
        mm = mm_per_px * side / size
        square = resize(hu, mm_per_px, mm, size, fill=min(self.settings.grey_hu[0], float(hu.min())))
        first = [(n - 1) / 2 * mm_per_px - (size - 1) / 2 * mm for n in (columns, rows)]
        return Volume(np.rint(square).astype(np.int16)[None], (1.0, mm, mm), (*first, 0.0))

    def _ref(self, relative: Path) -> ScanRef | None:
        """The reference of a picture; else None, and a line in `skipped` where a picture could be expected."""
        if (self.root / relative).is_dir() or any(part.startswith(".") for part in relative.parts):
            return None
        group = relative.parts[0]
        if len(relative.parts) > 1 and self.settings.classes and group not in self.settings.classes:
            return None
        try:
            patient, uid = self._identify(relative)
        except DataError as fault:
            self.skipped.append((str(relative), str(fault)))
            return None
        name = f"{patient}-{short_hash(relative.as_posix(), 8)}"
        return ScanRef(name, patient, "slice", (relative,), uid, {"class": group})

    def _identify(self, relative: Path) -> tuple[str, str]:
        """The patient's pseudonym, and the picture's own UID if it has one.

        Raises:
            DataError: why the file is no picture of a patient, without its name.
        """
        path = self.root / relative
        fault = link_fault(path, self.root) or ("" if len(relative.parts) > 1 else "lies in no class folder")
        if not file_kind(path):
            fault = "is no PNG, JPEG or DICOM file"
        if fault:
            raise DataError(fault)
        name = relative.with_suffix("").as_posix() if relative.suffix.lower() in SUFFIXES else relative.as_posix()
        known, uid = name, ""
        if file_kind(path) == "dicom":
            tags = read_tags(path)
            known, uid = person_of(tags) or name, str(tags.get("SOPInstanceUID", "") or "")
        if self.settings.patient:
            known = first_in(name, self.settings.patient)
        if not known:
            raise DataError(f"its name does not match patient: {self.settings.patient}")
        return safe_id(known) if self.settings.keep_patient_ids else f"P-{short_hash(known)}", uid


def _picture(path: Path) -> Picture:
    return read_picture(path) if file_kind(path) == "picture" else read_dicom(path)
