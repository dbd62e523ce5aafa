"""The loss monitor against the paper's lines and the curves that have its statistics (FACTS 5.3 to 5.6)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lungsynth.study.stages.generate import Monitor
from lungsynth.train.monitor import LossMonitor, Slopes

X = np.arange(500.0)


def hump(pk, top, lo, start, tau, plat, late0, k):
    rising = np.minimum(start + (top - start) * np.minimum(X / pk, 1), top)
    falling = lo + (top - lo) * np.exp(-(((X - pk - plat) / tau) ** 2))
    late = np.minimum(falling + k * np.maximum(X - late0, 0), 8.2)
    y = np.where(pk + plat >= X, rising, falling)
    return np.where(pk + plat + 3 * tau < X, late, y)


def with_lines(base, seed, lines, sd):
    """A curve with the base's shape whose given lines {(first, last): (slope, intercept)} and sd are exact."""
    rows, targets = [], []
    for (a, b), (slope, intercept) in lines.items():
        inside = (a <= X) & (b >= X)
        mean = X[inside].mean()
        slope_row = np.where(inside, (X - mean) / ((X[inside] - mean) ** 2).sum(), 0)
        rows += [slope_row, inside / inside.sum() - mean * slope_row]
        targets += [slope, intercept]
    a, b = np.array(rows), np.array(targets)
    p = np.linalg.pinv(a)
    noise = np.random.default_rng(seed).normal(size=500)
    course, z = base + p @ (b - a @ base), noise - p @ (a @ noise)
    dc, dz = course - course.mean(), z - z.mean()
    t = max(np.roots([(dz**2).mean(), 2 * (dc * dz).mean(), (dc**2).mean() - sd**2]).real)
    return course + t * z


def curves(shift=0):
    """(g, d) of the three results of Chen 2025, noise seeds moved by `shift`."""
    full = (0, 499)
    return {
        "R1": (
            with_lines(
                np.full(500, 3.0),
                11 + shift,
                {full: (0.00082, 2.79763), (0, 99): (-0.00314, 2.96948), (0, 199): (0.00004, 2.84875)},
                0.624,
            ),
            with_lines(
                np.full(500, 0.478),
                12 + shift,
                {full: (-0.00008, 0.49886), (0, 99): (0.00054, 0.47449), (0, 199): (0.00005, 0.49271)},
                0.092,
            ),
        ),
        "R2": (
            with_lines(
                hump(90, 7.5, 3.3, 2.5, 12, 20, 500, 0),
                21 + shift,
                {full: (-0.00391, 5.03948), (0, 99): (0.04636, 3.41604), (155, 499): (0.00160, 3.01457)},
                1.223,
            ),
            with_lines(
                np.full(500, 0.545),
                22 + shift,
                {full: (0.00004, 0.53467), (0, 99): (-0.00079, 0.55893), (155, 499): (-0.00007, 0.57486)},
                0.026,
            ),
        ),
        "R3": (
            with_lines(
                hump(100, 8.4, 3.4, 3.5, 18, 10, 400, 0.1),
                31 + shift,
                {full: (0.00099, 4.53168), (150, 399): (0.00201, 3.04335)},
                1.691,
            ),
            with_lines(
                np.full(500, 0.536),
                32 + shift,
                {full: (-0.00002, 0.54083), (150, 399): (-0.00007, 0.57195)},
                0.032,
            ),
        ),
    }


def run(g, d):
    monitor = LossMonitor(Monitor())
    for pair in zip(g, d, strict=True):
        monitor.add(*map(float, pair))
    return monitor


@given(st.lists(st.floats(-1e3, 1e3), min_size=5, max_size=60), st.integers(0, 50))
def test_running_slopes_equal_polyfit(values, start):
    start = min(start, len(values) - 5)
    slopes = Slopes()
    for value in values:
        slopes.append(value)
    x = np.arange(start, len(values))
    assert np.allclose(slopes.line(start, len(values) - 1), np.polyfit(x, values[start:], 1), rtol=1e-7, atol=1e-7)


def test_a_slope_needs_five_points():
    slopes = Slopes()
    for value in range(4):
        slopes.append(value)
    with pytest.raises(ValueError, match="5 points"):
        slopes.slope(0, 3)


