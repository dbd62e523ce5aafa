"""A training window differs each time, and HU and mask always move together."""

import numpy as np
import pytest
from scipy import ndimage

from lungsynth.segment.training.augment import LUNG_HU, window
from lungsynth.segment.training.augmentation import Augmentation
from lungsynth.study.seeds import rng

STILL = {"shift_hu": 0, "noise_hu": 0}
WARPED = Augmentation(turn="any", zoom=1.25, stretch=1.2, bend_px=1.5, **STILL)


@pytest.fixture
def context():
    """A lung of -900 HU with a bright ellipse in the middle, and its mask."""
    y, x = np.mgrid[:71, :71] - 35
    mask = ((y / 6.0) ** 2 + (x / 4.0) ** 2 <= 1).astype(np.uint8)
    return np.where(mask, 100, -900).astype(np.int16)[None], mask


@pytest.mark.parametrize("how", [Augmentation(**STILL), WARPED], ids=["quarter turns", "warped"])
def test_hu_and_mask_move_together(context, how):
    for draw in range(20):
        hu, mask = window(*context, 48, how, rng(draw, "w"))
        assert hu.shape == mask.shape == (1, 48, 48)
        assert hu.dtype == mask.dtype == np.float32
        np.testing.assert_array_equal(mask[0], hu[0] > -400)


def test_the_nodule_lies_anywhere_in_the_window(context):
    centres = [ndimage.center_of_mass(window(*context, 48, WARPED, rng(draw, "w"))[1][0]) for draw in range(300)]
    low, high = np.min(centres, axis=0), np.max(centres, axis=0)
    assert (low < 15).all()
    assert (high > 33).all()
    assert np.abs(np.mean(centres, axis=0) - 23.5).max() < 1.5


def test_zoom_stays_within_its_bounds_and_reaches_them(context):
    how = Augmentation(turn="any", zoom=1.25, **STILL)
    areas = np.array([window(*context, 48, how, rng(draw, "w"))[1].sum() for draw in range(200)]) / context[1].sum()
    assert 1 / 1.25**2 - 0.1 < areas.min() < 0.75
    assert 1.4 < areas.max() < 1.25**2 + 0.1


def test_what_lies_outside_the_context_is_its_mirror_image_and_no_air(context):
    windows = [window(*context, 64, WARPED, rng(draw, "w"))[0] for draw in range(20)]
    assert min(hu.min() for hu in windows) > -900.5


def test_the_same_stream_gives_the_same_window(context):
    how = Augmentation(turn="any", zoom=1.2, bend_px=1, gain=0.1, sharpen=0.5, grain=True)
    first, second = (window(*context, 48, how, rng(3, "w")) for _ in range(2))
    np.testing.assert_array_equal(first[0], second[0])
    assert not np.array_equal(first[0], window(*context, 48, how, rng(4, "w"))[0])


def test_a_change_of_contrast_leaves_aerated_lung_where_it_is():
    lung = np.full((1, 40, 40), LUNG_HU, np.int16)
    hu, _ = window(lung, np.zeros((40, 40), np.uint8), 32, Augmentation(gain=0.5, **STILL), rng(0, "w"))
    np.testing.assert_allclose(hu, LUNG_HU)


def test_sharpening_changes_edges_and_not_plains(context):
    hu, mask = window(*context, 48, Augmentation(sharpen=0.9, **STILL), rng(1, "w"))
    inside = ndimage.binary_erosion(mask[0], iterations=2)
    outside = ~ndimage.binary_dilation(mask[0], iterations=2)
    np.testing.assert_allclose(hu[0][inside], 100, atol=1e-3)
    np.testing.assert_allclose(hu[0][outside], -900, atol=1e-3)
    assert len(np.unique(np.rint(hu[0]))) > 2


def test_copies_of_the_middle_slice_stay_copies():
    slices = np.stack([np.full((40, 40), value, np.int16) for value in (-900, -500, -100)])
    how = Augmentation(gain=0.1, sharpen=0.3, grain=True)
    drawn = [window(slices, np.zeros((40, 40), np.uint8), 32, how, rng(k, "w"))[0] for k in range(60)]
    flat = [hu for hu in drawn if np.array_equal(hu[0], hu[1]) and np.array_equal(hu[1], hu[2])]
    assert 8 < len(flat) < 36
    assert all(abs(hu[1].mean() + 500) < 200 for hu in drawn)
