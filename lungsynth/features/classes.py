"""The classes that an extractor tells apart, read off the banks' tables."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lungsynth.study.errors import DataError

SLICES = tuple(f"{height}, {content}" for height in ("low", "middle", "high") for content in ("clear", "nodule"))
NODULES = tuple(
    f"{texture}, {size}" for texture in ("ground_glass", "part_solid", "solid") for size in ("small", "large")
)
LARGE_MM = 6.0


def of_slices(table: pd.DataFrame) -> np.ndarray:
    """Class of each slice, int [n], an index into `SLICES`: the third of the lung's height, and whether a nodule
    shows."""
    thirds = np.clip(np.floor(3 * table["z_fraction"].to_numpy(float)), 0, 2).astype(int)
    return 2 * thirds + (table["lesions"].to_numpy() > 0)


def of_nodules(table: pd.DataFrame) -> np.ndarray:
    """Class of each nodule, int [n], an index into `NODULES`: density, and whether it is at least 6 mm across in
    this cut."""
    textures = ["ground_glass", "part_solid", "solid"]
    unknown = set(table["texture"]) - set(textures)
    if unknown:
        raise DataError(f"texture must be one of {', '.join(textures)}, got {', '.join(map(str, sorted(unknown)))}")
    density = table["texture"].map(textures.index).to_numpy(int)
    return 2 * density + (table["diameter_mm"].to_numpy(float) >= LARGE_MM)


TURNS = ("upright", "turned by 90", "turned by 180", "turned by 270")
"""What an extractor tells apart where its pictures are of one class: copies that are turned (Gidaris 2018)."""


@dataclass(frozen=True)
class Task:
    """What an extractor learns.

    Attributes:
        classes: their names; of_row: class of each image of the bank, int [n].
        turned: whether the classes are quarter turns, which images get when they are shown.
        mirrored: whether a mirror image is as good as the image, so that half of them are shown so.
    """

    classes: tuple[str, ...]
    of_row: np.ndarray
    turned: bool = False
    mirrored: bool = True


def of_pictures(table: pd.DataFrame) -> Task:
    """The folders that pictures lie in; where there is one folder, how far a picture is turned."""
    names = tuple(sorted(map(str, table["class"].unique())))
    if len(names) < 2:
        return Task(TURNS, np.zeros(len(table), int), turned=True, mirrored=False)
    return Task(names, table["class"].astype(str).map(names.index).to_numpy(int), mirrored=False)


CLASSES = {"slices": SLICES, "nodules": NODULES}
LABELS: dict[str, Callable[[pd.DataFrame], np.ndarray]] = {"slices": of_slices, "nodules": of_nodules}


def task_of(name: str, table: pd.DataFrame) -> Task:
    """What the extractor of a name learns from a bank with this table."""
    return of_pictures(table) if name == "pictures" else Task(CLASSES[name], LABELS[name](table))


def classes_of(name: str, table: pd.DataFrame | None) -> tuple[str, ...]:
    """Names of an extractor's classes; those of pictures stand in the bank's table."""
    return of_pictures(table).classes if name == "pictures" else CLASSES[name]
