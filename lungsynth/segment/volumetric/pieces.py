"""What cubes are cut from: candidates and nodules, each in a part of its scan, in the slices of thicker scans too."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import ndimage

from lungsynth.ct.shape import mask_diameter_mm
from lungsynth.ct.volume import Volume
from lungsynth.segment.inference import baseline, candidates
from lungsynth.segment.inference.planes import Scan
from lungsynth.segment.volumetric.crops import Crop
from lungsynth.study.stages.segment import OperatingPointSettings

ROOM_MM = 24.0
"""How far a piece of a whole scan reaches from its middle: a cube's half diagonal in a plane, and some to move."""
AIR_BELOW_HU = -500
"""What is darker in a crop, which shows no whole lung, is taken for lung."""
LUNG_MARGIN_MM = 3.0
"""So far from air a crop's dense bodies may lie, as candidates may from lungs."""
LOW = 0.3
"""Threshold of the probability for candidates to learn from, where a study states none."""
GAP_MM = 3.0
"""A candidate of a nodule-free place keeps this distance to a nodule."""


@dataclass(frozen=True)
class Piece:
    """A body in a part of its scan.

    Attributes:
        source: scan or crop, and which of its bodies; patient: its; group: whose pictures look alike (see `pairs`).
        volume: int16 HU [z, y, x], its surroundings.
        mask: bool, the body. Of a candidate it is what the detector outlined.
        nodule: whether it is one; whole: whether the surroundings reach as far as a cube in all directions.
        detector: the detector's probability; NaN where it has not found it.
    """

    source: str
    patient: str
    group: str
    volume: Volume
    mask: np.ndarray
    nodule: bool
    whole: bool
    detector: float

    @property
    def slice_mm(self) -> float:
        """From slice to slice."""
        return float(self.volume.spacing_mm[0])

    @property
    def diameter_mm(self) -> float:
        """Of the ball of its volume."""
        return mask_diameter_mm(self.mask, self.volume.spacing_mm)

    @property
    def centre(self) -> np.ndarray:
        """(z, y, x) of its centre in voxels."""
        return np.argwhere(self.mask).mean(0)


def thinned(volume: Volume, arrays: list[np.ndarray], every: int) -> tuple[Volume, list[np.ndarray]]:
    """Every n-th slice of a volume and of arrays on its grid."""
    step, *plane = volume.spacing_mm
    return replace(volume, hu=volume.hu[::every], spacing_mm=(step * every, *plane)), [one[::every] for one in arrays]


def thinnings(slice_mm: float, thin_mm: tuple[float, ...]) -> list[int]:
    """Every how many slices a scan is taken: all, and so that they are about `thin_mm` apart; each once, rising."""
    return sorted({1, *(max(1, round(wanted / slice_mm)) for wanted in thin_mm)})


def resliced(piece: Piece, slice_mm: float, phase: float) -> Piece | None:
    """A piece in slices `slice_mm` apart, straight lines between its own; None where no slice meets the body.

    phase: 0..1, where the first slice lies between the lowest place and one step above it.
    """
    own, size = piece.slice_mm, len(piece.mask)
    places = (np.arange(0, size * own, slice_mm) + phase * slice_mm) / own - 0.5
    places = places[places <= size - 0.5]
    low = np.clip(np.floor(places).astype(int), 0, size - 1)
    high = np.minimum(low + 1, size - 1)
    share = np.clip(places - low, 0, 1).astype(np.float32)[:, None, None]
    mask = piece.mask[np.clip(np.rint(places).astype(int), 0, size - 1)]
    if not mask.any():
        return None
    hu = piece.volume.hu[low] * (1 - share) + piece.volume.hu[high] * share
    spacing = (slice_mm, *piece.volume.spacing_mm[1:])
    volume = replace(piece.volume, hu=np.rint(hu).astype(np.int16), spacing_mm=spacing)
    return replace(piece, volume=volume, mask=mask)


def cut_out(volume: Volume, labels: np.ndarray, label: int, place: tuple[slice, ...]) -> tuple[Volume, np.ndarray]:
    """The part of a scan round a body, and the body there, bool: copies, or each would keep its whole scan in memory.

    labels: int [z, y, x]; place: where the body lies, as `ndimage.find_objects` says it.
    """
    spacing = np.asarray(volume.spacing_mm)
    centre = np.argwhere(labels[place] == label).mean(0) + [side.start for side in place]
    low = np.maximum(0, np.floor(centre - ROOM_MM / spacing).astype(int))
    high = np.minimum(labels.shape, np.ceil(centre + ROOM_MM / spacing).astype(int) + 1)
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    return replace(volume, hu=volume.hu[box].copy()), labels[box] == label


def near(mask: np.ndarray, distance_mm: float, spacing_mm: tuple[float, ...]) -> np.ndarray:
    """A mask grown by a distance, bool."""
    if not mask.any():
        return np.zeros(mask.shape, bool)
    return ndimage.distance_transform_edt(~mask, sampling=spacing_mm) <= distance_mm


