"""DICOM series, with LIDC-IDRI's XML, with boxes, or with nothing beside them."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from lungsynth.cohort.base import Scan, ScanRef, safe_id
from lungsynth.cohort.dicom.headers import Header, read_header
from lungsynth.cohort.dicom.patients import Patient
from lungsynth.cohort.dicom.reader import DicomReader
from lungsynth.cohort.dicom.settings import Settings as DicomSettings
from lungsynth.cohort.lidc.reader import LidcReader
from lungsynth.cohort.lidc.settings import Settings as LidcSettings
from lungsynth.cohort.lidc.xml_marks import MESSAGE
from lungsynth.cohort.names import PUBLIC_PATIENT
from lungsynth.cohort.nifti.header import is_nifti
from lungsynth.cohort.scans.metaimages import SUFFIXES as METAIMAGES
from lungsynth.cohort.scans.settings import Settings
from lungsynth.cohort.sniff import in_brief
from lungsynth.study.errors import DataError


class LidcSeries(LidcReader):
    """Series that four readers' XML speaks of."""

    @classmethod
    def of(cls, settings: Settings, root: Path) -> "LidcSeries":
        """The reader of these series under a folder of scans."""
        own = LidcSettings(path=settings.path, min_readers=settings.min_readers, max_tilt_deg=settings.max_tilt_deg)
        return cls(own, root)

    def read(self, ref: ScanRef) -> Scan:
        """The series with its lesions. Its UID, which the list of scans hides, is read again."""
        return super().read(replace(ref, uid=read_header(self.root / ref.source_files[0]).series))

    @cached_property
    def readings(self) -> frozenset[str]:
        """UIDs of the series that a reading of CT speaks of, a damaged one among them: `read` says what is wrong."""
        return frozenset(start.text for _, start in self._starts if MESSAGE in start.names and start.text)


class AllSeries(DicomReader):
    """Every series; those with readings are listed for the reader of LIDC-IDRI, so that each header is read once."""

    lidc: LidcSeries

    @classmethod
    def of(cls, settings: Settings, root: Path, lidc: LidcSeries) -> "AllSeries":
        """The reader of the other series, with `lidc` for those that have readings."""
        own = {name: getattr(settings, name) for name in ("path", "keep_patient_ids", "max_tilt_deg")}
        made = cls(DicomSettings(**own), root)
        made.lidc = lidc
        return made

    def list(self) -> list[ScanRef]:
        """Every series; and readings of a series that is not there, in `skipped`."""
        try:
            refs = super().list()
        except DataError:
            refs = []  # elsewhere there may be other scans
        self.skipped += in_brief(self.lidc.unused_readings({ref.uid for ref in refs}))
        return refs

    def _is_anothers(self, path: Path) -> bool:
        return is_nifti(path) or path.suffix.lower() in METAIMAGES

    def _pseudonym(self, patient: Patient) -> str:
        """LIDC-IDRI's ids are public: a patient keeps it in a series that has no XML, and is one patient."""
        known = patient.is_id and PUBLIC_PATIENT.fullmatch(patient.text)
        return safe_id(patient.text) if known else super()._pseudonym(patient)

    def _ref(self, patient: str, uid: str, headers: Sequence[Header]) -> ScanRef:
        ref, read = super()._ref(patient, uid, headers), uid in self.lidc.readings
        annotated = read or any(header.sop in self._box_files for header in headers)
        return replace(ref, extra={"reader": "lidc" if read else "dicom", "annotated": annotated})
