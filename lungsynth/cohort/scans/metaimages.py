"""MetaImage files: in LUNA16's layout with its table, lungs and labels; elsewhere scans without marks."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from lungsynth.cohort.base import Reader, Scan, ScanRef, safe_id, short_hash
from lungsynth.cohort.luna16.annotations import read_annotations
from lungsynth.cohort.luna16.header import dimensions, read_header
from lungsynth.cohort.luna16.reader import Luna16Reader
from lungsynth.cohort.luna16.settings import Settings as Luna16Settings
from lungsynth.cohort.masks import by_folder, usual_ending
from lungsynth.cohort.names import PUBLIC_UID, entries, link_fault
from lungsynth.study.errors import DataError
from lungsynth.study.expressions import first_in

SUFFIXES = (".mhd", ".mha")
UID = re.compile(r"\d+(\.\d+){3,}")
TABLES = ("annotations.csv", "CSVFILES/annotations.csv")
LUNGS, LABELS = (Luna16Settings.model_fields[name].default for name in ("lungs", "nodules"))


class Layout(NamedTuple):
    """A folder laid out as LUNA16, its table relative to it (empty: none), and the series that the table names."""

    folder: Path
    table: str
    series: frozenset[str] = frozenset()


class MetaImages(Reader):
    """Each file is listed by its name and read by the reader of LUNA16."""

    def list(self) -> list[ScanRef]:
        """All .mhd and .mha files that are no masks, or none."""
        self.skipped = []
        paths = list(self._scans())
        stems = defaultdict(set)
        for path in paths:
            if layout := self._layout(path.parent):
                stems[layout].add(path.stem)
        for layout, series in stems.items():
            others = _reader(layout).rows_of_others(series) if layout.table else ""
            if others:
                self.skipped.append((str((layout.folder / layout.table).relative_to(self.root)), others))
        return [self._ref(path) for path in paths]

    def read(self, ref: ScanRef) -> Scan:
        """The scan; its UID, which the list of scans hides, is the file's name."""
        path = self.root / ref.source_files[0]
        reader = _reader(self._layout(path.parent), path.parent)
        return reader.read(replace(ref, source_files=(path.relative_to(reader.root),), uid=path.stem))

    def is_mask(self, path: Path) -> bool:
        """Whether a path under the root lies where LUNA16's masks of lungs, or our labels of nodules, lie."""
        folders = path.relative_to(self.root).parts[:-1]
        layout = self._layout(path.parent) if LABELS in folders else None
        return LUNGS in folders or (layout is not None and bool(layout.table))

    def _scans(self) -> Iterator[Path]:
        found = sorted(entries(self.root))
        beside = by_folder(
            (relative.parent, relative.stem) for relative in found if relative.suffix.lower() in SUFFIXES
        )
        for relative in found:
            path = self.root / relative
            hidden = any(part.startswith(".") for part in relative.parts)
            if path.suffix.lower() not in SUFFIXES or hidden or path.is_dir() or self.is_mask(path):
                continue
            reason = link_fault(path, self.root) or self._refusal(path, beside.get(relative.parent, ()))
            if reason:
                self.skipped.append((str(relative), reason))
            else:
                yield path

    def _refusal(self, path: Path, beside: Collection[str]) -> str:
        """Why a file is no whole scan; empty where it is one, or damaged: then `read` says so."""
        endings = [e for e in (self.settings.lungs, self.settings.nodules) if e and "/" not in e]
        ending = next((e for e in endings if path.stem.endswith(e)), "") or usual_ending(path.stem, beside)
        if ending:
            return f"is named like a mask ({ending}); masks are read beside NIfTI scans"
        if not first_in(path.relative_to(self.root).with_suffix("").as_posix(), self.settings.patient):
            return f"its name does not match patient: {self.settings.patient}"
        try:
            header = read_header(path)
            count = len(header["DimSize"].split())
            if count != 3:
                return f"has {count} dimensions, a scan has 3"
            flat = 1 in dimensions(header, path)
        except (DataError, OSError):
            return ""
        return "a single slice; this reader takes whole scans" if flat else ""

    def _ref(self, path: Path) -> ScanRef:
        """A public UID is the name of scan and patient; else the patient is found as that of NIfTI files is."""
        relative, layout = path.relative_to(self.root), self._layout(path.parent)
        is_uid = UID.fullmatch(path.stem) is not None
        known = path.stem if is_uid else first_in(relative.with_suffix("").as_posix(), self.settings.patient)
        public = self.settings.keep_patient_ids or PUBLIC_UID.fullmatch(known)
        patient = safe_id(known) if public else f"P-{short_hash(known)}"
        scan = patient if is_uid else f"{patient}-{short_hash(relative.as_posix(), 8)}"
        annotated = layout is not None and bool(layout.table) and (is_uid or path.stem in layout.series)
        extra = {"reader": "luna16", "annotated": annotated}
        return ScanRef(scan, patient, "volume", (relative,), path.stem if is_uid else "", extra)

    def _layout(self, folder: Path) -> Layout | None:
        """The layout that a folder is part of: its own, or that of the nearest folder above that has one."""
        if folder not in self._layouts:
            above = self._layout(folder.parent) if folder != self.root else None
            self._layouts[folder] = self._layout_of(folder) or above
        return self._layouts[folder]

    @cached_property
    def _layouts(self) -> dict[Path, Layout | None]:
        return {}

    def _layout_of(self, folder: Path) -> Layout | None:
        for table in TABLES:
            path = folder / table
            if path.is_file() and not link_fault(path, self.root) and _is_table(path):
                return Layout(folder, table, _series(path))
        return Layout(folder, "") if (folder / LUNGS).is_dir() else None


def _reader(layout: Layout | None, folder: Path | None = None) -> Luna16Reader:
    """LUNA16's, of a layout; without one, of scans alone in a folder."""
    if layout is None:
        return Luna16Reader(Luna16Settings(annotations="", lungs="", nodules=""), folder)
    return Luna16Reader(Luna16Settings(annotations=layout.table), layout.folder)


def _is_table(path: Path) -> bool:
    """Whether it is LUNA16's table and not another one of this name."""
    with path.open("rb") as file:
        return b"seriesuid" in file.read(4096).replace(b"\0", b"").lower()  # UTF-16 is two bytes a letter


def _series(path: Path) -> frozenset[str]:
    """The series that a table names; none of a damaged one, of which `read` says what is wrong."""
    try:
        return frozenset(read_annotations(path))
    except DataError:
        return frozenset()
