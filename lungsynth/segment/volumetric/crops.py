"""Nodules in three dimensions, cut out of their scans: the folder lidc_volumes, crops and cubes with masks."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lungsynth.ct.volume import Volume
from lungsynth.sets.bank import read_arrays
from lungsynth.sets.tables import read_csv
from lungsynth.study.errors import DataError
from lungsynth.study.seeds import patient_hash
from lungsynth.study.stages.segment import NoduleVolumes

CROPS, CUBES = "vois", "cubes"
"""The two sets of the folder: NAME.npz and NAME.csv each."""
CUBE_MM = 1.0
"""Voxels of the set of cubes, which have surroundings on all sides."""


@dataclass(frozen=True)
class Crop:
    """A nodule with some of its surroundings.

    Attributes:
        name: of the set and the row; patient: as in the table.
        volume: int16 HU [z, y, x]; mask: bool, the nodule by its readers.
        whole: whether the surroundings reach 25 mm and more in all directions from the middle.
    """

    name: str
    patient: str
    volume: Volume
    mask: np.ndarray
    whole: bool


def read(root: Path | None, wanted: NoduleVolumes, role: str) -> Iterator[Crop]:
    """The nodules of a role, crops first; none where there is no folder.

    role: fit, or tune: patients whose hash leaves `wanted.tune_remainder`. Those that `wanted.test_modulus` divides and
    those left out by name are in neither.

    Raises:
        DataError: a file is missing or damaged, or no nodule is left.
    """
    found = 0
    for name in (CROPS, CUBES) if root else ():
        table = read_csv(root / f"{name}.csv").astype({"patient": str})
        arrays = read_arrays(root / f"{name}.npz")
        bits = np.unpackbits(arrays["mask"])
        for row in table[[allowed(row, wanted, role) for row in table.to_dict("records")]].to_dict("records"):
            found += 1
            yield _crop(row, arrays["hu"], bits) if name == CROPS else _cube(row, arrays["hu"], bits)
    if root and not found:
        raise DataError(f"{root}: no nodule is left for {role}; see segment.volumetric.nodules")


def patients_of(row: dict) -> set[str]:
    """Whom a row may be of: the cubes state the first and the last patient that fit the order of their files."""
    return {row[name] for name in ("patient", "patient_low", "patient_high") if row.get(name)}


def allowed(row: dict, wanted: NoduleVolumes, role: str) -> bool:
    """Whether a row of a table is of a role, whoever of its patients was meant."""
    patients = patients_of(row)
    rest = [patient_hash(name) % wanted.test_modulus for name in patients]
    if patients & set(wanted.exclude_patients) or 0 in rest or row.get("may_be_holdout", 0):
        return False
    tuned = [value == wanted.tune_remainder for value in rest]
    return all(tuned) if role == "tune" else not any(tuned)


def _crop(row: dict, hu: np.ndarray, bits: np.ndarray) -> Crop:
    shape = tuple(int(row[name]) for name in ("nz", "ny", "nx"))
    part = slice(int(row["offset"]), int(row["offset"]) + int(np.prod(shape)))
    if part.stop > len(hu):
        raise DataError(f"{CROPS}.npz: holds {len(hu)} voxels, row {row['index']} of {CROPS}.csv ends at {part.stop}")
    spacing = (float(row["sz_mm"]), float(row["sxy_mm"]), float(row["sxy_mm"]))
    volume = Volume(hu[part].reshape(shape), spacing)
    return Crop(f"{CROPS}-{row['index']}", row["patient"], volume, bits[part].reshape(shape).astype(bool), False)


def _cube(row: dict, hu: np.ndarray, bits: np.ndarray) -> Crop:
    index, size = int(row["index"]), hu[0].size
    if index >= len(hu):
        raise DataError(f"{CUBES}.npz: holds {len(hu)} cubes, {CUBES}.csv names cube {index}")
    mask = bits[index * size : (index + 1) * size].reshape(hu[0].shape).astype(bool)
    return Crop(f"{CUBES}-{index}", row["patient"], Volume(hu[index], (CUBE_MM,) * 3), mask, True)


def people(root: Path | None, wanted: NoduleVolumes) -> dict[str, list[str]]:
    """The patients of both roles, sorted; where it is not sure whose a cube is, all whose it may be."""
    tables = [read_csv(root / f"{name}.csv").astype({"patient": str}) for name in ((CROPS, CUBES) if root else ())]
    rows = [row for table in tables for row in table.to_dict("records")]
    return {
        role: sorted({name for row in rows if allowed(row, wanted, role) for name in patients_of(row)})
        for role in ("fit", "tune")
    }
