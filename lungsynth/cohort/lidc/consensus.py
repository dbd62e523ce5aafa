"""From outlines to lesions: filled contours, the same lesion over readers, the voxels that most of them marked."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from skimage.draw import polygon, polygon_perimeter

from lungsynth.cohort.lidc.xml_marks import Contour, Reading
from lungsynth.cohort.shapes import share_of
from lungsynth.ct.shape import ball_diameter_mm
from lungsynth.ct.volume import Volume
from lungsynth.study.errors import DataError


class Drawn(NamedTuple):
    """One reader's nodule as a mask in a box of the volume."""

    reading: Reading
    box: tuple[slice, slice, slice]
    mask: np.ndarray

    def centre(self) -> np.ndarray:
        """Centroid in array positions (z, y, x)."""
        return np.argwhere(self.mask).mean(0) + [s.start for s in self.box]


class Lesion(NamedTuple):
    """A lesion over its readers: mask in a box, how many readers, their mean texture rating (NaN if unrated).

    `shares`, uint8 in the same box: the share of its readers who drew a voxel, 255 of all.
    """

    box: tuple[slice, slice, slice]
    mask: np.ndarray
    readers: int
    texture: float
    shares: np.ndarray


def fill(contour: Contour, shape: tuple[int, int], include_border: bool) -> np.ndarray:
    """The pixels of one outline. It runs just outside the nodule, so its own pixels are left out; where nothing would
    remain they stay."""
    rows, columns = np.array(contour.points).T
    mask = np.zeros(shape, bool)
    if len(rows) > 2:
        mask[polygon(rows, columns, shape)] = True
    edge = np.zeros(shape, bool)
    edge[rows, columns] = True
    distinct = [*dict.fromkeys(contour.points)]
    if len(distinct) > 1:  # the library needs a polygon that is closed: two points go there and back
        ring = contour.points if len(distinct) > 2 else [*distinct, distinct[0]]
        edge[polygon_perimeter(*np.array(ring).T, shape)] = True
    inner = mask & ~edge
    return mask | edge if include_border or not inner.any() else inner


def draw(reading: Reading, volume: Volume, planes: Mapping[str, int], include_border: bool) -> Drawn:
    """A reader's nodule: the union of its outlines, minus the holes.

    Args:
        planes: SOP UID -> slice of the volume.

    Raises:
        DataError: an outline lies in no slice of the scan, or outside its pixels; a nodule that is all hole.
    """
    contours = [contour for contour in reading.contours if contour.points]
    at = [_plane(contour, volume, planes) for contour in contours]
    points = np.concatenate([np.array(contour.points) for contour in contours])
    size = np.array(volume.hu.shape[1:])
    if (points < 0).any() or (points >= size).any():
        raise DataError(f"an outline leaves the slice (rows and columns {points.min(0)} to {points.max(0)})")
    low, high = np.maximum(points.min(0) - 1, 0), np.minimum(points.max(0) + 2, size)
    box = (slice(min(at), max(at) + 1), slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1])))
    mask = np.zeros([s.stop - s.start for s in box], bool)
    for inside in (True, False):
        for plane, contour in zip(at, contours, strict=True):
            if contour.inside == inside:
                shifted = contour._replace(points=tuple((r - low[0], c - low[1]) for r, c in contour.points))
                mask[plane - box[0].start][fill(shifted, mask.shape[1:], include_border)] = inside
    if not mask.any():
        raise DataError(f"a nodule has no pixels, its holes take all (slice {min(at)}); mend or remove it")
    return Drawn(reading, box, mask)


def _plane(contour: Contour, volume: Volume, planes: Mapping[str, int]) -> int:
    """The slice of an outline by its SOP UID; by z only where the UID is unknown."""
    if contour.sop in planes:
        return planes[contour.sop]
    if np.isfinite(contour.z_mm) and volume.direction[8]:
        at = (contour.z_mm - volume.origin_mm[2]) / (volume.spacing_mm[0] * volume.direction[8])
        if abs(at - round(at)) < 0.25 and 0 <= round(at) < len(volume.hu):
            return round(at)
    raise DataError(f"an outline at z {contour.z_mm:g} mm lies in no slice of the scan")


def link(drawn: Sequence[Drawn], volume: Volume) -> list[list[Drawn]]:
    """Groups of marks of one lesion: any common voxel, else centres nearer than 3 mm or the mean radius."""
    group = list(range(len(drawn)))
    for i in range(len(drawn)):
        for j in range(i):
            if group[i] != group[j] and _same(drawn[i], drawn[j], volume):
                old, new = max(group[i], group[j]), min(group[i], group[j])
                group = [new if g == old else g for g in group]
    return [[d for d, g in zip(drawn, group, strict=True) if g == name] for name in sorted(set(group))]


def _same(a: Drawn, b: Drawn, volume: Volume) -> bool:
    common = [slice(max(p.start, q.start), min(p.stop, q.stop)) for p, q in zip(a.box, b.box, strict=True)]
    if all(s.start < s.stop for s in common):
        parts = [d.mask[tuple(slice(s.start - o.start, s.stop - o.start) for s, o in zip(common, d.box, strict=True))]
                 for d in (a, b)]  # fmt: skip
        if (parts[0] & parts[1]).any():
            return True
    if a.reading.reader == b.reading.reader:
        return False
    apart = np.linalg.norm((a.centre() - b.centre()) * volume.spacing_mm)
    radii = [ball_diameter_mm(d.mask.sum() * np.prod(volume.spacing_mm)) / 2 for d in (a, b)]
    return bool(apart < max(3.0, np.mean(radii)))


def agree(marks: Sequence[Drawn], share: float) -> Lesion:
    """The voxels that at least `share` of the readers who marked the lesion drew; all of theirs where none agree."""
    box = tuple(slice(min(d.box[i].start for d in marks), max(d.box[i].stop for d in marks)) for i in range(3))
    shape = [s.stop - s.start for s in box]
    readers = sorted({d.reading.reader for d in marks})
    votes = np.zeros(shape, np.uint8)
    for reader in readers:
        own = np.zeros(shape, bool)
        for d in marks:
            if d.reading.reader == reader:
                own[tuple(slice(s.start - o.start, s.stop - o.start) for s, o in zip(d.box, box, strict=True))] |= (
                    d.mask
                )
        votes += own
    mask = votes >= max(1e-9, share * len(readers))
    ratings = [d.reading.texture for d in marks if np.isfinite(d.reading.texture)]
    texture = float(np.mean(ratings)) if ratings else np.nan
    return Lesion(box, mask if mask.any() else votes > 0, len(readers), texture, share_of(votes, len(readers)))
