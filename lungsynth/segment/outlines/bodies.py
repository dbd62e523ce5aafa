"""Nodules that a network of outlines learns from, each in a part of its scan, with what a detector makes of it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import ndimage

from lungsynth.ct.shape import mask_diameter_mm
from lungsynth.ct.volume import Volume
from lungsynth.segment.inference.candidates import sharing_most
from lungsynth.segment.inference.planes import Scan
from lungsynth.segment.outlines import views
from lungsynth.segment.volumetric.crops import Crop
from lungsynth.sets.bank import read_arrays, write_arrays
from lungsynth.sets.tables import read_csv, write_csv
from lungsynth.study.errors import DataError
from lungsynth.study.stages.segment import OutlineNetwork

Find = Callable[[Volume], tuple[np.ndarray, np.ndarray]]
"""A detector's probability of every voxel of a crop, uint8 0..255 [z, y, x], and the labels of its candidates there."""
HALF = 128
"""The least share of a voxel, of 255, that makes it the nodule's."""
FAINT_MM, HOLLOW_MM = 5.0, 9.0
"""Diameters from which a nodule is made fainter, and hollow."""
SOLID_HU = (-450.0, -250.0)
"""Mean HU of a nodule below which it is faint enough, and from which it is solid."""
FAINT = {"solid": (0.15, 0.45), "part": (0.3, 0.7)}
"""What share of its contrast against the lung is left of a solid nodule, and of one that is in part."""
TEXTURE_HU = 10.0
"""Sd of what is added within a faint nodule."""
WALL_MM = (1.2, 1.5)
"""The wall of a hollow nodule: so thick at least, and at most so thick or `WALL` of its largest radius."""
WALL = 0.6
CAVITY_MM3 = 60.0
"""A smaller cavity is none."""
CAVITY_HU = (-980.0, -850.0)
EDGE_MM = (0.5, 0.6, 0.6)
"""Sd of the blur at the edge of what is changed: along z less than a slice."""
OUTWARD_PX = 0.7
"""How far outside the consensus of half of the readers the outlines of the crops' sets lie, in voxels of their planes.

The crops hold all that any reader drew, the cubes what one of them drew, with his line. Against the consensus of
`lidc_nodules` in the same slices their radius is larger by .7 (736 crops of three or four readers, median; 54 cubes,
mean).
"""
AIR_BELOW_HU, AIR_VOXELS = -600.0, 100
"""What is darker in a crop is lung; of less than so many voxels its density is not known."""


@dataclass(frozen=True)
class Body:
    """A nodule in a part of its scan.

    Attributes:
        name: of scan or crop and nodule; patient: whose; how: "found" as it is, or made "faint" or "hollow".
        volume: int16 HU [z, y, x]; probability: the detector's, uint8 0..255.
        candidate: bool, the detector's best candidate on the nodule.
        share: uint8 of how much of each voxel is the nodule's by the consensus of half of its readers, 255: all.
        whole: whether its surroundings are there on all sides.
    """

    name: str
    patient: str
    how: str
    volume: Volume
    probability: np.ndarray
    candidate: np.ndarray
    share: np.ndarray
    whole: bool

    @property
    def mask(self) -> np.ndarray:
        """bool [z, y, x]: the nodule."""
        return self.share >= HALF


def inward(mask: np.ndarray, spacing_mm: tuple[float, ...], distance_px: float) -> np.ndarray:
    """The share of each voxel, uint8 0..255, that a mask has when its outline moves inward.

    A mask of which nothing would be left stays.

    distance_px: in voxels of the planes (y, x). Along z as many mm, but the last slices stay where they are so thick
        that they are deeper than that.
    """
    pixel = spacing_mm[-1]
    # To the centre of the nearest voxel outside; the outline lies half a voxel before.
    depth = ndimage.distance_transform_edt(np.pad(mask, 1), sampling=spacing_mm)[1:-1, 1:-1, 1:-1]
    share = np.clip(depth / pixel - distance_px, 0, 1)
    return np.rint(255 * (share if (share >= 0.5).any() else mask)).astype(np.uint8)


def of_crop(crop: Crop, find: Find) -> Body | None:
    """The nodule of a crop; None where the detector has found nothing of it."""
    share = inward(crop.mask, crop.volume.spacing_mm, OUTWARD_PX)
    return _found(crop.name, crop.patient, "found", crop.volume, share, crop.whole, find)


def _found(
    name: str, patient: str, how: str, volume: Volume, share: np.ndarray, whole: bool, find: Find
) -> Body | None:
    probability, labels = find(volume)
    on = sharing_most(labels, share >= HALF)
    return None if on is None else Body(name, patient, how, volume, probability, on, share, whole)


def of_scan(scan: Scan, probability: np.ndarray, labels: np.ndarray, network: OutlineNetwork) -> Iterator[Body]:
    """The outlined nodules of a whole scan that the detector has found, as far around as a cube may reach.

    probability: the detector's, uint8 0..255 [z, y, x]; labels: of its candidates.
    """
    for label, place in enumerate(ndimage.find_objects(scan.nodules), start=1):
        if place is None or (on := sharing_most(labels, scan.nodules == label)) is None:
            continue
        # Training's cubes are turned and enlarged: they reach farther than those of candidates.
        box = views.within(network.side_mm[1], place, scan.volume.spacing_mm)
        volume = replace(scan.volume, hu=scan.volume.hu[box].copy())
        share = np.where(scan.nodules[box] == label, 255, 0).astype(np.uint8)
        name = f"{scan.name}/nodule-{label}"
        yield Body(name, scan.patient, "found", volume, probability[box].copy(), on[box], share, True)


