"""Folders of single pictures for tests."""

from pathlib import Path

import numpy as np
from PIL import Image


def levels(shape=(96, 128), bits=8, seed=0) -> np.ndarray:
    """Grey levels at random, so that no two seeds look alike."""
    top = 2**bits
    return np.random.default_rng(seed).integers(0, top, shape).astype(np.uint8 if bits == 8 else np.uint16)


def save(path: Path, array: np.ndarray, **options) -> Path:
    """A picture file and its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **options)
    return path


def fill(root: Path, classes=("normal", "ill"), n=6, shape=(96, 128), bits=8) -> Path:
    """`n` pictures a class."""
    for name in classes:
        for k in range(n):
            save(root / name / f"{k}.png", levels(shape, bits, seed=[k, *name.encode()]))
    return root
