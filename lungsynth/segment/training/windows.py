"""Training patches: contexts cut once from the fit scans, from which every step draws its windows.

A context is larger than a window, so that a nodule lies anywhere in the window, cut by its edge too: a network that
always sees it in the middle learns the place and not the nodule.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import ndimage

from lungsynth.ct.volume import Volume
from lungsynth.segment.inference.grid import Grid, grid_position, mask_to_grid, pixel_mm, shares_to_grid, to_grid
from lungsynth.segment.inference.planes import Scan
from lungsynth.sets.bank import read_arrays, write_arrays
from lungsynth.sets.tables import read_csv, write_csv
from lungsynth.study.errors import DataError
from lungsynth.study.stages.segment import Cubes

VESSEL_HU = -550.0
"""What is denser inside the lungs is vessel, wall or nodule."""
GAP_MM = 8.0
"""The centre of a negative keeps this distance to a nodule's pixels."""
SHARES = {"vessel": 0.4, "wall": 0.3, "lung": 0.3}
"""Where negatives lie: on dense things as wide as small nodules, along the lungs' outline, anywhere in the lungs."""
HALF = 128
"""The least share, of 255, that is the consensus: half of the readers, 127.5, rounded up."""
NO_CUBES = Cubes(planes=0)
WALL_MM = 3.0
"""How far the outline's shell reaches to either side."""


@dataclass(frozen=True)
class Windows:
    """Contexts with their masks and origins.

    Attributes:
        images: int16 HU [n, slices, c, c], on the network's grid; the middle slice is the one that is segmented.
        masks: uint8 [n, c, c] of all nodules in the middle slice: the share of the readers who hold a pixel, 255: all;
            `HALF` and more in the consensus and nowhere else. 0 or 255 where no reader's own outline is known.
        table: scan, patient, slice, row, column (px of the scan), what: nodule | vessel | wall | lung | mined,
            and `nodule`, the label of the nodule in the middle, 0 without one.
        cubes: int16 HU [n, planes, s, s], what lies round the middles in depth, see `Cubes`.
    """

    images: np.ndarray
    masks: np.ndarray
    table: pd.DataFrame
    cubes: np.ndarray

    def __len__(self) -> int:
        return len(self.images)

    @property
    def consensus(self) -> np.ndarray:
        """uint8 0/1 [n, c, c]: the nodules as their annotation has them."""
        return (self.masks >= HALF).astype(np.uint8)


def join(parts: list[Windows]) -> Windows:
    """Several sets of contexts as one, in the given order."""
    return Windows(
        np.concatenate([part.images for part in parts]),
        np.concatenate([part.masks for part in parts]),
        pd.concat([part.table for part in parts], ignore_index=True),
        np.concatenate([part.cubes for part in parts]),
    )


def write(path: str | Path, windows: Windows) -> None:
    """Write NAME.npz and NAME.csv; the same contexts give the same bytes."""
    write_csv(Path(path).with_suffix(".csv"), windows.table)
    write_arrays(Path(path), images=windows.images, masks=windows.masks, cubes=windows.cubes)


def read(path: str | Path) -> Windows:
    """Read what `write` wrote.

    Raises:
        DataError: a file is missing, or rows and images do not match.
    """
    arrays, table = read_arrays(path), read_csv(Path(path).with_suffix(".csv"))
    if len(table) != len(arrays["images"]):
        raise DataError(f"{path}: {len(arrays['images'])} contexts but {len(table)} rows in the table beside it")
    return Windows(arrays["images"], arrays["masks"], table, arrays["cubes"])


