"""A folder of NIfTI chest CT, one scan a file, with masks beside them."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from lungsynth.cohort.base import Reader, Scan, ScanRef, safe_id, short_hash, to_hu
from lungsynth.cohort.masks import (
    LARGEST_LABEL,
    by_folder,
    components,
    label_marks,
    lung_labels,
    on_grid,
    split_sides,
    usual_ending,
    where_masks_lie,
)
from lungsynth.cohort.names import entries, link_fault
from lungsynth.cohort.nifti.header import SUFFIXES, glance, is_nifti, stem
from lungsynth.cohort.nifti.volume import read_nifti
from lungsynth.cohort.registry import READERS
from lungsynth.cohort.sniff import in_brief, strangers
from lungsynth.ct.volume import Volume
from lungsynth.study.errors import DataError
from lungsynth.study.expressions import first_in

DISPUTED = "is read, but its sform and qform place it differently; the sform is taken, as its code is above 0"


@READERS.register("nifti")
class NiftiReader(Reader):
    """Scans in any orientation, as the files hold them."""

    def list(self) -> list[ScanRef]:
        """Every NIfTI file that is no mask."""
        self.skipped = []
        refs = [ref for path in self._scans() if (ref := self._ref(path)) is not None]
        self.skipped += in_brief(self._strangers())
        if not refs:
            passed = "".join(f"; {name} {reason}" for name, reason in in_brief(self.skipped)[:1])
            raise DataError(
                f"{self.root}: no scan (.nii, .nii.gz) in the folder; check the source's path and `patient`{passed}"
            )
        return sorted(refs[: self.settings.max_scans], key=lambda ref: ref.scan)

    def read(self, ref: ScanRef) -> Scan:
        """The scan with its lungs and nodules."""
        path = self.root / ref.source_files[0]
        raw = self._read(path)
        volume = raw.like(to_hu(raw.hu, path))
        lungs = self._lungs(path, volume)
        labels, note = self._nodules(path, volume)
        return Scan(volume, lungs, labels, () if labels is None else label_marks(volume, labels, note))

    @property
    def mask_names(self) -> str:
        """By the settings."""
        return where_masks_lie(self.settings.lungs, self.settings.nodules)

    def _strangers(self) -> Iterator[tuple[str, str]]:
        """What may be a scan of another format."""
        return strangers(self.root, is_nifti)

    def _scans(self) -> Iterator[Path]:
        """Files that are no masks, by path; a mask that is not read is named in `skipped`."""
        found = sorted(entries(self.root))
        beside = by_folder((relative.parent, stem(relative)) for relative in found if is_nifti(relative))
        for relative in found:
            path = self.root / relative
            if not is_nifti(path) or path.is_dir() or any(part.startswith(".") for part in relative.parts):
                continue
            if path.name.lower().endswith(".nii") and _first_file(path.parent, stem(path)) != path:
                continue  # NAME.nii.gz is there too; `read` refuses it with the reason
            if fault := link_fault(path, self.root):
                self.skipped.append((str(relative), fault))
                continue
            endings = [e for e in (self.settings.lungs, self.settings.nodules) if e and _is_mask(relative, e)]
            if not endings and (ending := usual_ending(stem(path), beside[relative.parent])):
                self.skipped.append((str(relative), f"is named like a mask ({ending}); {self.mask_names}"))
            elif not endings:
                yield path
            elif "/" not in endings[0] and not _first_file(path.parent, stem(path).removesuffix(endings[0])):
                self.skipped.append((str(relative), f"is named like a mask ({endings[0]}), but its scan is missing"))

    def _ref(self, path: Path) -> ScanRef | None:
        relative = path.relative_to(self.root)
        name = (relative.parent / stem(path)).as_posix()
        known = first_in(name, self.settings.patient)
        if not known:
            self.skipped.append((str(relative), f"its name does not match patient: {self.settings.patient}"))
            return None
        patient = safe_id(known) if self.settings.keep_patient_ids else f"P-{short_hash(known)}"
        header = glance(path)
        if header is not None and header.is_disputed:
            self.skipped.append((str(relative), DISPUTED))
        kind = "slice" if header is not None and min(header.size) == 1 else "volume"
        return ScanRef(f"{patient}-{short_hash(name, 8)}", patient, kind, (relative,))

    def _read(self, path: Path) -> Volume:
        """A scan or a mask on the grid of its file."""
        return read_nifti(path, self.settings.axes)

    def _mask_file(self, scan: Path, where: str) -> Path | None:
        """A scan's mask by the setting that says where it is; None where there is none."""
        folder, _, ending = where.rpartition("/")
        if not where:
            return None
        places = [scan.parent]
        if folder:
            beside = [self.root / folder / scan.parent.relative_to(self.root), scan.parent / folder]
            places = beside + ([scan.parent.parent / folder] if scan.parent != self.root else [])
        return next((found for place in places if (found := _first_file(place, stem(scan) + ending))), None)

    def _mask(self, scan: Path, volume: Volume, where: str) -> tuple[np.ndarray, Path] | None:
        """The values of a scan's mask, and its file; None where there is none."""
        path = self._mask_file(scan, where)
        return None if path is None else (on_grid(self._read(path), volume, path), path)

    def _lungs(self, scan: Path, volume: Volume) -> np.ndarray | None:
        """uint8, 1 right, 2 left; a mask with one value is cut in two."""
        found = self._mask(scan, volume, self.settings.lungs)
        if found is None:
            return None
        mask, path = found
        if len(np.unique(mask[mask > 0])) == 1:
            return split_sides(mask > 0, volume)
        sides = (self.settings.right_labels, self.settings.left_labels, self.settings.other_labels)
        return lung_labels(mask, volume, *sides, path)

    def _nodules(self, scan: Path, volume: Volume) -> tuple[np.ndarray | None, str]:
        """Labels, and whether they were in the file or are its components."""
        found = self._mask(scan, volume, self.settings.nodules)
        if found is None:
            return None, ""
        mask, path = found
        how = self.settings.nodule_values
        if how == "labels" or (how == "auto" and len(np.unique(mask[mask > 0])) != 1):
            return mask, "label"
        labels = components(mask)
        if labels.max(initial=0) > LARGEST_LABEL:
            raise DataError(f"{path}: falls into {labels.max()} components; is it a mask of nodules?")
        return labels, "component"


def _is_mask(relative: Path, where: str) -> bool:
    """Whether a path lies where masks lie: under the folder of `where`, and with its ending."""
    folder, _, ending = where.rpartition("/")
    inside = f"/{folder}/" in f"/{relative.parent.as_posix()}/" if folder else True
    return inside and stem(relative).endswith(ending) and stem(relative) != ending


def _first_file(folder: Path, name: str) -> Path | None:
    """NAME.nii.gz or NAME.nii in a folder."""
    return next((path for suffix in SUFFIXES if (path := folder / (name + suffix)).is_file()), None)
