"""MetaImage files: in LUNA16's layout with its table, lungs and labels; elsewhere scans without marks."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from lungsynth.cohort.base import Reader, Scan, ScanRef, safe_id, short_hash
from lungsynth.cohort.luna16.annotations import of_others
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


class MetaImages(Reader):
    """Each file is listed by its name and read by the reader of LUNA16."""

    def list(self) -> list[ScanRef]:
        """All .mhd and .mha files that are no masks, or none."""
        self.skipped = []
        paths = list(self._scans())
        series = defaultdict(set)
        for path in paths:
            if luna := self._luna(path.parent):
                series[luna].add(path.stem)
        for luna, there in series.items():
            if others := of_others(luna.annotated, there):
                table = luna.root / luna.settings.annotations
                self.skipped.append((str(table.relative_to(self.root)), others))
        return [self._ref(path) for path in paths]

    def read(self, ref: ScanRef) -> Scan:
        """The scan; its UID, which the list of scans hides, is the file's name."""
        path = self.root / ref.source_files[0]
        alone = Luna16Settings(annotations="", lungs="", nodules="")
        luna = self._luna(path.parent) or Luna16Reader(alone, path.parent)
        return luna.read(replace(ref, source_files=(path.relative_to(luna.root),), uid=path.stem))

    def is_mask(self, path: Path) -> bool:
        """Whether a path under the root lies where LUNA16's masks of lungs, or our labels of nodules, lie."""
        folders = path.relative_to(self.root).parts[:-1]
        luna = self._luna(path.parent) if LABELS in folders else None
        return LUNGS in folders or (luna is not None and bool(luna.settings.annotations))

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
        relative, luna = path.relative_to(self.root), self._luna(path.parent)
        is_uid = UID.fullmatch(path.stem) is not None
        known = path.stem if is_uid else first_in(relative.with_suffix("").as_posix(), self.settings.patient)
        public = self.settings.keep_patient_ids or PUBLIC_UID.fullmatch(known)
        patient = safe_id(known) if public else f"P-{short_hash(known)}"
        scan = patient if is_uid else f"{patient}-{short_hash(relative.as_posix(), 8)}"
        annotated = luna is not None and bool(luna.settings.annotations) and (is_uid or path.stem in luna.annotated)
        extra = {"reader": "luna16", "annotated": annotated}
        return ScanRef(scan, patient, "volume", (relative,), path.stem if is_uid else "", extra)

    def _luna(self, folder: Path) -> Luna16Reader | None:
        """The reader of the layout that a folder is part of: its own, or the nearest folder's above that has one."""
        if folder not in self._lunas:
            above = self._luna(folder.parent) if folder != self.root else None
            self._lunas[folder] = self._luna_of(folder) or above
        return self._lunas[folder]

    @cached_property
    def _lunas(self) -> dict[Path, Luna16Reader | None]:
        return {}

    def _luna_of(self, folder: Path) -> Luna16Reader | None:
        for table in TABLES:
            path = folder / table
            if path.is_file() and not link_fault(path, self.root) and _is_table(path):
                return Luna16Reader(Luna16Settings(annotations=table), folder)
        return Luna16Reader(Luna16Settings(annotations=""), folder) if (folder / LUNGS).is_dir() else None


def _is_table(path: Path) -> bool:
    """Whether it is LUNA16's table and not another one of this name."""
    with path.open("rb") as file:
        return b"seriesuid" in file.read(4096).replace(b"\0", b"").lower()  # UTF-16 is two bytes a letter
