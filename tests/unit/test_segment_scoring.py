"""Operating points, baseline, Dice, accuracy and the rows of the detection table, on cases with known answers."""

import numpy as np
import pandas as pd
import pytest

from lungsynth.ct.volume import Volume
from lungsynth.segment.inference import baseline
from lungsynth.segment.scoring import detection, threshold
from lungsynth.segment.scoring import detection_table as scoring
from lungsynth.segment.scoring.detection import Curve, match
from lungsynth.segment.scoring.threshold import OperatingPoint
from lungsynth.sets.tables import write_json
from lungsynth.study.errors import DataError

SCANS = ["a", "b"]
DRAWS = scoring.Draws(detection.draw_weights(np.array(SCANS), 200, np.random.default_rng(0)))


def annotations(n=4):
    rows = [("a" if k % 2 else "b", 20.0 * k, 0.0, 0.0, 6.0) for k in range(n)]
    return pd.DataFrame(rows, columns=["scan", "x_mm", "y_mm", "z_mm", "diameter_mm"])


def marks(found, false):
    """Marks on the first nodules with the probabilities `found`, and elsewhere in scan a with `false`."""
    rows = [("a" if k % 2 else "b", 20.0 * k, 0.0, 0.0, p) for k, p in enumerate(found)]
    rows += [("a", 0.0, 100.0 + 20 * k, 0.0, p) for k, p in enumerate(false)]
    return pd.DataFrame(rows, columns=["scan", "x_mm", "y_mm", "z_mm", "probability"])


def test_cut_is_the_highest_sensitivity_within_the_bound():
    matched = match(marks([0.9, 0.8, 0.6, 0.3], [0.85, 0.7, 0.5, 0.4]), annotations(), SCANS)
    assert threshold.best_cut(Curve(matched), 1.0) == (0.6, 0.75, 1.0)
    assert threshold.best_cut(Curve(matched), 2.0) == (0.3, 1.0, 2.0)


def test_cut_uses_the_bound_even_where_tune_scans_gain_nothing():
    matched = match(marks([0.9], [0.8, 0.7, 0.6]), annotations(), SCANS)
    assert threshold.best_cut(Curve(matched), 1.0) == (0.7, 0.25, 1.0)


def test_cut_shows_nothing_where_even_the_best_mark_is_too_many():
    matched = match(marks([], [0.9, 0.9, 0.9]), annotations(), SCANS)
    score, sensitivity, false = threshold.best_cut(Curve(matched), 1.0)
    assert score > 1
    assert (sensitivity, false) == (0, 0)


def test_choice_takes_the_threshold_that_finds_more_then_ranks_better_then_the_middle_one():
    worse, better = marks([0.9, 0.8], [0.85]), marks([0.9, 0.8], [0.7])
    tables = {0.3: marks([0.9], []), 0.4: worse, 0.5: better, 0.6: better, 0.7: marks([0.9], [])}
    point = threshold.choose(tables.get, annotations(), SCANS, 4.0, tuple(tables))
    assert (point.threshold, point.probability, point.sensitivity) == (0.5, 0.7, 0.5)
    assert (point.nodules, point.scans) == (4, 2)


def test_choice_without_a_tune_nodule_says_so():
    with pytest.raises(DataError, match="more patients to tune"):
        threshold.choose(lambda _: marks([], [0.5]), annotations(0), SCANS, 4.0)


def volume_with(masks, hu=20):
    """Lungs of -850 HU with dense things in them, 1 mm voxels."""
    array = np.full((40, 40, 40), -850, np.int16)
    for mask in masks:
        array[mask] = hu
    return Volume(array, (1.0, 1.0, 1.0))


def ball(centre, diameter):
    grid = np.indices((40, 40, 40))
    return sum((axis - c) ** 2 for axis, c in zip(grid, centre, strict=True)) < (diameter / 2) ** 2


def test_baseline_finds_a_ball_and_no_thin_vessel():
    vessel = np.zeros((40, 40, 40), bool)
    vessel[2:38, 30:32, 30:32] = True
    volume = volume_with([ball((15, 15, 15), 9), vessel])
    table, labels = baseline.find("s", volume, np.ones(volume.hu.shape, np.uint8), 2.0)
    assert len(table) == 1
    np.testing.assert_allclose(table[["x_mm", "y_mm", "z_mm"]].to_numpy()[0], 15, atol=0.3)
    assert table["probability"][0] > 0.6
    assert set(np.unique(labels)) == {0, 1}