def invented(body: Body, find: Find, rng: np.random.Generator) -> Iterator[Body]:
    """The nodule of a crop made fainter, and hollow, with what the detector finds of it then.

    Ground glass and cavities are rare, and what detectors of slices outline worst: of a cavity the wall in parts, of
    ground glass its dense places. The readers' outline stays what it was.
    """
    for how, change in (("faint", _faint), ("hollow", _hollow)):
        if (hu := change(body, rng)) is None:
            continue
        volume = replace(body.volume, hu=np.rint(hu).astype(np.int16))
        made = _found(body.name, body.patient, how, volume, body.share, body.whole, find)
        if made is not None:
            yield made


def _soft(mask: np.ndarray, spacing_mm: tuple[float, ...]) -> np.ndarray:
    return ndimage.gaussian_filter(mask.astype(np.float32), np.asarray(EDGE_MM) / spacing_mm)


def _faint(body: Body, rng: np.random.Generator) -> np.ndarray | None:
    """HU float32 [z, y, x] with a nodule of less contrast to the lung; None of small, faint or all but airless ones."""
    hu, mask = body.volume.hu.astype(np.float32), body.mask
    lung, density = hu[~mask & (hu < AIR_BELOW_HU)], hu[mask].mean()
    small = mask_diameter_mm(mask, body.volume.spacing_mm) < FAINT_MM
    if small or lung.size < AIR_VOXELS or density < SOLID_HU[0]:
        return None
    share = rng.uniform(*FAINT["solid" if density > SOLID_HU[1] else "part"])
    level, soft = np.median(lung), _soft(mask, body.volume.spacing_mm)
    dense = np.maximum(hu, level)
    out = hu + soft * (level + share * (dense - level) - dense)
    return out + mask * rng.normal(0, TEXTURE_HU, hu.shape).astype(np.float32)


def _hollow(body: Body, rng: np.random.Generator) -> np.ndarray | None:
    """HU float32 [z, y, x] with air within a wall; None of small nodules."""
    spacing = body.volume.spacing_mm
    if mask_diameter_mm(body.mask, body.volume.spacing_mm) < HOLLOW_MM:
        return None
    depth = ndimage.distance_transform_edt(np.pad(body.mask, 1), sampling=spacing)[1:-1, 1:-1, 1:-1]
    cavity = depth > rng.uniform(WALL_MM[0], max(WALL_MM[1], WALL * depth.max()))
    if np.count_nonzero(cavity) * np.prod(spacing) < CAVITY_MM3:
        return None
    hu = body.volume.hu.astype(np.float32)
    return hu + _soft(cavity, spacing) * (np.float32(rng.uniform(*CAVITY_HU)) - hu)


def write(path: Path, made: Mapping[str, Sequence[Body]]) -> None:
    """Write NAME.npz, all voxels one body after the other, and NAME.csv, a row a body; the same give the same bytes.

    made: the bodies of each role.

    Raises:
        DataError: there is none.
    """
    bodies, rows, offset = [body for some in made.values() for body in some], [], 0
    if not bodies:
        raise DataError("the detector has found no outlined nodule: there is nothing to learn outlines from")
    for role, body in ((role, body) for role, some in made.items() for body in some):
        about = {"name": body.name, "patient": body.patient, "role": role, "how": body.how, "whole": int(body.whole)}
        shape = dict(zip(("nz", "ny", "nx"), body.mask.shape, strict=True))
        spacing = dict(zip(("sz_mm", "sy_mm", "sx_mm"), body.volume.spacing_mm, strict=True))
        rows.append(about | shape | spacing | {"offset": offset})
        offset += body.mask.size
    arrays = {
        "hu": [body.volume.hu for body in bodies],
        "probability": [body.probability for body in bodies],
        "candidate": [body.candidate for body in bodies],
        "share": [body.share for body in bodies],
    }
    write_csv(path.with_suffix(".csv"), pd.DataFrame(rows))
    write_arrays(path, **{name: np.concatenate([one.ravel() for one in parts]) for name, parts in arrays.items()})


def read(path: Path, role: str | None = None) -> list[Body]:
    """What `write` wrote, of a role or of all.

    Raises:
        DataError: a file is missing, or the table speaks of more voxels than there are.
    """
    arrays, table, found = read_arrays(path), read_csv(path.with_suffix(".csv")), []
    for row in table.astype({"patient": str}).itertuples():
        shape = row.nz, row.ny, row.nx
        part = slice(row.offset, row.offset + int(np.prod(shape)))
        if part.stop > len(arrays["hu"]):
            raise DataError(f"{path}: holds {len(arrays['hu'])} voxels, {row.name} ends at {part.stop}")
        hu, *rest = (arrays[name][part].reshape(shape) for name in ("hu", "probability", "candidate", "share"))
        volume = Volume(hu, (row.sz_mm, row.sy_mm, row.sx_mm))
        about = row.name, row.patient, row.how, volume, *rest, bool(row.whole)
        if role in (None, row.role):
            found.append(Body(*about))
    return found