def of_scan(
    scan: Scan,
    probability: np.ndarray,
    every: int,
    level: float,
    most: int,
    point: OperatingPointSettings,
    group: str,
) -> Iterator[Piece]:
    """The most probable candidates of a scan that are no nodule.

    Args:
        probability: the detector's, uint8 0..255 [z, y, x].
        every: n of the n-th slices that are left of the scan; level: of the probability, 0..1; most: candidates.
    """
    # Before the slices are left out: a nodule may lie in these alone, and its candidate in their neighbours.
    lesions = near(scan.lesions(), GAP_MM, scan.volume.spacing_mm)
    volume, (seen, lungs, lesions) = thinned(scan.volume, [probability, scan.lungs, lesions], every)
    table, labels = candidates.find(scan.name, seen, volume, lungs, level, point)
    touched = np.unique(labels[lesions])
    table = table[~table["label"].isin(touched)].sort_values("probability", ascending=False, kind="stable")
    places = ndimage.find_objects(labels)
    for row in table.head(most).itertuples():
        around, body = cut_out(volume, labels, row.label, places[row.label - 1])
        name = f"{scan.name}/{every}/{row.label}"
        yield Piece(name, scan.patient, group, around, body, False, True, float(row.probability))


def nodules_of_scan(
    scan: Scan, probability: np.ndarray, level: float, point: OperatingPointSettings, group: str
) -> Iterator[Piece]:
    """The nodules of a scan that are outlined; the arguments are those of `of_scan`."""
    if not scan.nodules.any():
        return
    table, labels = candidates.find(scan.name, probability, scan.volume, scan.lungs, level, point)
    for label, place in enumerate(ndimage.find_objects(scan.nodules), start=1):
        if place is None:
            continue
        around, body = cut_out(scan.volume, scan.nodules, label, place)
        best = _best(table, labels[scan.nodules == label])
        yield Piece(f"{scan.name}/nodule-{label}", scan.patient, group, around, body, True, True, best)


def best_on(crop: Crop, probability: np.ndarray, level: float, point: OperatingPointSettings) -> float:
    """The best probability of a detector's candidate on the nodule of a crop; NaN without one.

    probability: the detector's of every voxel, uint8 0..255 [z, y, x].
    """
    lungs = all_of(crop.volume.hu)
    table, labels = candidates.find(crop.name, probability, crop.volume, lungs, level, point)
    return _best(table, labels[crop.mask])


def _best(table: pd.DataFrame, touched: np.ndarray) -> float:
    on = table.loc[table["label"].isin(np.unique(touched)), "probability"]
    return float(on.max()) if len(on) else float("nan")


def nodule_of_crop(crop: Crop, group: str, detector: float) -> Piece:
    """The nodule of a crop."""
    return Piece(crop.name, crop.patient, group, crop.volume, crop.mask, True, crop.whole, detector)


def of_crop(crop: Crop, min_diameter_mm: float, group: str) -> Iterator[Piece]:
    """What else is dense and compact in a crop: pieces of vessels and of the wall, found without any network.

    Candidates of whole scans lie in other scanners' pictures than the nodules do. These lie in the same.
    """
    air = (crop.volume.hu < AIR_BELOW_HU).astype(np.uint8)
    dense, spacing = (crop.volume.hu > baseline.DENSE_HU) & ~crop.mask, crop.volume.spacing_mm
    opened = ndimage.binary_opening(dense, baseline.ball(baseline.RADII_MM[0], spacing))
    labels = candidates.components(opened, crop.volume, air, min_diameter_mm, LUNG_MARGIN_MM)
    touched = np.unique(labels[near(crop.mask, GAP_MM, spacing)])
    for label in np.setdiff1d(np.arange(1, labels.max() + 1), touched):
        body = labels == label
        yield Piece(f"{crop.name}/{label}", crop.patient, group, crop.volume, body, False, False, float("nan"))


def resliced_at_random(found: list[Piece], thin_mm: tuple[float, ...], rng: np.random.Generator) -> Iterator[Piece]:
    """Pieces of crops, half of them as they are and half in slices up to the largest of `thin_mm` apart.

    Crops have thin slices; the candidates of whole scans are of all sorts, and of each sort some must lie in the
    pictures that the nodules come from.
    """
    for piece in found:
        wanted = float(np.exp(rng.uniform(np.log(piece.slice_mm), np.log(max((*thin_mm, piece.slice_mm))))))
        shown = resliced(piece, wanted, rng.random()) if rng.integers(2) else None
        yield piece if shown is None else shown


def level_of(point: OperatingPointSettings) -> float:
    """The threshold at which candidates are gathered: the study's, or a low one that joins little."""
    return point.threshold or LOW


def all_of(hu: np.ndarray) -> np.ndarray:
    """Lungs of a crop, for a detector that looks round lungs only: all of it, uint8 [z, y, x]."""
    return np.ones(hu.shape, np.uint8)
