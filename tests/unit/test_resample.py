"""Resampling keeps mm: diameters, positions, grey levels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lungsynth.ct.resample import resize, resize_mask
from lungsynth.ct.shape import centroid_px, equivalent_diameter_mm

SIZES = st.floats(0.5, 2.5)


def disc(size_px, mm_per_px, diameter_mm, centre_px=None):
    centre = centre_px or ((size_px - 1) / 2,) * 2
    rows, columns = np.mgrid[:size_px, :size_px]
    return np.hypot(rows - centre[0], columns - centre[1]) * mm_per_px <= diameter_mm / 2


@settings(deadline=None, max_examples=25)
@given(SIZES, SIZES, st.floats(10, 30))
def test_a_disc_keeps_its_diameter_within_half_a_pixel(mm_from, mm_to, diameter_mm):
    """The mean of 16 positions all over the image; a single one may be off by a pixel, as any drawing of a disc is.

    In the middle the two grids lie on each other, and all positions there round alike.
    """
    size, changes = int(64 / mm_from), []
    margin = diameter_mm / 2 / mm_from + 2
    for centre in np.random.default_rng(5).uniform(margin, size - 1 - margin, (16, 2)):
        source = disc(size, mm_from, diameter_mm, tuple(centre))
        made = resize_mask(source.astype(np.uint8), mm_from, mm_to, int(64 / mm_to))
        changes.append(equivalent_diameter_mm(made, mm_to) - equivalent_diameter_mm(source, mm_from))
    pixel = max(mm_from, mm_to)
    assert abs(np.mean(changes)) <= 0.5 * pixel
    assert np.abs(changes).max() <= pixel


@pytest.mark.parametrize("size", [63, 64, 65])
def test_a_mask_that_falls_between_the_pixels_keeps_its_size(size):
    mask = disc(64, 1, 20)
    made = resize_mask(mask.astype(np.uint8), 1, 1, size)
    assert equivalent_diameter_mm(made, 1) == pytest.approx(equivalent_diameter_mm(mask, 1), abs=0.1)


@settings(deadline=None, max_examples=40)
@given(SIZES, SIZES, st.floats(-15, 15), st.floats(-15, 15))
def test_a_marker_keeps_its_place_in_mm(mm_from, mm_to, y_mm, x_mm):
    size = int(80 / mm_from)
    middle = (size - 1) / 2
    rows, columns = np.mgrid[:size, :size]
    square = ((rows - middle) * mm_from - y_mm) ** 2 + ((columns - middle) * mm_from - x_mm) ** 2
    made = resize(np.exp(-square / (2 * 5.0**2)), mm_from, mm_to, int(80 / mm_to), fill=0)
    weight = made / made.sum()
    half = (len(made) - 1) / 2
    place = [(weight * ((axis - half) * mm_to)).sum() for axis in np.mgrid[: len(made), : len(made)]]
    np.testing.assert_allclose(place, [y_mm, x_mm], atol=0.15)


@settings(deadline=None, max_examples=40)
@given(SIZES, SIZES, st.integers(-1000, 1000))
def test_a_constant_image_stays_constant_up_to_its_very_edge(mm_from, mm_to, hu):
    rows = int(64 / mm_from)
    inside = int(rows * mm_from / mm_to)
    made = resize(np.full((rows, rows), hu, np.int16), mm_from, mm_to, inside, fill=-2000)
    assert made.dtype == np.float32
    np.testing.assert_allclose(made, hu, atol=1e-3)


def test_beyond_the_source_lies_the_fill():
    made = resize(np.zeros((8, 8)), 1, 1, 12, fill=-1000)
    np.testing.assert_array_equal(made[2:10, 2:10], 0)
    assert (made == -1000).sum() == 12 * 12 - 8 * 8


def test_the_same_grid_changes_nothing():
    images = np.random.default_rng(3).normal(size=(2, 3, 9, 7)).astype(np.float32)
    np.testing.assert_array_equal(resize(images, 1.3, 1.3, (9, 7)), images)


def test_leading_axes_are_images_of_their_own():
    images = np.random.default_rng(4).normal(size=(2, 3, 16, 16)).astype(np.float32)
    made = resize(images, 1, 1.7, (9, 8))
    assert made.shape == (2, 3, 9, 8)
    np.testing.assert_array_equal(made[1, 2], resize(images[1, 2], 1, 1.7, (9, 8)))


def test_the_named_centre_lands_in_the_middle():
    image = np.zeros((40, 40))
    image[31, 12] = 1
    made = resize(image, 0.8, 0.8, 9, centre_px=(31, 12), fill=0)
    assert np.unravel_index(made.argmax(), made.shape) == (4, 4)


def test_shrinking_averages_and_does_not_pick_pixels():
    checkers = np.indices((64, 64)).sum(0) % 2 * 200.0
    np.testing.assert_allclose(resize(checkers, 1, 4, 16)[2:-2, 2:-2], 100, atol=15)


def test_labels_keep_their_values_and_do_not_mix():
    labels = np.zeros((64, 64), np.uint8)
    labels[10:50, 4:30], labels[10:50, 34:60] = 1, 2
    made = resize_mask(labels, 1, 1.6, 40)
    assert made.dtype == np.uint8
    assert set(np.unique(made)) == {0, 1, 2}
    for label in (1, 2):
        expected = (np.array(centroid_px(labels == label)) - 31.5) / 1.6 + 19.5
        np.testing.assert_allclose(centroid_px(made == label), expected, atol=0.5)


def test_an_empty_mask_stays_empty():
    assert resize_mask(np.zeros((2, 8, 8), np.uint8), 1, 2, (4, 5)).shape == (2, 4, 5)
    assert not resize_mask(np.zeros((2, 8, 8), np.uint8), 1, 2, 4).any()
