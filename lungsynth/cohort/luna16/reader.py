"""LUNA16 (and the phantoms, which come in its clothes): UID.mhd + .raw, annotations.csv, lung masks, nodule labels."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from lungsynth.cohort.base import Mark, Reader, Role, Scan, ScanRef, safe_id, to_hu
from lungsynth.cohort.luna16.annotations import Annotation, of_others, read_annotations
from lungsynth.cohort.luna16.header import check_files
from lungsynth.cohort.masks import by_folder, lung_labels, on_grid, usual_ending, where_masks_lie
from lungsynth.cohort.names import NO_TEXT, entries, is_text, link_fault
from lungsynth.cohort.nifti.volume import read_nifti
from lungsynth.cohort.registry import READERS
from lungsynth.cohort.shapes import densities, is_inside, sphere
from lungsynth.cohort.sniff import in_brief, strangers
from lungsynth.ct import volume as volumes
from lungsynth.ct.volume import Volume
from lungsynth.study.errors import DataError

ACCEPTED_BY = 3
"""LUNA16's reference holds nodules that at least three of four readers accepted."""


@READERS.register("luna16")
class Luna16Reader(Reader):
    """Scans of a LUNA16 folder; a series UID stands for a patient, since the set names none."""

    def list(self) -> list[ScanRef]:
        """Every UID.mhd outside the mask folders."""
        self.skipped = []
        found: dict[str, Path] = {}
        files = sorted(entries(self.root))
        beside = by_folder((relative.parent, relative.stem) for relative in files if relative.suffix == ".mhd")
        for relative in files:
            hidden = any(part.startswith(".") for part in relative.parts)
            if relative.suffix != ".mhd" or hidden or self._is_mask(relative):
                continue
            path = self.root / relative
            if fault := link_fault(path, self.root):
                self.skipped.append((str(relative), fault))
                continue
            if ending := usual_ending(path.stem, beside[relative.parent]):
                self.skipped.append((str(relative), f"is named like a mask ({ending}); {self.mask_names}"))
                continue
            if not is_text(path.stem):
                self.skipped.append((str(relative), NO_TEXT))
                continue
            if path.stem in found:
                raise DataError(f"{path}: the scan {path.stem} is there twice, also as {found[path.stem]}")
            found[path.stem] = relative
        self.skipped += in_brief(strangers(self.root, lambda path: path.suffix == ".mhd" or self._is_mask(path)))
        if others := of_others(self.annotated, found):
            self.skipped.append((self.settings.annotations, others))
        if not found:
            raise DataError(f"{self.root}: no scan (.mhd) in the folder; check the source's path")
        if self.settings.folds:
            found = self._in_folds(found)
        refs = [ScanRef(safe_id(uid), safe_id(uid), "volume", (found[uid],), uid) for uid in sorted(found)]
        return refs[: self.settings.max_scans]

    def read(self, ref: ScanRef) -> Scan:
        """The scan with its lungs and nodules; a nodule without a label gets its annotated sphere as mask."""
        path = self.root / ref.source_files[0]
        raw = volumes.read(path, check_files(path))
        volume = raw.like(to_hu(raw.hu, path))
        annotations = self._annotations.get(ref.uid, [])
        for annotation in annotations:
            if annotation.fault:
                raise DataError(f"{self._table}: {annotation.fault}")
            if not is_inside(volume, annotation.centre_mm):
                raise DataError(f"{self._table}: row {annotation.line} lies outside the scan {path}")
        labels, notes = self._nodules(ref.uid, volume, annotations)
        textures = densities(volume, labels, len(annotations))
        marks = tuple(
            Mark(a.centre_mm, a.diameter_mm, textures[k - 1], ACCEPTED_BY, k if notes[k] else 0, notes[k])
            for k, a in enumerate(annotations, 1)
        )
        return Scan(volume, self._lungs(ref.uid, volume), labels, marks)

    @cached_property
    def annotated(self) -> Mapping[str, Sequence[Annotation]]:
        """Series UID -> its annotations; none of a table that cannot be read: then `read` says what is wrong."""
        try:
            return self._annotations
        except DataError:
            return {}

    @property
    def mask_names(self) -> str:
        """By the folders of the settings."""
        lungs, nodules = (f"{folder}/" if folder else "" for folder in (self.settings.lungs, self.settings.nodules))
        return where_masks_lie(lungs, nodules)

    def allowed_roles(self, ref: ScanRef) -> tuple[Role, ...]:
        """With `folds` the role of the scan's subset."""
        return (self._roles[_subset(ref.source_files[0])],) if self.settings.folds else super().allowed_roles(ref)

    @property
    def _roles(self) -> dict[int | None, Role]:
        return {subset: role for role, subsets in self.settings.folds.items() for subset in subsets}

    def _is_mask(self, relative: Path) -> bool:
        return not {self.settings.lungs, self.settings.nodules}.isdisjoint(relative.parts[:-1])

    def _in_folds(self, found: Mapping[str, Path]) -> dict[str, Path]:
        """The scans of the subsets that `folds` names; the others are counted in `skipped`.

        Raises:
            DataError: a scan that lies in no subset, or a named subset without scans.
        """
        counts = Counter(_subset(path) for path in found.values())
        loose = next((path for path in found.values() if _subset(path) is None), None)
        if loose is not None:
            raise DataError(
                f"{self.root / loose}: lies in no folder subset0, subset1 ...; `folds` needs every scan in one"
            )
        absent = sorted(self._roles.keys() - counts.keys())
        if absent:
            there = ", ".join(f"subset{k}" for k in sorted(counts))
            raise DataError(f"{self.root}: no scan in subset{absent[0]}, which `folds` names; there are: {there}")
        for subset in sorted(counts.keys() - self._roles.keys()):
            self.skipped.append((f"subset{subset}", f"{counts[subset]} scans in no fold"))
        return {uid: path for uid, path in found.items() if _subset(path) in self._roles}

    @property
    def _table(self) -> Path:
        return self.root / self.settings.annotations

    @cached_property
    def _annotations(self) -> Mapping[str, Sequence[Annotation]]:
        return read_annotations(self._table) if self.settings.annotations else {}

    def _beside(self, folder: str, name: str) -> Path | None:
        """The file `name` anywhere under the sub-folder `folder`.

        Raises:
            DataError: it is a link to nothing.
        """
        there = entries(self.root / folder) if folder else ()
        found = sorted(self.root / folder / relative for relative in there if relative.name == name)
        if found and not found[0].is_file():
            raise DataError(f"{found[0]}: is no file, or a link to nothing or to itself")
        return found[0] if found else None

    def _lungs(self, uid: str, volume: Volume) -> np.ndarray | None:
        """Lung mask with our labels, or None. The sides are checked by the masks' x: left is +x."""
        path = self._beside(self.settings.lungs, f"{uid}.mhd")
        if path is None:
            return None
        mask = on_grid(volumes.read(path, check_files(path)), volume, path)
        sides = (self.settings.right_labels, self.settings.left_labels, self.settings.other_labels)
        return lung_labels(mask, volume, *sides, path)

    def _nodules(
        self, uid: str, volume: Volume, annotations: Sequence[Annotation]
    ) -> tuple[np.ndarray, dict[int, str]]:
        """Label volume and, for each label, where it comes from ('' where it is empty)."""
        path = self._beside(self.settings.nodules, f"{uid}.nii.gz")
        if path is None:
            labels = np.zeros(volume.hu.shape, np.uint16 if len(annotations) > 255 else np.uint8)
            for k, annotation in enumerate(annotations, 1):
                sphere(volume, annotation.centre_mm, annotation.diameter_mm, self.settings.sphere_min_hu, labels, k)
            source = "sphere"
        else:
            labels, source = on_grid(read_nifti(path), volume, path), "label"
            if labels.max(initial=0) > len(annotations):
                raise DataError(f"{path}: label {labels.max()} has no row in {self._table.name}")
        counts = np.bincount(labels.ravel(), minlength=len(annotations) + 1)
        return labels, {k: source if counts[k] else "" for k in range(1, len(annotations) + 1)}


def _subset(relative: Path) -> int | None:
    """The number of the subset folder that a scan lies in; None outside of them."""
    numbers = [match[1] for part in relative.parts[:-1] if (match := re.fullmatch(r"subset(\d+)", part))]
    return int(numbers[-1]) if numbers else None
