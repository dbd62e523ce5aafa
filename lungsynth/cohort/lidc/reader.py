"""LIDC-IDRI: DICOM series and the XML of up to four readers."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from lungsynth.cohort.base import Mark, Reader, Scan, ScanRef, safe_id, short_hash
from lungsynth.cohort.dicom.reader import kernel
from lungsynth.cohort.dicom.series import Header, candidates, read_header, read_series, refusal
from lungsynth.cohort.lidc.consensus import Lesion, agree, draw, link
from lungsynth.cohort.lidc.xml_marks import read_readings, series_of
from lungsynth.cohort.registry import READERS
from lungsynth.cohort.shapes import texture_of_rating
from lungsynth.cohort.xml import parse
from lungsynth.ct.volume import Volume
from lungsynth.study.errors import DataError

SERIES_TAG = re.compile(rb"<SeriesInstanceUid>\s*([0-9.]+)\s*<", re.IGNORECASE)


@READERS.register("lidc")
class LidcReader(Reader):
    """A folder as the archive lays it out: one series a folder, PatientID a public pseudonym."""

    def list(self) -> list[ScanRef]:
        """One scan a folder of CT, from the header of its first file."""
        self.skipped = []
        folders: dict[Path, list[Path]] = defaultdict(list)
        for path in candidates(self.root):
            folders[path.parent].append(path)
        refs = []
        for paths in folders.values():
            header = self._accepted(paths[0])
            if header is not None:
                refs.append(self._ref(header, paths))
        if not refs:
            raise DataError(f"{self.root}: no CT series in the folder; check the source's path")
        return sorted(refs, key=lambda ref: ref.scan)

    def read(self, ref: ScanRef) -> Scan:
        """The series with a consensus mask for each lesion that `min_readers` marked."""
        volume, headers = read_series([self.root / path for path in ref.source_files], self.settings.max_tilt_deg)
        lesions = self._lesions(self._xml(ref), volume, headers)
        labels = np.zeros(volume.hu.shape, np.uint16 if len(lesions) > 255 else np.uint8)
        marks = tuple(_mark(lesion, volume, labels, k) for k, lesion in enumerate(lesions, 1))
        return Scan(volume, nodules=labels, marks=marks, kernel=kernel(headers[0]))

    def _accepted(self, path: Path) -> Header | None:
        try:
            header = read_header(path)
            reason = refusal(header)
        except DataError:
            reason = "is no DICOM file" if path.suffix else None
        if reason != "":
            if reason:
                self.skipped.append((str(path.parent.relative_to(self.root)), reason))
            return None
        wanted = self.settings.only_patients
        return header if not wanted or str(header.tags.PatientID) in wanted else None

    def _ref(self, header: Header, paths: Sequence[Path]) -> ScanRef:
        patient = safe_id(str(header.tags.PatientID))
        files = tuple(path.relative_to(self.root) for path in paths)
        return ScanRef(f"{patient}-{short_hash(header.series, 8)}", patient, "volume", files, header.series)

    def _lesions(self, xml: Path, volume: Volume, headers: Sequence[Header]) -> Sequence[Lesion]:
        """Lesions from the largest down."""
        planes = {header.sop: k for k, header in enumerate(headers)}
        try:
            drawn = [draw(r, volume, planes, self.settings.include_border) for r in read_readings(xml)]
        except DataError as error:
            where = "" if str(xml) in str(error) else f"{xml}: "
            raise DataError(f"{where}{error}") from None
        groups = [agree(marks, self.settings.consensus) for marks in link(drawn, volume)]
        kept = [lesion for lesion in groups if lesion.readers >= self.settings.min_readers]
        return sorted(kept, key=lambda lesion: (-int(lesion.mask.sum()), [s.start for s in lesion.box]))

    def _xml(self, ref: ScanRef) -> Path:
        """The file that speaks of the series: in its own folder, else anywhere under the root."""
        beside = sorted((self.root / ref.source_files[0]).parent.glob("*.xml"))
        for path in [*(p for p in beside if _names(p, ref.uid)), *self._all_xml.get(ref.uid, [])]:
            if series_of(parse(path)) == ref.uid:
                return path
        raise DataError(f"{(self.root / ref.source_files[0]).parent}: no XML of the readers for its series")

    @cached_property
    def _all_xml(self) -> Mapping[str, Sequence[Path]]:
        """Series UID -> files that name it."""
        found = defaultdict(list)
        for path in sorted(self.root.rglob("*.xml")):
            match = SERIES_TAG.search(path.read_bytes())
            if match:
                found[match[1].decode()].append(path)
        return found


def _names(path: Path, uid: str) -> bool:
    return uid.encode() in path.read_bytes()


def _mark(lesion: Lesion, volume: Volume, labels: np.ndarray, k: int) -> Mark:
    """Writes the lesion's label and returns its mark; the diameter is that of the ball of its volume."""
    inside = lesion.mask & (labels[lesion.box] == 0)
    labels[lesion.box][inside] = k
    starts = [s.start for s in lesion.box]
    centre = volume.to_mm(np.argwhere(lesion.mask).mean(0) + starts)
    diameter = np.cbrt(6 * lesion.mask.sum() * np.prod(volume.spacing_mm) / np.pi)
    label = k if inside.any() else 0
    return Mark(
        tuple(map(float, centre)),
        float(diameter),
        texture_of_rating(lesion.texture),
        lesion.readers,
        label,
        "consensus",
    )
