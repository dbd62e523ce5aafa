"""LUNA16 (and the phantoms, which come in its clothes): UID.mhd + .raw, annotations.csv, lung masks, nodule labels."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from lungsynth.cohort.base import Mark, Reader, Scan, ScanRef, safe_id, to_hu
from lungsynth.cohort.luna16.annotations import Annotation, read_annotations
from lungsynth.cohort.luna16.header import check_files, check_gzip
from lungsynth.cohort.registry import READERS
from lungsynth.cohort.shapes import densities, is_inside, sphere
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
        masks = {self.settings.lungs, self.settings.nodules}
        found: dict[str, Path] = {}
        for path in sorted(self.root.rglob("*.mhd")):
            relative = path.relative_to(self.root)
            if masks.isdisjoint(relative.parts[:-1]) and not any(p.startswith(".") for p in relative.parts):
                if path.stem in found:
                    raise DataError(f"{path}: the scan {path.stem} is there twice, also as {found[path.stem]}")
                found[path.stem] = relative
        if not found:
            raise DataError(f"{self.root}: no scan (.mhd) in the folder; check the source's path")
        refs = [ScanRef(safe_id(uid), safe_id(uid), "volume", (found[uid],), uid) for uid in sorted(found)]
        return refs[: self.settings.max_scans]

    def read(self, ref: ScanRef) -> Scan:
        """The scan with its lungs and nodules; a nodule without a label gets its annotated sphere as mask."""
        path = self.root / ref.source_files[0]
        check_files(path)
        raw = volumes.read(path)
        volume = raw.like(to_hu(raw.hu, path))
        annotations = self._annotations.get(ref.uid, [])
        for annotation in annotations:
            if not is_inside(volume, annotation.centre_mm):
                raise DataError(f"{self._table}: row {annotation.line} lies outside the scan {ref.uid}")
        labels, notes = self._nodules(ref.uid, volume, annotations)
        textures = densities(volume, labels, len(annotations))
        marks = tuple(
            Mark(a.centre_mm, a.diameter_mm, textures[k - 1], ACCEPTED_BY, k if notes[k] else 0, notes[k])
            for k, a in enumerate(annotations, 1)
        )
        return Scan(volume, self._lungs(ref.uid, volume), labels, marks)

    @property
    def _table(self) -> Path:
        return self.root / self.settings.annotations

    @cached_property
    def _annotations(self) -> Mapping[str, Sequence[Annotation]]:
        return read_annotations(self._table) if self.settings.annotations else {}

    def _beside(self, folder: str, name: str) -> Path | None:
        """The file `name` anywhere under the sub-folder `folder`."""
        found = sorted((self.root / folder).rglob(name)) if folder and (self.root / folder).is_dir() else []
        return found[0] if found else None

    def _lungs(self, uid: str, volume: Volume) -> np.ndarray | None:
        """Lung mask with our labels, or None. The sides are checked by the masks' x: left is +x."""
        path = self._beside(self.settings.lungs, f"{uid}.mhd")
        if path is None:
            return None
        check_files(path)
        mask = _on_grid(volumes.read(path), volume, path)
        right, left, other = (set(getattr(self.settings, f"{n}_labels")) for n in ("right", "left", "other"))
        unknown = set(np.unique(mask).tolist()) - right - left - other - {0}
        if unknown:
            raise DataError(f"{path}: values {sorted(unknown)} are unknown; name them in right_, left_ or other_labels")
        lungs = np.isin(mask, list(right)) + np.uint8(2) * np.isin(mask, list(left))
        return _sides_by_position(lungs.astype(np.uint8), volume)

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
            check_gzip(path)
            labels, source = _on_grid(volumes.read(path), volume, path), "label"
            if labels.max(initial=0) > len(annotations):
                raise DataError(f"{path}: label {labels.max()} has no row in {self._table.name}")
        counts = np.bincount(labels.ravel(), minlength=len(annotations) + 1)
        return labels, {k: source if counts[k] else "" for k in range(1, len(annotations) + 1)}


def _on_grid(mask: Volume, volume: Volume, path: Path) -> np.ndarray:
    """The mask's array, whole numbers, once its grid is seen to be the scan's."""
    same = mask.hu.shape == volume.hu.shape and np.allclose(mask.spacing_mm, volume.spacing_mm, atol=1e-3)
    if not (same and np.allclose(mask.to_mm([0, 0, 0]), volume.to_mm([0, 0, 0]), atol=0.05)):
        raise DataError(f"{path}: is not on the grid of its scan (size, spacing or origin differ)")
    if mask.hu.min() < 0 or mask.hu.max() > 65535:
        raise DataError(f"{path}: is no mask, its values go from {mask.hu.min()} to {mask.hu.max()}")
    return mask.hu.astype(np.uint8 if mask.hu.max() < 256 else np.uint16)


def _sides_by_position(lungs: np.ndarray, volume: Volume) -> np.ndarray:
    """Swaps the labels where right lies left: the numbers of LUNA16's masks are not documented."""
    x = [volume.to_mm(np.argwhere(lungs == side).mean(0))[0] if (lungs == side).any() else None for side in (1, 2)]
    if None not in x and x[0] > x[1]:
        return np.array([0, 2, 1], np.uint8)[lungs]
    return lungs
