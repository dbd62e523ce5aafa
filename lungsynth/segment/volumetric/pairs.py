"""Training cubes in pairs, so that neither slices nor borders tell a nodule from what is none.

The nodules are crops with hardly a margin along z, cut from thin slices; candidates come from whole scans, most of
thick slices. So each candidate that is no nodule is shown beside a nodule of its own: the nodule's crop is resliced to
the candidate's slices, both are known in the same box round their middles, the part that both surroundings have, and
both are clipped alike. Whatever is read from thickness and borders is then the same of both.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from lungsynth.segment.volumetric import cubes
from lungsynth.segment.volumetric.cubes import Cubes
from lungsynth.segment.volumetric.pieces import Piece, resliced
from lungsynth.sets.bank import read_arrays, write_arrays
from lungsynth.sets.tables import read_csv, write_csv
from lungsynth.study.errors import DataError
from lungsynth.study.stages.segment import CubeNetwork

SAME = 0.05
"""Slices whose distances differ by less than this share are taken as they are."""
WHOLE = 0.5
"""Share of the nodules drawn from those with all of their surroundings, of which there are few."""
AS_LARGE = 0.5
"""Share of the nodules that are the nearest in size of `TRIED` drawn ones; the others are any."""
TRIED = 6
JITTER_MM = 1.0
"""Sd of the distance of a cube's middle from the body's centre, along each axis: nobody's candidate is exact."""
LEAST_MM = 3.0
"""So far from the middle a pair is known at least, if its surroundings reach so far."""


@dataclass(frozen=True)
class Pairs:
    """Cubes and rows, 2 k and 2 k + 1 of which are the k-th pair: no nodule, then nodule.

    `table`: pair, nodule 0/1, role, source, patient, group, slice_mm, diameter_mm, detector (its probability).
    """

    cubes: Cubes
    table: pd.DataFrame

    def take(self, rows: np.ndarray) -> "Pairs":
        """The cubes of some rows."""
        rows = np.flatnonzero(rows) if np.asarray(rows).dtype == bool else np.asarray(rows)
        parts = (self.cubes.hu, self.cubes.box_mm, self.cubes.slice_mm)
        return Pairs(Cubes(*(part[rows] for part in parts)), self.table.iloc[rows].reset_index(drop=True))


def make(
    others: Sequence[Piece],
    nodules: Sequence[Piece],
    draws: int,
    role: str,
    network: CubeNetwork,
    rng: np.random.Generator,
) -> Pairs:
    """A pair for each of `draws` looks at each candidate that is no nodule.

    Args:
        others, nodules: of this role; a candidate gets a nodule of its own group, whose pictures look alike.
        rng: of all that is drawn here.

    Raises:
        DataError: there is no pair at all.
    """
    both, rows = [], []
    for other in [piece for piece in others for _ in range(draws)]:
        partner = _partner(other, nodules, rng)
        if partner is None:
            continue
        pair = [other, partner]
        both.append(_cubes_of(pair, network, rng))
        rows += [_row(piece, len(both) - 1, role) for piece in pair]
    if not both:
        raise DataError(
            f"no candidate of a {role} scan finds a nodule of thinner slices: there is nothing to learn from"
        )
    parts = zip(*((one.hu, one.box_mm, one.slice_mm) for one in both), strict=True)
    return Pairs(Cubes(*map(np.concatenate, parts)), pd.DataFrame(rows))


def _row(piece: Piece, pair: int, role: str) -> dict:
    names = ("source", "patient", "group", "slice_mm", "diameter_mm", "detector")
    return {"pair": pair, "nodule": int(piece.nodule), "role": role, **{name: getattr(piece, name) for name in names}}


def _partner(other: Piece, nodules: Sequence[Piece], rng: np.random.Generator) -> Piece | None:
    """A nodule in the slices of a candidate: of its group, from slices no thicker; None where there is none."""
    pool = [one for one in nodules if one.group == other.group and one.slice_mm <= other.slice_mm * (1 + SAME)]
    some = [one for one in pool if one.whole]
    pool = some if some and rng.random() < WHOLE else pool
    for _ in range(TRIED if pool else 0):
        drawn = [pool[k] for k in rng.integers(len(pool), size=TRIED if rng.random() < AS_LARGE else 1)]
        nearest = min(drawn, key=lambda one: abs(np.log(one.diameter_mm / other.diameter_mm)))
        if abs(nearest.slice_mm / other.slice_mm - 1) < SAME:
            return nearest
        if (shown := resliced(nearest, other.slice_mm, rng.random())) is not None:
            return shown
    return None


