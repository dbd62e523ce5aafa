"""LIDC-IDRI: DICOM series and the XML of up to four readers."""

import re
from collections import defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from lungsynth.cohort.base import Mark, Reader, Scan, ScanRef, safe_id, short_hash
from lungsynth.cohort.dicom.acquisitions import lacks
from lungsynth.cohort.dicom.headers import Header, grouped, kernel
from lungsynth.cohort.dicom.patients import patients_of
from lungsynth.cohort.dicom.series import read_series
from lungsynth.cohort.lidc.consensus import Lesion, agree, draw, link
from lungsynth.cohort.lidc.xml_marks import MESSAGE, read_readings, series_of
from lungsynth.cohort.registry import READERS
from lungsynth.cohort.shapes import texture_of_rating
from lungsynth.cohort.sniff import in_brief
from lungsynth.cohort.xml import LARGEST_BYTES, Start, parse, start_of, xml_files
from lungsynth.ct.shape import ball_diameter_mm
from lungsynth.ct.volume import Volume
from lungsynth.study.errors import DataError

SERIES_TAG = "SeriesInstanceUid"
UID = re.compile("[0-9.]+")


@READERS.register("lidc")
class LidcReader(Reader):
    """A folder as the archive lays it out, in which each series has a folder and PatientID is a public pseudonym."""

    def list(self) -> list[ScanRef]:
        """One scan a series, from headers alone; radiographs and what else lies beside it are skipped."""
        self.skipped = []
        groups = grouped(self.root, self.skipped, "series")
        self.skipped += [*lacks(self.root, groups.values()), *self.unused_readings(groups)]
        self.skipped = in_brief(self.skipped)
        if not groups:
            why = f"; a file {self.skipped[0][1]}" if self.skipped else ""
            raise DataError(f"{self.root}: no CT series in the folder; check the source's path{why}")
        people = patients_of({uid: headers[0] for uid, headers in groups.items()})
        named = {uid: p.text if p.is_id else f"P-{short_hash(p.text)}" for uid, p in people.items()}
        wanted = self.settings.only_patients
        refs = [self._ref(named[uid], h) for uid, h in groups.items() if not wanted or named[uid] in wanted]
        return sorted(refs, key=lambda ref: ref.scan)

    def read(self, ref: ScanRef) -> Scan:
        """The series with a consensus mask for each lesion that `min_readers` marked, and their readers' shares."""
        volume, headers = read_series([self.root / path for path in ref.source_files], self.settings.max_tilt_deg)
        lesions = self._lesions(self._xml(ref), volume, headers)
        labels = np.zeros(volume.hu.shape, np.uint16 if len(lesions) > 255 else np.uint8)
        marks = tuple(_mark(lesion, volume, labels, k) for k, lesion in enumerate(lesions, 1))
        shares = np.zeros(volume.hu.shape, np.uint8)
        for lesion in lesions:
            shares[lesion.box] = np.maximum(shares[lesion.box], lesion.shares)
        return Scan(volume, nodules=labels, shares=shares, marks=marks, kernel=kernel(headers[0]))

    def _ref(self, patient: str, headers: Sequence[Header]) -> ScanRef:
        patient, series = safe_id(patient), headers[0].series
        files = tuple(sorted(header.path.relative_to(self.root) for header in headers))
        return ScanRef(f"{patient}-{short_hash(series, 8)}", patient, "volume", files, series)

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
        """The file that speaks of the series: in its own folder, else anywhere under the root.

        Raises:
            DataError: there is none, or there are several that differ.
        """
        folder = (self.root / ref.source_files[0]).parent
        named = self._xml_by_series.get(ref.uid, [])
        found = [path for path in named if series_of(parse(path)) == ref.uid]
        found = [path for path in found if path.parent == folder] or found
        if not found:
            others = any(path.parent == folder for paths in self._xml_by_series.values() for path in paths)
            raise DataError(f"{folder}: no XML of the readers for its series{', only of others' if others else ''}")
        if len({path.read_bytes() for path in found}) > 1 and len({repr(read_readings(path)) for path in found}) > 1:
            raise DataError(f"{found[0]}: {found[1]} speaks of the same series and differs; keep one of them")
        return found[0]

    @cached_property
    def _xml_by_series(self) -> Mapping[str, Sequence[Path]]:
        """Series UID -> files that name it, whatever else is wrong with them."""
        found = defaultdict(list)
        for path, start in self._starts:
            if UID.fullmatch(start.text):
                found[start.text].append(path)
        return found

    @cached_property
    def _starts(self) -> Sequence[tuple[Path, Start]]:
        """How each XML file begins, and the series that it names."""
        return [(path, start_of(path, SERIES_TAG)) for path in xml_files(self.root)]

    def unused_readings(self, series: Container[str]) -> Iterator[tuple[str, str]]:
        """(file, reason) of readings of CT that are of none of these series: the scans beside them count as unread."""
        for path, start in self._starts:
            if MESSAGE in start.names and start.text not in series:
                why = "of a series that is not in the folder" if start.text else "that names no series"
                yield str(path.relative_to(self.root)), f"is a reading of LIDC-IDRI's form {why}"
            elif (
                not start.names
                and path.stat().st_size <= LARGEST_BYTES
                and MESSAGE.encode() in path.read_bytes().replace(b"\0", b"")
            ):
                yield str(path.relative_to(self.root)), "is a reading of LIDC-IDRI's form that is no XML"


def _mark(lesion: Lesion, volume: Volume, labels: np.ndarray, k: int) -> Mark:
    """Writes the lesion's label and returns its mark; the diameter is that of the ball of its volume."""
    inside = lesion.mask & (labels[lesion.box] == 0)
    labels[lesion.box][inside] = k
    starts = [s.start for s in lesion.box]
    centre = volume.to_mm(np.argwhere(lesion.mask).mean(0) + starts)
    diameter = ball_diameter_mm(lesion.mask.sum() * np.prod(volume.spacing_mm))
    label = k if inside.any() else 0
    return Mark(
        tuple(map(float, centre)),
        float(diameter),
        texture_of_rating(lesion.texture),
        lesion.readers,
        label,
        "consensus",
    )