def test_baseline_ranks_a_ball_above_a_rod():
    rod = np.zeros((40, 40, 40), bool)
    rod[4:36, 28:33, 28:33] = True
    volume = volume_with([ball((15, 12, 12), 9), rod])
    table, _ = baseline.find("s", volume, np.ones(volume.hu.shape, np.uint8), 1.4)
    by_place = table.sort_values("x_mm")["probability"].to_numpy()
    assert len(by_place) == 2
    assert by_place[0] > 3 * by_place[1]


def test_baseline_without_lungs_or_dense_things_is_empty():
    volume = volume_with([])
    for lungs in (np.zeros(volume.hu.shape, np.uint8), np.ones(volume.hu.shape, np.uint8)):
        assert len(baseline.find("s", volume, lungs, 2.0)[0]) == 0


def test_dice_of_equal_shifted_and_missed_nodules():
    nodules, found = np.zeros((6, 20, 20), np.uint8), np.zeros((6, 20, 20), np.int32)
    nodules[2:4, 2:6, 2:6], found[2:4, 2:6, 2:6] = 1, 7
    nodules[2:4, 2:6, 12:16], found[2:4, 2:6, 14:18] = 2, 8
    nodules[4, 12:16, 2:6] = 3
    assert scoring.nodule_dice(nodules, found) == {1: 1.0, 2: 0.5, 3: 0.0}


def test_dice_counts_overgrowth_in_the_slices_of_the_nodule_only():
    nodules, found = np.zeros((6, 20, 20), np.uint8), np.zeros((6, 20, 20), np.int32)
    nodules[2:4, 2:6, 2:6] = 1
    found[0:6, 2:6, 2:14] = 3
    assert scoring.nodule_dice(nodules, found)[1] == pytest.approx(2 * 32 / (96 + 32))


def test_mean_dice_is_the_mean_over_nodules():
    table = pd.DataFrame({"scan": ["a", "a", "b"], "dice": [1.0, 0.5, 0.0]})
    value, low, high = scoring.mean_dice(table, SCANS, DRAWS)
    assert value == pytest.approx(0.5)
    assert (low, high) == (0.0, 0.75)


def test_largest_probability_is_taken_within_the_radius():
    volume = volume_with([])
    probability = np.zeros(volume.hu.shape, np.uint8)
    probability[10, 10, 14] = 255
    places, radii = np.array([[10.0, 10, 10]] * 2), np.array([4.0, 3.9])
    np.testing.assert_array_equal(scoring.largest_near(probability, volume, places, radii), [1.0, 0.0])


def test_patch_list_is_balanced_and_its_others_hit_no_nodule():
    blobs = pd.concat([marks([0.5] * 4, [0.5] * 9)]).assign(diameter_mm=5.0)
    patches = scoring.patch_list(annotations(), blobs, SCANS, np.random.default_rng(0))
    assert patches["nodule"].value_counts().to_dict() == {True: 4, False: 4}
    assert (patches.loc[~patches["nodule"], "y_mm"] >= 100).all()
    assert sorted(patches.loc[~patches["nodule"], "diameter_mm"]) == [6.0] * 4


def test_accuracy_of_always_no_is_one_half():
    patches = scoring.patch_list(
        annotations(), marks([], [0.5] * 9).assign(diameter_mm=5.0), SCANS, np.random.default_rng(0)
    )
    assert scoring.accuracy(patches.assign(probability=0.0), SCANS, DRAWS)[0] == 0.5
    right = patches.assign(probability=np.where(patches["nodule"], 0.9, 0.1))
    assert scoring.accuracy(right, SCANS, DRAWS) == (1.0, 1.0, 1.0)


def test_detection_row_counts_marks_from_the_operating_point_up():
    point = OperatingPoint(0.5, 0.6, 1.0, 1.0, 4, 2)
    row = scoring.detection_row(
        "net", marks([0.9, 0.8, 0.6, 0.3], [0.85, 0.7, 0.5]), annotations(), SCANS, point, DRAWS
    )
    assert (row["scans"], row["nodules"], row["found"], row["sensitivity"]) == (2, 4, 3, 0.75)
    assert row["sensitivity_low"] <= 0.75 <= row["sensitivity_high"]
    assert row["false_positives_per_scan"] == 1.0
    assert row["candidates_per_scan"] == 2.5


