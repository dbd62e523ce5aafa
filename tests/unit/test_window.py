"""HU to a network's scale and back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lungsynth.ct.window import to_grey, to_hu, to_unit

WINDOWS = st.tuples(st.integers(-1100, 200), st.integers(2, 4200)).map(lambda pair: (pair[0], pair[0] + pair[1]))


@settings(deadline=None, max_examples=60)
@given(WINDOWS)
def test_every_hu_in_the_window_comes_back_exactly(window):
    hu = np.arange(window[0], window[1] + 1, dtype=np.int16)
    back = to_hu(to_unit(hu, window), window)
    assert back.dtype == np.int16
    np.testing.assert_array_equal(back, hu)


def test_ends_and_middle_of_the_lung_window():
    unit = to_unit(np.array([-1000, -300, 400], np.int16), (-1000, 400))
    assert unit.dtype == np.float32
    np.testing.assert_array_equal(unit, [-1, 0, 1])


def test_what_lies_outside_is_clipped_both_ways():
    np.testing.assert_array_equal(to_unit(np.array([-3024, 3071]), (-1000, 400)), [-1, 1])
    np.testing.assert_array_equal(to_hu(np.array([-1.5, 1.5], np.float32), (-1000, 400)), [-1000, 400])


def test_int16_arithmetic_does_not_overflow():
    assert to_unit(np.array([30000], np.int16), (-32000, 32000))[0] == pytest.approx(30000 / 32000, abs=1e-6)


@pytest.mark.parametrize(("hu", "grey"), [(-1350, 0), (150, 255), (-600, 128), (-2000, 0), (900, 255)])
def test_the_display_window_is_1500_wide_about_minus_600(hu, grey):
    made = to_grey(np.array([hu]))
    assert made.dtype == np.uint8
    assert made[0] == grey
