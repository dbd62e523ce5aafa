"""Small pools and lungs of known shape for the tests of banks and compose."""

import numpy as np
import pandas as pd

from lungsynth.sets.bank import ImageSet

BANK_MM = 1.25
IMAGE_MM = 2.0


def disc(size: int, radius_px: float, centre: tuple[float, float] | None = None) -> np.ndarray:
    """Bool [size, size]: pixels whose centres lie in a disc."""
    row, column = centre or ((size - 1) / 2, (size - 1) / 2)
    rows, columns = np.ogrid[:size, :size]
    return np.hypot(rows - row, columns - column) <= radius_px


def nodules(diameters_mm: list[float], hu: int = 20) -> ImageSet:
    """Cut-out discs of one density: 32 px of 1.25 mm, HU in the disc grown by 2 mm, -1000 outside."""
    masks = np.stack([disc(32, d / 2 / BANK_MM) for d in diameters_mm]).astype(np.uint8)
    kept = np.stack([disc(32, (d / 2 + 2) / BANK_MM) for d in diameters_mm])
    table = pd.DataFrame({"id": [f"n{k}" for k in range(len(diameters_mm))], "diameter_mm": diameters_mm})
    return ImageSet(np.where(kept, hu, -1000).astype(np.int16), masks, BANK_MM, table)


def lungs(height: int = 80, width: int = 48, size: int = 128) -> np.ndarray:
    """Two rectangles of lung, uint8 [size, size]: 1 right at low columns, 2 left."""
    labels = np.zeros((size, size), np.uint8)
    top = (size - height) // 2
    labels[top : top + height, 10 : 10 + width] = 1
    labels[top : top + height, size - 10 - width : size - 10] = 2
    return labels


def normals(n: int = 2, seed: int = 0) -> ImageSet:
    """n noisy slices, -850 HU in the lungs and 50 outside, on a grid of 2 mm."""
    rng = np.random.default_rng(seed)
    masks = np.stack([lungs(80 - 4 * k, 48 - 2 * k) for k in range(n)])
    images = np.where(masks > 0, -850, 50) + rng.normal(0, 25, masks.shape)
    table = pd.DataFrame({"id": [f"slice{k}" for k in range(n)]})
    return ImageSet(np.rint(images).astype(np.int16), masks, IMAGE_MM, table)


def members(rows: list[tuple]) -> pd.DataFrame:
    """A groups' table of (group, nodule, side, u, v, radius_mm, reach_mm)."""
    names = ("group", "nodule", "side", "u", "v", "radius_mm", "reach_mm")
    table = pd.DataFrame(rows, columns=list(names))
    table["member"] = table.groupby("group").cumcount()
    table["turn"], table["mean_hu"] = 0, 20.0
    table["source_nodule"] = "n" + table["nodule"].astype(str)
    return table