def test_the_synthetic_curves_are_those_of_the_facts():
    made = curves()
    ends = {name: (round(pair[i][0], 6), round(pair[i][-1], 6)) for name, pair in made.items() for i in (0,)}
    assert ends == {"R1": (3.052601, 2.969459), "R2": (3.484294, 3.986379), "R3": (3.178255, 7.390567)}
    assert round(made["R1"][1][0], 6) == 0.465148 and round(made["R3"][1][-1], 6) == 0.494757


@pytest.mark.parametrize(
    ("name", "start", "table"),
    [
        ("R1", 0, {100: -0.003284, 150: -0.000672, 200: 0.000108, 250: 0.000538, 300: 0.000808, 400: 0.001009}),
        ("R2", 0, {100: 0.044807, 150: -0.001186, 200: -0.011183, 250: -0.011611, 300: -0.009629, 400: -0.005965}),
        ("R3", 0, {100: 0.04799, 150: 0.009199, 200: -0.008947, 250: -0.010699, 300: -0.009375, 400: -0.006332}),
        ("R2", 150, {200: -0.003314, 250: -0.001633, 300: 0.000637, 400: 0.00177}),
        ("R3", 150, {200: -0.002161, 250: 0.001623, 300: 0.002221, 400: 0.001934}),
    ],
)
def test_slope_curves_agree_with_the_table(name, start, table):
    slopes = Slopes()
    for loss in curves()[name][0]:
        slopes.append(float(loss))
    assert {end: round(slopes.slope(start, end), 6) for end in table} == table


def test_the_lines_over_the_whole_course_agree_with_the_reported_means():
    """FACTS 5.4: each line, at the mean epoch 249.5, gives the mean that the paper states."""
    lines = {
        3.001: (0.00082, 2.79763),
        4.063: (-0.00391, 5.03948),
        4.778: (0.00099, 4.53168),
        0.536: (-0.00002, 0.54083),
    }
    for mean, (slope, intercept) in lines.items():
        assert abs(slope * 249.5 + intercept - mean) < 0.002


def test_the_rule_stops_the_three_results_where_it_should():
    found = {name: run(g, d) for name, (g, d) in curves().items()}
    assert {name: (m.stop, m.e0, m.diverged) for name, m in found.items()} == {
        "R1": (180, 0, None),
        "R2": (230, 126, None),
        "R3": (240, 136, 450),
    }


def test_the_rule_holds_over_other_noise():
    bounds = {"R1": (130, 180), "R2": (200, 270), "R3": (240, 390)}
    for shift in range(0, 2000, 100):
        for name, (g, d) in curves(shift).items():
            monitor = run(g, d)
            low, high = bounds[name]
            assert low <= monitor.stop <= high
            assert monitor.diverged == (450 if name == "R3" else None)


def test_looks_hold_the_lines_that_a_fit_of_the_seen_points_gives():
    """Every tenth point from 50 on and the last; the window's lines once there is one, the whole course's always."""
    g, d = curves()["R2"]
    looks = run(g, d).at_end()
    assert [look.point for look in looks] == [*range(50, 500, 10), 499]
    assert looks[0].e0 is None and looks[0].g is None
    for look in (looks[20], looks[-1]):
        seen, late = np.arange(look.e0, look.point + 1), np.arange(look.point - 49, look.point + 1)
        assert look.e0 == 126
        assert np.allclose(look.g, np.polyfit(seen, g[seen], 1)) and np.allclose(look.d, np.polyfit(seen, d[seen], 1))
        assert np.allclose(look.g_late, np.polyfit(late, g[late], 1))
    assert np.allclose(looks[-1].g_all, (-0.00391, 5.03948)) and np.allclose(looks[-1].d_all, (0.00004, 0.53467))


def test_a_falling_loss_has_no_stable_segment():
    monitor = run(5 - 0.01 * X, np.full(500, 0.5))
    assert monitor.stop is None
    assert monitor.verdict(500, finished=False) == "running"
    assert monitor.verdict(500, finished=True) == "no stable segment"


def test_a_short_run_is_not_judged():
    assert "too short" in LossMonitor().verdict(99, finished=True)
