"""Folders of DICOM CT: whole series, single slices, with boxes where there are any."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from lungsynth.cohort.base import Reader, Scan, ScanRef, safe_id, short_hash
from lungsynth.cohort.dicom.acquisitions import lacks
from lungsynth.cohort.dicom.boxes import box_marks
from lungsynth.cohort.dicom.headers import Header, grouped, kernel
from lungsynth.cohort.dicom.patients import Patient, patients_of
from lungsynth.cohort.dicom.series import read_series
from lungsynth.cohort.registry import READERS
from lungsynth.cohort.sniff import in_brief
from lungsynth.cohort.xml import xml_files
from lungsynth.study.errors import DataError


@READERS.register("dicom")
class DicomReader(Reader):
    """Files are grouped by SeriesInstanceUID whatever folder they lie in; localizers and other modalities are skipped.

    A series of one file is a slice, as is every file with `images: slices`. `read` refuses a series of two patients.
    """

    def list(self) -> list[ScanRef]:
        """Every series (or slice), from headers alone."""
        self.skipped = []
        by = "sop" if self.settings.images == "slices" else "series"
        groups = grouped(self.root, self.skipped, by, self._is_anothers)
        self.skipped += lacks(self.root, groups.values())
        people = patients_of({uid: headers[0] for uid, headers in groups.items()})
        named = {uid: self._pseudonym(patient) for uid, patient in people.items()}
        wanted = self.settings.only_patients
        refs = [self._ref(named[uid], uid, h) for uid, h in groups.items() if not wanted or named[uid] in wanted]
        self.skipped = in_brief(self.skipped)
        if not refs:
            why = f"; a file {self.skipped[0][1]}" if self.skipped else ""
            raise DataError(f"{self.root}: no CT image in the folder; check the source's path{why}")
        return sorted(refs, key=lambda ref: ref.scan)

    def read(self, ref: ScanRef) -> Scan:
        """The series as a volume (or slice), with a mark for each lesion that has boxes."""
        volume, headers = read_series([self.root / path for path in ref.source_files], self.settings.max_tilt_deg)
        marks = box_marks(volume, self._box_files, [header.sop for header in headers])
        return Scan(volume, marks=marks, kernel=kernel(headers[0]))

    def _is_anothers(self, path: Path) -> bool:
        """Whether another reader reads a file of this name from the folder."""
        return False

    def _pseudonym(self, patient: Patient) -> str:
        """From the mapping, the public id itself, or a hash that names nobody."""
        hashed = f"P-{short_hash(patient.text)}"
        given = self.settings.patients.get(patient.text) or self.settings.patients.get(hashed)
        if given:
            return safe_id(given)
        return safe_id(patient.text) if self.settings.keep_patient_ids and patient.is_id else hashed

    def _ref(self, patient: str, uid: str, headers: Sequence[Header]) -> ScanRef:
        files = tuple(sorted(header.path.relative_to(self.root) for header in headers))
        kind = "slice" if len(files) == 1 else "volume"
        return ScanRef(f"{patient}-{short_hash(uid, 8)}", patient, kind, files, uid)

    @cached_property
    def _box_files(self) -> dict[str, Path]:
        """SOP UID -> VOC file."""
        return {path.stem: path for path in xml_files(self.root)}