def test_froc_table_has_the_seven_rates():
    matched = match(marks([0.9, 0.8], [0.85]), annotations(), SCANS)
    table = scoring.froc_table("net", matched, DRAWS)
    assert table["false_positives_per_scan"].tolist() == list(detection.RATES)
    assert (table["low"] <= table["sensitivity"]).all()
    assert (table["sensitivity"] <= table["high"]).all()


def test_accuracy_and_dice_are_empty_of_a_detector_without_a_probability():
    patches = scoring.patch_list(
        annotations(), marks([], [0.5] * 9).assign(diameter_mm=5.0), SCANS, np.random.default_rng(0)
    )
    dice = pd.DataFrame({"scan": ["a"], "dice": [1.0]})
    maps = {scan: Volume(np.zeros((9, 9, 9), np.uint8), (1.0, 1.0, 1.0)) for scan in SCANS}
    row = scoring.voxel_columns(patches, maps, dice, SCANS, DRAWS)
    assert (row["accuracy"], row["dice"]) == (0.5, 1.0)
    assert list(row) == [f"{what}{end}" for what in ("accuracy", "dice") for end in ("", "_low", "_high")]
    assert np.isnan(list(scoring.voxel_columns(patches, maps | {"b": None}, dice, SCANS, DRAWS).values())).all()


def test_thresholds_are_tried_where_there_is_a_probability_to_cut():
    assert threshold.tried(None, True) == threshold.THRESHOLDS
    assert threshold.tried(0.05, True) == (0.05,)
    assert threshold.tried(0.05, False) == threshold.tried(None, False) == (0.0,)


SHIPPED = OperatingPoint(0.4, 0.6, 1.0, 1.0, 4, 0)
WHOLE, PATCHES, SLICES = ({"role": ["fit", "tune"], "kind": ["volume", kind]} for kind in ("volume", "patch", "slice"))


@pytest.mark.parametrize(
    ("setting", "cohort", "own", "levels", "otherwise"),
    [
        (None, WHOLE, None, [0.2, 0.3], None),
        (None, PATCHES, None, [0.5], threshold.given(0.5)),
        (None, SLICES, SHIPPED, [0.4], SHIPPED),
        (None, WHOLE, SHIPPED, [0.2, 0.3, 0.4], SHIPPED),
        (0.1, WHOLE, None, [0.1], None),
        (0.1, PATCHES, None, [0.1], threshold.given(0.1)),
        (0.1, WHOLE, SHIPPED, [0.1], threshold.given(0.1)),
    ],
)
def test_thresholds_that_may_be_chosen_are_known_before_one_is(setting, cohort, own, levels, otherwise):
    """A detector of the study's own without a whole tune scan works at .5, which tune scans are never asked about."""
    possible = threshold.possible(setting, True, pd.DataFrame(cohort), own)
    assert (possible.levels, possible.otherwise) == (levels, otherwise)
    whole = cohort is WHOLE
    assert possible.weighed(nodules=True) == whole
    assert possible.weighed(nodules=False) == (whole and own is None)
    assert not possible.weighed(nodules=True) or possible.tried


@pytest.mark.parametrize("setting", [None, 0.1])
@pytest.mark.parametrize("cohort", [WHOLE, PATCHES])
def test_what_cannot_be_cut_has_one_threshold_whether_chosen_or_not(setting, cohort):
    possible = threshold.possible(setting, False, pd.DataFrame(cohort), None)
    assert possible.levels == [0.0] and possible.otherwise == (None if cohort is WHOLE else threshold.given(0.0))
    own = threshold.OperatingPoint(0.0, 0.6, 1.0, 1.0, 4, 2)
    assert threshold.possible(setting, False, pd.DataFrame(cohort), own).levels == [0.0]


def test_a_shipped_operating_point_is_read_from_its_recipe(tmp_path):
    write_json(tmp_path / "recipe.json", {"operating_point": SHIPPED.to_dict()})
    assert threshold.shipped([tmp_path / "recipe.json"]) == SHIPPED and threshold.shipped([]) is None
