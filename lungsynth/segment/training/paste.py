"""More nodules to learn from: those of the fit scans laid once more, turned and scaled, into other places of the lungs.

A cohort has few nodules and each has one place. A network that has seen each beside other vessels and on other walls
misses fewer (copy-paste augmentation, Ghiasi 2021).
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from lungsynth.ct.hu import AIR_HU
from lungsynth.segment.inference.planes import Scan
from lungsynth.segment.training.windows import background_centres

MARGIN_PX = (1, 3, 3)
"""Slices, rows and columns that are laid with a nodule: its soft edge lies outside its mask."""
SCALE = (0.8, 1.25)
"""A nodule's size is changed by a factor between these."""
LEAST_IN_LUNG = 0.5
"""A place where less of the nodule lies in the lungs is left."""
SEEN_HU = 50.0
"""At a place, half of the nodule's pixels in the lungs must rise by that much: in a vessel nobody sees a nodule."""
TRIES = 3
"""Places drawn for each nodule."""


@dataclass(frozen=True)
class Piece:
    """A nodule with a margin round it.

    Attributes:
        hu: int16 [z, y, x]; mask: bool of the same shape, the nodule alone.
        spacing_mm: of its scan, z, y, x.
    """

    hu: np.ndarray
    mask: np.ndarray
    spacing_mm: tuple[float, float, float]


def pieces_of(scan: Scan) -> list[Piece]:
    """All nodules of a scan; those cut by the volume's edge are left out."""
    pieces = []
    for label, box in enumerate(ndimage.find_objects(scan.nodules), start=1):
        if box is None:
            continue
        grown = [
            (side.start - m, side.stop + m, size)
            for side, m, size in zip(box, MARGIN_PX, scan.nodules.shape, strict=True)
        ]
        if all(low >= 0 and high <= size for low, high, size in grown):
            wide = tuple(slice(low, high) for low, high, _ in grown)
            pieces.append(Piece(scan.volume.hu[wide], scan.nodules[wide] == label, scan.volume.spacing_mm))
    return pieces


def varied(piece: Piece, spacing_mm: tuple[float, ...], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The piece on another grid, mirrored, turned by quarters in the plane and scaled: HU float32 and mask bool."""
    factor = np.exp(rng.uniform(*np.log(SCALE)))
    zoom = [factor * a / b for a, b in zip(piece.spacing_mm, spacing_mm, strict=True)]
    # Of the margin a mask knows nothing: its pixels lose against any background.
    near = ndimage.binary_dilation(piece.mask, ndimage.generate_binary_structure(3, 1), iterations=2)
    hu = ndimage.zoom(np.where(near, piece.hu, AIR_HU).astype(np.float32), zoom, order=1)
    mask = ndimage.zoom(piece.mask.astype(np.float32), zoom, order=1) >= 0.5
    turns, flips = rng.integers(4), rng.integers(0, 2, 3)
    axes = tuple(axis for axis, flip in enumerate(flips) if flip)
    return tuple(np.flip(np.rot90(array, turns, (1, 2)), axes) for array in (hu, mask))


def pasted(scan: Scan, pieces: list[Piece], count: int, rng: np.random.Generator) -> Scan:
    """The scan with up to `count` further nodules and with these alone as its nodules; they get the labels 1, 2, ...

    Each is drawn from `pieces` and laid beside a vessel, at the lungs' wall or anywhere in the lungs, 8 mm or more from
    the scan's own nodules. Of nodule and background the denser one is seen, as both are bodies in air. A laid nodule is
    its mask and has no readers.
    """
    hu, nodules = scan.volume.hu.copy(), np.zeros_like(scan.nodules)
    taken = scan.lesions()
    centres, _ = background_centres(scan, TRIES * count, rng)
    label = 0
    for centre in rng.permutation(centres):
        if label == count:
            break
        add, mask = varied(pieces[rng.integers(len(pieces))], scan.volume.spacing_mm, rng)
        low = np.rint(centre - (np.array(add.shape) - 1) / 2).astype(int)
        if (low < 0).any() or (low + add.shape > hu.shape).any():
            continue
        box = tuple(slice(a, a + n) for a, n in zip(low, add.shape, strict=True))
        inside = mask & (scan.lungs[box] > 0)
        if not inside.any() or inside.sum() < LEAST_IN_LUNG * mask.sum() or taken[box].any():
            continue
        if np.median((add - hu[box])[inside]) < SEEN_HU:
            continue
        label += 1
        taken[box] = True
        nodules[box][inside] = label
        hu[box] = np.maximum(hu[box], np.rint(add)).astype(np.int16)
    return replace(scan, volume=replace(scan.volume, hu=hu), nodules=nodules, shares=None)