def nodule_centres(nodules: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The centre of every nodule in every slice that it has pixels in: [n, 3] slice, row, column, and its label [n]."""
    centres, labels = [], []
    for label, box in enumerate(ndimage.find_objects(nodules), start=1):
        if box is None:
            continue
        here = nodules[box] == label
        for k in np.flatnonzero(here.any((1, 2))):
            rows, columns = np.nonzero(here[k])
            centres.append((box[0].start + k, box[1].start + rows.mean(), box[2].start + columns.mean()))
            labels.append(label)
    return np.array(centres, float).reshape(-1, 3), np.array(labels, int)


def vessel_pixels(volume: Volume, lungs: np.ndarray) -> np.ndarray:
    """Dense structures in the lungs that hold a disc of some 4 mm in the slice: what is mistaken for a nodule."""
    dense = (volume.hu > VESSEL_HU) & (lungs > 0)
    radius = 2.0 / pixel_mm(volume)
    reach = int(np.floor(radius + 0.5))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disc = (y**2 + x**2 <= (radius + 0.1) ** 2)[None]
    return ndimage.binary_opening(dense, disc)


def _grown(mask: np.ndarray, distance_mm: float, mm_per_px: float, slices: int = 1) -> np.ndarray:
    """A mask [z, y, x] grown by a square in the plane and over `slices` slices: quick, and near enough to a disc."""
    reach = int(np.ceil(distance_mm / mm_per_px))
    return ndimage.maximum_filter(np.asarray(mask, np.uint8), (slices, 2 * reach + 1, 2 * reach + 1)) > 0


def background_centres(scan: Scan, count: int, rng: np.random.Generator) -> tuple[np.ndarray, list[str]]:
    """`count` places away from nodules, [n, 3] slice, row, column, and what each is: vessel, wall or lung."""
    mm, lungs = pixel_mm(scan.volume), scan.lungs > 0
    away = ~_grown(scan.lesions(), GAP_MM, mm, 3)
    shell = _grown(lungs, WALL_MM, mm) & _grown(~lungs, WALL_MM, mm)
    pools = {"vessel": vessel_pixels(scan.volume, scan.lungs), "wall": shell, "lung": lungs}
    places, words = [], []
    for what, share in SHARES.items():
        pool = np.flatnonzero(pools[what] & away)
        picked = np.sort(rng.choice(pool, size=min(round(count * share), len(pool)), replace=False))
        places.append(np.stack(np.unravel_index(picked, scan.lungs.shape), axis=1))
        words += [what] * len(picked)
    return np.concatenate(places).astype(float), words


class Cutter:
    """Cuts contexts from one scan; slices are resampled once and only where they are needed."""

    def __init__(self, scan: Scan, grid: Grid, context_px: int, slices: int, cubes: Cubes = NO_CUBES):
        self.scan, self.context_px, self.slices, self.cubes = scan, context_px, slices, cubes
        self.pixel_mm = pixel_mm(scan.volume)
        self.spacing_mm = grid.mm(self.pixel_mm)
        self._grid: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def _slice(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Slice k and its shares on the network's grid, its mirror image for half a context around."""
        k = int(np.clip(k, 0, len(self.scan.volume.hu) - 1))
        if k not in self._grid:
            half = self.context_px // 2
            hu = to_grid(self.scan.volume.hu[k : k + 1], self.pixel_mm, self.spacing_mm)[0]
            self._grid[k] = tuple(np.pad(array, half, mode="reflect") for array in (hu, self._shares(k)))
        return self._grid[k]

    def _shares(self, k: int) -> np.ndarray:
        """The shares of slice k on the network's grid, see `Windows.masks`.

        Shares are brought to the consensus' side of a half where they lie on the other: it need not be that of half of
        the readers (`consensus` of the reader `lidc`, or outlines that none share), and a mask is resampled otherwise.
        """
        plane, sizes = slice(k, k + 1), (self.pixel_mm, self.spacing_mm)
        mask = mask_to_grid(self.scan.nodules[plane] > 0, *sizes)[0]
        if self.scan.shares is None:
            return mask * np.uint8(255)
        shares = shares_to_grid(self.scan.shares[plane], *sizes)[0]
        return np.where(mask > 0, np.maximum(shares, HALF), np.minimum(shares, HALF - 1)).astype(np.uint8)

    def cut(self, centres: np.ndarray, what: list[str]) -> Windows:
        """The contexts round `centres` ([n, 3] slice, row, column of the scan), which get the words `what`."""
        c, around = self.context_px, range(-(self.slices // 2), self.slices // 2 + 1)
        planes, side = self._planes(), min(self.cubes.side_px, c)
        cubes, edge = np.empty((len(centres), len(planes), side, side), np.int16), (c - side) // 2
        images = np.empty((len(centres), self.slices, c, c), np.int16)
        masks = np.empty((len(centres), c, c), np.uint8)
        shape = self.scan.volume.hu.shape[1:]
        for n, (k, *centre) in enumerate(centres):
            grid = self._slice(k)[0].shape
            at = [
                round(float(grid_position(p, size, padded - c // 2 * 2, self.pixel_mm / self.spacing_mm)))
                for p, size, padded in zip(centre, shape, grid, strict=True)
            ]
            box = tuple(
                slice(np.clip(p, 0, padded - c), np.clip(p, 0, padded - c) + c)
                for p, padded in zip(at, grid, strict=True)
            )
            images[n] = np.stack([self._slice(k + step)[0][box] for step in around])
            masks[n] = self._slice(k)[1][box]
            inner = tuple(slice(part.start + edge, part.start + edge + side) for part in box)
            for plane, step in enumerate(planes):
                cubes[n, plane] = self._slice(k + step)[0][inner]
        table = pd.DataFrame(np.round(centres).astype(int), columns=["slice", "row", "column"])
        table.insert(0, "scan", self.scan.name)
        table.insert(1, "patient", self.scan.patient)
        return Windows(images, masks, table.assign(what=what, nodule=0), cubes)

    def _planes(self) -> list[int]:
        """How many slices each plane of a cube lies from the middle one."""
        step, half = self.cubes.step_mm / self.scan.volume.spacing_mm[0], self.cubes.planes // 2
        return [round((plane - half) * step) for plane in range(self.cubes.planes)]


def round_nodules(
    scan: Scan,
    grid: Grid,
    context_px: int,
    slices: int,
    most: int,
    rng: np.random.Generator,
    cubes: Cubes = NO_CUBES,
) -> Windows:
    """Windows round every slice of every nodule of a scan, at most `most` of them, drawn; arguments as `cut` has."""
    return _round_nodules(Cutter(scan, grid, context_px, slices, cubes), most, rng)


def _round_nodules(cutter: Cutter, most: int, rng: np.random.Generator) -> Windows:
    centres, labels = nodule_centres(cutter.scan.nodules)
    if len(centres) > most:
        kept = np.sort(rng.choice(len(centres), size=most, replace=False))
        centres, labels = centres[kept], labels[kept]
    found = cutter.cut(centres, ["nodule"] * len(centres))
    return replace(found, table=found.table.assign(nodule=labels))


def cut(
    scan: Scan,
    grid: Grid,
    context_px: int,
    slices: int,
    most: int,
    rng: np.random.Generator,
    cubes: Cubes = NO_CUBES,
) -> Windows:
    """The contexts of one scan: every slice of every nodule (at most `most`, drawn), and `most` without.

    Args:
        scan: a fit scan with its nodules and lungs.
        grid: the network's; context_px: side of a context on it; slices: 1, 3 or 5.
        rng: a stream of its own for each scan, so that the order of scans does not matter.
        cubes: what is cut in depth round each centre.
    """
    # One cutter for both: it resamples a slice once.
    cutter = Cutter(scan, grid, context_px, slices, cubes)
    nodules = _round_nodules(cutter, most, rng)
    background, words = background_centres(scan, most, rng)
    return join([nodules, cutter.cut(background, words)])


def mine(
    scan: Scan,
    probability: np.ndarray,
    grid: Grid,
    context_px: int,
    slices: int,
    most: int,
    cubes: Cubes = NO_CUBES,
    threshold: float = 0.3,
) -> Windows:
    """Contexts round the surest false positives of a first network on a fit scan ("mined"), at most `most`.

    probability: uint8 0..255 [z, y, x] on the scan's grid (some of the slices are enough). A
    false positive is a 2-D component above `threshold` in the grown lungs, no nearer than some pixels to a nodule.
    """
    cutter = Cutter(scan, grid, context_px, slices, cubes)
    seen = np.flatnonzero((probability >= threshold * 255).any((1, 2)))
    if not len(seen):
        return cutter.cut(np.empty((0, 3)), [])
    mm, flat = pixel_mm(scan.volume), np.zeros((3, 3, 3), bool)
    flat[1] = True
    sure = (probability[seen] >= threshold * 255) & _grown(scan.lungs[seen], WALL_MM, mm)
    parts, n = ndimage.label(sure, flat)
    mass = np.bincount(parts.ravel(), probability[seen].ravel(), minlength=n + 1)
    mass[np.unique(parts[_grown(scan.lesions(), WALL_MM, mm, 3)[seen]])] = 0
    mass[0] = 0
    surest = np.argsort(-mass, kind="stable")[:most]
    chosen = np.sort(surest[mass[surest] > 0])
    boxes = ndimage.find_objects(parts)
    starts = np.array([[side.start for side in boxes[k - 1]] for k in chosen]).reshape(-1, 3)
    inner = [np.argwhere(parts[boxes[k - 1]] == k).mean(0) for k in chosen]
    centres = starts + np.reshape(inner, (-1, 3))
    centres[:, 0] = seen[centres[:, 0].astype(int)]
    return cutter.cut(centres, ["mined"] * len(centres))


def mine_candidates(
    scan: Scan,
    found: pd.DataFrame,
    grid: Grid,
    context_px: int,
    slices: int,
    most: int,
    cubes: Cubes = NO_CUBES,
) -> Windows:
    """Contexts round the surest candidates of a first network that are no lesion ("mined"), at most `most`.

    found: x_mm, y_mm, z_mm and probability of each, of a detector that gives no probability of every voxel.
    """
    cutter = Cutter(scan, grid, context_px, slices, cubes)
    places = np.rint(scan.volume.to_index(found[["x_mm", "y_mm", "z_mm"]].to_numpy(float).reshape(-1, 3))).astype(int)
    places = np.clip(places, 0, np.array(scan.lungs.shape) - 1)
    lesion = _grown(scan.lesions(), WALL_MM, pixel_mm(scan.volume), 3)[tuple(places.T)]
    surest = np.argsort(-found["probability"].to_numpy(float)[~lesion], kind="stable")[:most]
    return cutter.cut(places[~lesion][surest].astype(float), ["mined"] * len(surest))
