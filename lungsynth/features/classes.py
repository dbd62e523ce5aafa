"""The classes that an extractor tells apart, read off the banks' tables."""

from collections.abc import Callable

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


TASKS: dict[str, tuple[tuple[str, ...], Callable[[pd.DataFrame], np.ndarray]]] = {
    "slices": (SLICES, of_slices),
    "nodules": (NODULES, of_nodules),
}
