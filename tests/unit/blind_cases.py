"""A small blind test for the tests: smooth pictures on one side, noisy ones on the other."""

import numpy as np

from lungsynth.study.stages.utility import Reader
from lungsynth.utility.reader.blind import BlindTest, make_test
from lungsynth.utility.reader.page import window_of_ct
from lungsynth.utility.reader.sides import Side, of_images

WINDOW = window_of_ct((-1350, 150), (-1000, 400))


def noisy(count: int, size: int = 24, seed: int = 1) -> np.ndarray:
    """Pictures that do not compress."""
    return np.random.default_rng(seed).integers(0, 256, (count, size, size), np.uint8)


def smooth(count: int, size: int = 24) -> np.ndarray:
    """Pictures that compress well, no two alike."""
    ramp = np.linspace(0, 100, size)[None, :, None] + np.zeros((count, 1, size)) + np.arange(count)[:, None, None]
    return ramp.astype(np.uint8)


def real_side(count: int = 12, **more) -> Side:
    return of_images("banks/lesions_test", noisy(count), [f"scan-{k:04d}" for k in range(count)], role="test", **more)


def made_side(count: int = 12, **more) -> Side:
    ids = [f"composite-{k:07d}" for k in range(count)]
    return of_images("released composites", smooth(count), ids, role="refined", **more)


def a_test(how: Reader | None = None, seed: int = 7) -> BlindTest:
    """Four labelled pictures, then five real and five generated ones."""
    how = how or Reader(orientation=4, real=5, generated=5)
    return make_test(real_side(), made_side(), how, seed, "Blind test", WINDOW)
