"""Cubes to learn from: cropped at random, turned and mirrored, with another offset and noise."""

import numpy as np

from lungsynth.segment.training.augmentation import Augmentation


def turned(cube: np.ndarray, planes: int, side: int, how: Augmentation, rng: np.random.Generator) -> np.ndarray:
    """HU int16 [p, s, s], at least as large, to float32 [planes, side, side].

    The middle of the cube is never far from that of the crop: a candidate's place is known to a few millimetres.
    """
    room = np.array(cube.shape) - (planes, side, side)
    low = rng.integers(0, room + 1)
    part = cube[tuple(slice(a, a + n) for a, n in zip(low, (planes, side, side), strict=True))]
    part = np.rot90(part, rng.integers(4), axes=(1, 2))
    part = np.flip(part, [axis for axis, flip in enumerate(rng.integers(0, 2, 3)) if flip]).astype(np.float32)
    noise = rng.standard_normal(part.shape, dtype=np.float32) * np.float32(how.noise_hu * rng.random())
    return part + np.float32(how.shift_hu * rng.standard_normal()) + noise
