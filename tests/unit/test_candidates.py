"""Candidates: spheres of known place and size come back, small ones and distant ones do not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from lungsynth.ct.shape import compactness
from lungsynth.ct.volume import Volume
from lungsynth.segment.inference import candidates
from lungsynth.study.stages.segment import OperatingPointSettings

SPACING = (2.0, 1.0, 1.0)
SHAPE = (24, 48, 48)


def find(probability, volume, threshold, score="max", margin_mm=3.0):
    """Of one scan, with lungs."""
    rules = OperatingPointSettings(candidate_score=score, lung_margin_mm=margin_mm)
    return candidates.find("s", probability, volume, LUNGS, threshold, rules)


def scan(direction=(1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0)):
    return Volume(np.zeros(SHAPE, np.int16), SPACING, (-10.0, 20.0, -100.0), direction)


def ball(volume, centre_zyx, diameter_mm):
    z, y, x = np.indices(volume.hu.shape)
    offsets = [(axis - c) * step for axis, c, step in zip((z, y, x), centre_zyx, SPACING, strict=True)]
    return sum(offset**2 for offset in offsets) < (diameter_mm / 2) ** 2


LUNGS = np.zeros(SHAPE, np.uint8)
LUNGS[2:22, 4:44, 4:44] = 1


@settings(max_examples=25, deadline=None)
@given(
    st.tuples(st.floats(8, 15), st.floats(16, 31), st.floats(16, 31)),
    st.floats(7, 14),
    st.sampled_from([(1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0), (-1.0, 0, 0, 0, -1.0, 0, 0, 0, 1.0)]),
)
def test_a_ball_is_found_at_its_place_with_its_diameter(centre, diameter, direction):
    volume = scan(direction)
    probability = np.where(ball(volume, centre, diameter), 200, 10).astype(np.uint8)
    table, labels = find(probability, volume, 0.5)
    assert len(table) == 1
    row = table.iloc[0]
    np.testing.assert_allclose(row[["x_mm", "y_mm", "z_mm"]].astype(float), volume.to_mm(np.array(centre)), atol=0.7)
    assert row["diameter_mm"] == pytest.approx(diameter, rel=0.08)
    assert row["probability"] == pytest.approx(200 / 255)
    assert row["volume_mm3"] == np.count_nonzero(labels) * 2.0


def test_components_meet_at_corners():
    probability = np.zeros(SHAPE, np.uint8)
    probability[8:10, 10:13, 10:13] = 255
    probability[10:12, 13:16, 13:16] = 255
    assert len(find(probability, scan(), 0.5)[0]) == 1


def test_less_than_a_three_millimetre_sphere_is_no_candidate():
    probability = np.zeros(SHAPE, np.uint8)
    probability[10, 10:12, 10:13] = 255  # 12 mm3; a sphere of 3 mm has 14.1
    assert len(find(probability, scan(), 0.5)[0]) == 0
    probability[10, 12, 10] = 255  # 14 mm3: the sphere within half a voxel
    assert len(find(probability, scan(), 0.5)[0]) == 1


def test_voxels_count_up_to_the_margin_outside_the_lungs():
    probability = np.zeros(SHAPE, np.uint8)
    probability[10:13, 20:24, 44:50] = 255  # the lungs end at column 43
    table, labels = find(probability, scan(), 0.5, margin_mm=3.0)
    assert set(np.nonzero(labels)[2]) == {44, 45, 46}
    assert len(find(probability, scan(), 0.5, margin_mm=0.0)[0]) == 0
    assert table.iloc[0]["slices"] == 3


def test_near_lungs_is_the_distance_map():
    from scipy.ndimage import distance_transform_edt

    rng = np.random.default_rng(0)
    lungs = (rng.random((9, 12, 12)) < 0.02).astype(np.uint8)
    spacing = (2.5, 1.4, 1.4)
    voxels = np.argwhere(np.ones(lungs.shape, bool))
    expected = distance_transform_edt(lungs == 0, sampling=spacing).ravel() <= 3.0
    np.testing.assert_array_equal(candidates.near_lungs(voxels, lungs, 3.0, spacing), expected)


def test_scores_are_the_maximum_the_mean_or_the_shape():
    volume, probability = scan(), np.zeros(SHAPE, np.uint8)
    probability[ball(volume, (6, 16, 16), 8)] = 200
    probability[6, 16, 16] = 250
    probability[12:20, 30:32, 30:32] = 250  # a rod of 16 mm
    tables = {s: find(probability, volume, 0.5, score=s)[0] for s in ("max", "mean", "shape")}
    assert tables["max"]["probability"].tolist() == [250 / 255] * 2
    assert tables["mean"]["probability"][0] < tables["mean"]["probability"][1] == 250 / 255
    round_one, rod = tables["shape"]["probability"]
    assert round_one > 0.95 > rod


def test_shape_is_the_odds_times_compactness_times_root_of_size():
    volume, probability = scan(), np.zeros(SHAPE, np.uint8)
    probability[8:14, 20:26, 18:22] = 204
    table, labels = find(probability, volume, 0.5, score="shape")
    odds = 4 * compactness(labels, volume.spacing_mm)[0] * np.sqrt(table["volume_mm3"][0] / 100)
    assert table["probability"][0] == pytest.approx(odds / (1 + odds))


def test_compactness_of_a_ball_is_near_one_and_of_a_rod_near_nothing():
    volume = scan()
    labels = ball(volume, (12, 24, 24), 15).astype(np.int32)
    labels[4:20, 2:4, 2:4] = 2
    round_one, rod = compactness(labels, volume.spacing_mm)
    assert round_one == pytest.approx(1, abs=0.2)
    assert rod < 0.05


def test_nothing_above_the_threshold_is_an_empty_table_with_columns():
    table, labels = find(np.zeros(SHAPE, np.uint8), scan(), 0.5)
    assert list(table.columns) == candidates.COLUMNS
    assert not labels.any()


def joined():
    """A ball of high probability at the end of a long rod of a lower one: one component above .3, two bodies."""
    volume, probability = scan(), np.zeros(SHAPE, np.uint8)
    probability[10:13, 20:23, 8:38] = 120
    probability[ball(volume, (11, 21, 34), 9)] = 240
    return volume, probability


def test_a_nodule_that_a_threshold_joins_with_a_vessel_is_taken_from_it():
    volume, probability = joined()
    whole, _ = find(probability, volume, 0.3, score="max")
    parts, labels = find(probability, volume, 0.3, score="shape")
    assert len(whole) == len(parts) == 1
    centre = volume.to_mm(np.array([11.0, 21.0, 34.0]))
    off = [np.linalg.norm(t[["x_mm", "y_mm", "z_mm"]].to_numpy(float)[0] - centre) for t in (whole, parts)]
    assert off[1] < 1 < off[0]
    assert (probability[labels > 0] == 240).all()


def test_a_component_of_one_body_stays_whole():
    volume, probability = scan(), np.zeros(SHAPE, np.uint8)
    probability[ball(volume, (11, 21, 24), 12)] = 100
    probability[ball(volume, (11, 21, 24), 6)] = 240
    table, labels = find(probability, volume, 0.3, score="shape")
    assert len(table) == 1
    np.testing.assert_array_equal(labels > 0, probability > 0)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31))
def test_taken_apart_is_the_best_cut_of_the_tree(seed):
    """No candidate scores below a part of itself, and labels are numbered in the order of the array."""
    rng = np.random.default_rng(seed)
    field = ndimage.gaussian_filter(rng.standard_normal(SHAPE), 2.5)
    probability = np.clip(128 + 90 * field / field.std(), 0, 255).astype(np.uint8)
    volume = scan()
    table, labels = find(probability, volume, 0.3, score="shape")
    first = [np.flatnonzero(labels.ravel() == label)[0] for label in table["label"]]
    assert first == sorted(first)
    np.testing.assert_array_equal(table["probability"], candidates.scored(labels, probability, volume, "shape"))
    for level in (0.4, 0.6, 0.8):
        parts = candidates.components(probability >= level * 255, volume, LUNGS, 3.0, 3.0)
        scores = candidates.scored(parts, probability, volume, "shape")
        for part, score in enumerate(scores, start=1):
            (owner,) = np.unique(labels[parts == part])[:1]
            if owner and (labels[parts == part] == owner).all():
                assert table["probability"][owner - 1] >= score - 1e-9
