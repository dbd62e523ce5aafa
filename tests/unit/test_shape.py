"""Measures of a mask against closed forms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lungsynth.ct.shape import (
    ball_diameter_mm,
    ball_mm3,
    centroid_px,
    eccentricity,
    equivalent_diameter_mm,
    grow_mm,
    ring_mm,
    texture_class,
)


def distance(size):
    rows, columns = np.mgrid[:size, :size] - size // 2
    return np.hypot(rows, columns)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 400), st.floats(0.3, 2))
def test_equivalent_diameter_is_that_of_the_disc_with_the_area(pixels, mm_per_px):
    mask = (np.arange(400) < pixels).reshape(20, 20)
    found = equivalent_diameter_mm(mask, mm_per_px)
    assert np.pi / 4 * found**2 == pytest.approx(pixels * mm_per_px**2)


def test_a_large_disc_has_its_own_diameter():
    assert equivalent_diameter_mm(distance(101) <= 40, 0.5) == pytest.approx(40, abs=0.25)


@given(st.floats(0.1, 100))
def test_the_diameter_of_a_ball_is_that_of_its_volume(diameter_mm):
    assert ball_diameter_mm(ball_mm3(diameter_mm)) == pytest.approx(diameter_mm)


def test_a_ball_of_two_millimetres_has_four_thirds_of_pi():
    assert ball_mm3(2) == pytest.approx(4 / 3 * np.pi)


@settings(deadline=None, max_examples=30)
@given(st.integers(2, 12), st.integers(2, 12))
def test_a_rectangle_has_the_eccentricity_of_its_sides(height, width):
    mask = np.zeros((20, 20), bool)
    mask[3 : 3 + height, 5 : 5 + width] = True
    small, large = sorted((height, width))
    assert eccentricity(mask) == pytest.approx(np.sqrt(1 - (small / large) ** 2), abs=1e-6)


def test_an_ellipse_has_its_own_eccentricity_whatever_its_direction():
    rows, columns = np.mgrid[:121, :121] - 60
    along, across = (rows + columns) / np.sqrt(2), (rows - columns) / np.sqrt(2)
    mask = (along / 50) ** 2 + (across / 30) ** 2 <= 1
    assert eccentricity(mask) == pytest.approx(0.8, abs=0.01)


def test_fewer_than_three_pixels_have_no_shape():
    mask = np.zeros((4, 4), bool)
    assert eccentricity(mask) == 0
    mask[1, 1:3] = True
    assert eccentricity(mask) == 0


def test_the_centroid_is_row_then_column():
    mask = np.zeros((9, 9), bool)
    mask[2:5, 6] = True
    assert centroid_px(mask) == (3, 6)


@pytest.mark.parametrize(
    ("hu", "word"),
    [
        (-700, "ground_glass"),
        (-500.1, "ground_glass"),
        (-500, "part_solid"),
        (-260.1, "part_solid"),
        (-260, "solid"),
        (40, "solid"),
    ],
)
def test_density_words_change_at_500_and_260_below_zero(hu, word):
    assert texture_class(hu) == word


@pytest.mark.parametrize("mm_per_px", [0.5, 1.25])
def test_growing_adds_the_distance_all_round(mm_per_px):
    away = distance(61) * mm_per_px
    grown = grow_mm(away <= 8, 4, mm_per_px)
    assert grown[away <= 12 - mm_per_px].all()
    assert not grown[away > 12 + 1e-9].any()


def test_a_ring_touches_neither_mask_nor_what_is_farther():
    away = distance(61)
    mask = away <= 8
    ring = ring_mm(mask, 2, 4, 1.0)
    assert ring.any()
    assert not (ring & mask).any()
    assert away[ring].min() > 8 + 2 - 1
    assert away[ring].max() <= 8 + 4


def test_nothing_grows_from_nothing():
    assert not grow_mm(np.zeros((5, 5), bool), 3, 1).any()
    assert not ring_mm(np.zeros((5, 5), bool), 2, 4, 1).any()