def _cubes_of(pair: list[Piece], network: CubeNetwork, rng: np.random.Generator) -> Cubes:
    """The two cubes of a pair, known in the box that both surroundings fill, drawn in by up to half a slice."""
    spacings = [np.asarray(piece.volume.spacing_mm) for piece in pair]
    centres = [
        piece.centre + rng.normal(0, JITTER_MM, 3) / spacing for piece, spacing in zip(pair, spacings, strict=True)
    ]
    reaches = [
        cubes.reach(piece.mask.shape, spacing, centre, network)
        for piece, spacing, centre in zip(pair, spacings, centres, strict=True)
    ]
    box = np.stack([np.max([one[:, 0] for one in reaches], 0), np.min([one[:, 1] for one in reaches], 0)], axis=1)
    # Else an edge would always lie half way between two slices of the one that it comes from.
    inward = rng.random((3, 2)) * np.array([pair[0].slice_mm / 2, 1.0, 1.0])[:, None]
    full = np.abs(box) >= network.side * network.spacing_mm / 2
    drawn = np.where(full, box, np.sign(box) * np.maximum(np.abs(box) - inward, np.minimum(np.abs(box), LEAST_MM)))
    hu = np.stack(
        [
            cubes.cube(piece.volume.hu, piece.volume.spacing_mm, centre, network)
            for piece, centre in zip(pair, centres, strict=True)
        ]
    )
    boxes = np.stack([drawn, drawn]).astype(np.float32)
    # Of both the same number, down to the last bit: a nodule may be taken as it is from slices that differ a little.
    return cubes.hidden(Cubes(hu, boxes, np.full(2, pair[0].slice_mm, np.float32)), network)


def join(parts: list[Pairs]) -> Pairs:
    """Several sets as one; pairs are numbered anew."""
    arrays = zip(*((one.cubes.hu, one.cubes.box_mm, one.cubes.slice_mm) for one in parts), strict=True)
    table = pd.concat([one.table for one in parts], ignore_index=True)
    return Pairs(Cubes(*map(np.concatenate, arrays)), table.assign(pair=np.arange(len(table)) // 2))


def write(path: Path, pairs: Pairs) -> None:
    """Write NAME.npz and NAME.csv; the same pairs give the same bytes."""
    write_csv(path.with_suffix(".csv"), pairs.table)
    write_arrays(path, hu=pairs.cubes.hu, box_mm=pairs.cubes.box_mm, slice_mm=pairs.cubes.slice_mm)


def read(path: Path) -> Pairs:
    """Read what `write` wrote.

    Raises:
        DataError: a file is missing, or rows and cubes do not match.
    """
    arrays, table = read_arrays(path), read_csv(path.with_suffix(".csv"))
    if len(table) != len(arrays["hu"]):
        raise DataError(f"{path}: {len(arrays['hu'])} cubes but {len(table)} rows in the table beside it")
    return Pairs(Cubes(arrays["hu"], arrays["box_mm"], arrays["slice_mm"]), table)


def giveaways(pairs: Pairs) -> np.ndarray:
    """[n, 8] all that header and borders of a cube say: slice distance, the box, what share of it is known."""
    boxes = pairs.cubes.box_mm.reshape(len(pairs.table), 6)
    known = np.prod(pairs.cubes.box_mm[..., 1] - pairs.cubes.box_mm[..., 0], axis=1)
    return np.column_stack([pairs.cubes.slice_mm, boxes, known])


def halves(pairs: Pairs) -> Iterator[np.ndarray]:
    """Rows of the even and of the odd pairs, to learn on one and to test on the other."""
    for rest in (0, 1):
        yield np.flatnonzero(pairs.table["pair"].to_numpy() % 2 == rest)
