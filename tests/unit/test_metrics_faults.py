"""Planted faults: which number sees which fault, on features whose truth is known."""

import numpy as np
import pytest

from lungsynth.score.registry import METRICS

COLUMNS = ("fid", "kid", "precision", "recall", "density", "coverage", "authenticity", "memorisation")
COLUMNS += ("neighbour_ratio", "membership")
CENTRES = 4 * np.random.default_rng(100).normal(size=(8, 16))


def draw(n: int, seed: int, clusters: int) -> np.ndarray:
    g = np.random.default_rng(seed)
    cluster = g.integers(0, clusters, n)
    return CENTRES[cluster] + 0.5 * g.normal(size=(n, 16))


TRAIN, HELD_OUT, FAITHFUL = draw(400, 1, 8), draw(400, 2, 8), draw(400, 3, 8)


def with_copies() -> np.ndarray:
    g = np.random.default_rng(4)
    where = g.choice(400, 240, replace=False)
    source = g.integers(0, 400, 240)
    copies = FAITHFUL.copy()
    copies[where] = TRAIN[source] + 0.02 * g.normal(size=(240, 16))
    return copies


FAULTS = {
    "faithful": (FAITHFUL, (1.8013, -7.7793, 0.8225, 0.7950, 0.9910, 0.9600, 0.6675, 0.5600, 0.9234, 0.5034)),
    "half": (
        draw(400, 3, 4),
        (116.1616, 505.6920, 0.8000, 0.3975, 0.9375, 0.4850, 0.6675, 0.5075, 0.9235, 0.5033),
    ),
    "copies": (
        with_copies(),
        (0.4947, -18.1569, 0.9525, 0.9000, 1.0795, 1.0000, 0.2675, 0.8125, 0.3983, 0.7287),
    ),
    "shrunk": (
        0.9 * FAITHFUL,
        (3.8635, 38.1051, 0.5400, 0.3025, 0.4435, 0.5900, 0.8000, 0.4825, 0.9268, 0.5016),
    ),
    "shifted": (
        FAITHFUL + 0.3,
        (2.2725, -2.7851, 0.5525, 0.6000, 0.4620, 0.6775, 0.7850, 0.4600, 0.9292, 0.4903),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_gives_the_reference_row(fault):
    fakes, expected = FAULTS[fault]
    row = [METRICS.get(name)().value(TRAIN, fakes, HELD_OUT) for name in COLUMNS]
    np.testing.assert_allclose(row, expected, atol=6e-5)


def test_real_against_real_is_the_floor_that_copies_fall_below():
    floor = METRICS.get("fid")().value(TRAIN, HELD_OUT)
    assert floor == pytest.approx(2.9802, abs=6e-5)
    assert METRICS.get("kid")().value(TRAIN, HELD_OUT) == pytest.approx(-4.4218, abs=6e-5)
    assert METRICS.get("fid")().value(TRAIN, with_copies()) < floor
