"""Depth inside a mask against closed forms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lungsynth.ct.distance import inside_mm


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 12), st.integers(1, 12), st.floats(0.4, 2), st.floats(0.4, 2))
def test_in_a_rectangle_it_is_the_way_to_the_nearest_side(height, width, dy, dx):
    mask = np.zeros((height + 4, width + 4), bool)
    mask[2:-2, 2:-2] = True
    rows = np.minimum(np.arange(1, height + 1), np.arange(height, 0, -1)) * dy
    columns = np.minimum(np.arange(1, width + 1), np.arange(width, 0, -1)) * dx
    found = inside_mm(mask, (dy, dx))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[2:-2, 2:-2], np.minimum.outer(rows, columns), rtol=1e-5)
    assert not found[~mask].any()


@pytest.mark.parametrize("mm_per_px", [0.5, 0.7, 1.4])
def test_in_a_disc_it_is_radius_minus_distance_within_a_pixel(mm_per_px):
    rows, columns = np.mgrid[:81, :81] - 40
    away = np.hypot(rows, columns) * mm_per_px
    found = inside_mm(away <= 20, mm_per_px)
    deep = away <= 20 - mm_per_px
    np.testing.assert_allclose(found[deep], (20 - away)[deep], atol=mm_per_px)


def test_in_a_box_the_thick_axis_counts_in_mm():
    mask = np.zeros((7, 11, 11), bool)
    mask[1:-1, 1:-1, 1:-1] = True
    assert inside_mm(mask, (2.5, 0.7, 0.7))[3, 5, 5] == pytest.approx(0.7 * 5)
    assert inside_mm(mask, (0.5, 0.7, 0.7))[3, 5, 5] == pytest.approx(0.5 * 3)


def test_the_border_of_the_array_is_an_edge():
    found = inside_mm(np.ones((5, 5), bool), 2.0)
    np.testing.assert_allclose(found[2], [2, 4, 6, 4, 2])


def test_an_empty_mask_is_zero_everywhere():
    assert not inside_mm(np.zeros((4, 4), np.uint8), 1.0).any()
