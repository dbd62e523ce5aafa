"""LUNA16's rules: the fixture of FACTS 3.2, the rules one by one, and laws that hold for all inputs."""

import numpy as np
import pandas as pd
import pytest
from detection_cases import ANNOTATIONS, EXCLUDED, MARKS, SCANS, findings, marks
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lungsynth.segment.scoring import detection
from lungsynth.segment.scoring.detection import Curve, cap, match
from lungsynth.segment.scoring.luna16 import evaluate
from lungsynth.study.errors import DataError


@pytest.fixture
def fixture():
    return match(MARKS, ANNOTATIONS, SCANS, EXCLUDED)


def test_fixture_counts(fixture):
    assert (fixture.true_positives, fixture.false_positives) == (3, 5)
    assert fixture.nodules - fixture.true_positives == 1
    assert (fixture.ignored, fixture.doubles, fixture.candidates, fixture.nodules) == (2, 1, 11, 4)
    assert (fixture.sensitivity, fixture.candidates_per_scan) == (0.75, 2.75)


def test_fixture_curve_and_cpm(fixture):
    curve = Curve(fixture)
    fps, sensitivity = curve.points()
    corners = [(0, 0), (0.25, 0), (0.25, 0.5), (0.5, 0.75), (1.25, 0.75)]
    assert set(corners) <= set(zip(fps, sensitivity, strict=True))
    np.testing.assert_array_equal(curve.at(), [0, 0.5, 0.75, 0.75, 0.75, 0.75, 0.75])
    assert detection.cpm(curve) == pytest.approx(0.607142857, abs=1e-9)
    assert curve.at((0.375,))[0] == 0.625


def test_fixture_bootstrap(fixture):
    legacy = np.random.RandomState(0)  # the official script's generator: the reference numbers stand on it
    picks = np.stack([legacy.randint(4, size=4) for _ in range(1000)])
    result = detection.bootstrap(Curve(fixture), detection.picks_to_weights(picks, 4))
    assert result.dropped == 3
    np.testing.assert_allclose(result.mean, [0.27148111, 0.57099632, 0.75215647, *[0.79241295] * 4], atol=5e-9)
    assert result.cpm == pytest.approx(0.68061224, abs=5e-9)


def test_curve_equals_the_roc_of_scikit_learn(fixture):
    from sklearn.metrics import roc_curve

    shown = ~fixture.missed
    fpr, tpr, _ = roc_curve(fixture.positive[shown], fixture.probability[shown])
    fps, sensitivity = fpr * fixture.false_positives / 4, tpr * fixture.true_positives / fixture.nodules
    grid = np.linspace(0.01, 8, 997)
    np.testing.assert_allclose(Curve(fixture).at(tuple(grid)), np.interp(grid, fps, sensitivity), atol=1e-12)


def test_cap_drops_all_ties_at_the_101st():
    probability = np.r_[np.full(99, 0.9), np.full(3, 0.5), 0.1]
    assert cap(probability).sum() == 99
    assert cap(np.arange(100) / 100).sum() == 100
    assert cap(np.arange(102) / 102).sum() == 100


def test_the_cap_of_one_scan_acts_before_hits_and_leaves_the_other_scans_alone():
    crowd = [("a", 500, k, 0, 0.9 - k / 1000) for k in range(100)]
    low = [("a", 0, 0, 0, 0.01), ("b", 0, 0, 0, 0.01)]
    both = findings([("a", 0, 0, 0, 10), ("b", 0, 0, 0, 10)])
    result = match(marks(crowd + low), both, ["a", "b"])
    assert (result.candidates, result.true_positives, result.false_positives) == (101, 1, 100)
    as_excluded = match(marks(crowd + low), findings([]), ["a", "b"], both)
    assert (as_excluded.ignored, as_excluded.false_positives) == (1, 100)


def test_ties_at_the_101st_take_a_nodule_with_them():
    crowd = [("a", 500, k, 0, 0.9) for k in range(60)] + [("a", 0, 0, 0, 0.5)] * 41
    result = match(marks(crowd), findings([("a", 0, 0, 0, 10)]), ["a"])
    assert (result.candidates, result.true_positives, result.doubles, result.false_positives) == (60, 0, 0, 60)


def test_mark_on_the_sphere_misses_and_inside_hits():
    nodule = findings([("a", 0, 0, 0, 10)])
    assert match(marks([("a", 3, 4, 0, 1.0)]), nodule, ["a"]).true_positives == 0
    assert match(marks([("a", 3, 3.999, 0, 1.0)]), nodule, ["a"]).true_positives == 1


def test_mark_on_the_sphere_of_an_excluded_finding_is_a_false_positive():
    result = match(marks([("a", 3, 4, 0, 1.0)]), findings([]), ["a"], findings([("a", 0, 0, 0, 10)]))
    assert (result.ignored, result.false_positives) == (0, 1)


def test_a_nodule_takes_the_largest_probability_not_the_nearest_mark():
    result = match(marks([("a", 0, 0, 0, 0.2), ("a", 4, 0, 0, 0.8)]), findings([("a", 0, 0, 0, 10)]), ["a"])
    assert (result.probability.tolist(), result.doubles) == ([0.8], 1)


def test_equal_marks_are_not_merged():
    twice = marks([("a", 90, 0, 0, 0.5), ("a", 90, 0, 0, 0.5), ("a", 0, 0, 0, 0.5), ("a", 0, 0, 0, 0.5)])
    result = match(twice, findings([("a", 0, 0, 0, 10)]), ["a"])
    assert (result.candidates, result.false_positives, result.doubles) == (4, 2, 1)


def test_unknown_diameter_of_a_nodule_is_ten_millimetres_too():
    nodules = findings([("a", 0, 0, 0, -3), ("b", 0, 0, 0, -1)])
    result = match(marks([("a", 4.9, 0, 0, 1.0), ("b", 5, 0, 0, 1.0)]), nodules, ["a", "b"])
    assert (result.true_positives, result.false_positives) == (1, 1)


def test_unknown_diameter_is_ten_millimetres():
    result = match(
        marks([("a", 4.9, 0, 0, 1.0), ("a", 5.1, 0, 0, 1.0)]), findings([]), ["a"], findings([("a", 0, 0, 0, -1)])
    )
    assert (result.ignored, result.false_positives) == (1, 1)


def test_one_mark_in_two_nodules_counts_for_both():
    result = match(marks([("a", 0, 0, 0, 0.7)]), findings([("a", 1, 0, 0, 4), ("a", -1, 0, 0, 4)]), ["a"])
    assert (result.true_positives, result.false_positives, result.doubles) == (2, 0, 0)


def test_mark_credited_to_a_nodule_is_not_ignored_for_an_excluded_finding_too():
    both = findings([("a", 0, 0, 0, 10)])
    result = match(marks([("a", 0, 0, 0, 0.7)]), both, ["a"], both)
    assert (result.true_positives, result.ignored) == (1, 0)


def test_a_mark_on_two_excluded_findings_is_ignored_once():
    result = match(
        marks([("a", 0, 0, 0, 0.7)]), findings([]), ["a"], findings([("a", 1, 0, 0, -1), ("a", -1, 0, 0, 4)])
    )
    assert (result.ignored, result.false_positives) == (1, 0)


def test_scan_without_marks_counts_and_unlisted_scan_does_not():
    result = match(marks([("a", 0, 0, 0, 0.5), ("x", 0, 0, 0, 0.5)]), findings([("x", 0, 0, 0, 4)]), ["a", "b"])
    assert (result.nodules, result.false_positives, result.candidates_per_scan) == (0, 1, 0.5)


def test_no_hit_gives_sensitivity_zero_and_no_false_positive_gives_the_top():
    miss = match(marks([("a", 90, 0, 0, 0.5)]), findings([("a", 0, 0, 0, 4)]), ["a"])
    np.testing.assert_array_equal(Curve(miss).at(), np.zeros(7))
    perfect = match(marks([("a", 0, 0, 0, 0.5)]), findings([("a", 0, 0, 0, 4)]), ["a"])
    np.testing.assert_array_equal(Curve(perfect).at(), np.ones(7))


def test_equal_probabilities_of_a_nodule_and_a_false_positive_are_one_slanted_step():
    result = match(marks([("a", 0, 0, 0, 0.5), ("a", 90, 0, 0, 0.5)]), findings([("a", 0, 0, 0, 4)]), ["a"])
    np.testing.assert_array_equal(Curve(result).at(), [0.125, 0.25, 0.5, 1, 1, 1, 1])


def test_marks_below_every_log_odds_still_count():
    result = match(marks([("a", 0, 0, 0, -2e9), ("a", 90, 0, 0, -3e9)]), findings([("a", 0, 0, 0, 4)]), ["a"])
    np.testing.assert_array_equal(Curve(result).at(), np.ones(7))


def test_no_mark_at_all_gives_sensitivity_zero():
    result = match(marks([]), findings([("a", 0, 0, 0, 4)]), ["a", "b"])
    np.testing.assert_array_equal(Curve(result).at(), np.zeros(7))
    assert (result.candidates_per_scan, result.sensitivity) == (0, 0)


@pytest.mark.parametrize(
    ("tables", "pattern"),
    [
        ((marks([]), findings([]), []), "scans: the list is empty"),
        ((marks([]), findings([]), ["a", "b", "a"]), "scans: a is listed twice"),
        ((marks([("a", 0, 0, 0, np.nan)]), findings([]), ["a"]), "marks: row 0, probability: nan is not a number"),
        ((marks([]), findings([("a", 0, np.inf, 0, 4)]), ["a"]), "annotations: row 0, y_mm: inf is not a number"),
        ((marks([]), findings([]), ["a"], findings([("a", 0, 0, 0, np.nan)])), "excluded: row 0, diameter_mm: nan"),
    ],
)
def test_tables_that_cannot_be_scored_are_one_line(tables, pattern):
    with pytest.raises(DataError, match=pattern) as caught:
        match(*tables)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("confidence", "n", "bounds"), [(0.95, 1000, (25, 975)), (0.9, 1000, (50, 950)), (0.95, 7, (0, 6))]
)
def test_bounds_are_the_sorted_samples_at_the_official_places(confidence, n, bounds):
    samples = np.random.default_rng(0).permutation(n).astype(float)
    assert detection.interval(samples, confidence) == bounds


def test_draws_without_an_entry_or_a_nodule_are_dropped():
    result = match(marks([("b", 0, 0, 0, 0.5)]), findings([("c", 0, 0, 0, 4)]), ["a", "b", "c"])
    outcome = detection.bootstrap(Curve(result), np.array([[3, 0, 0], [0, 3, 0], [2, 0, 1], [0, 1, 2]]))
    assert outcome.dropped == 2
    assert outcome.cpm == 0


def test_there_is_no_interval_over_one_patient():
    """All nodules found, all of one patient: certain is nothing."""
    scans, found = ["a", "b", "c"], [("a", 0, 0, 0, 0.5), ("b", 0, 0, 0, 0.5)]
    result = match(marks(found), findings([("a", 0, 0, 0, 4), ("b", 0, 0, 0, 4)]), scans)
    for patients, sure in ((["p", "p", "p"], False), (["p", "p", "q"], False), (["p", "q", "r"], True)):
        weights = detection.draw_weights(patients, 100, np.random.default_rng(0))
        outcome = detection.bootstrap(Curve(result), weights)
        counts = detection.counts_at(result, 0.5)
        value, *bounds = detection.ratio_interval(*counts[:2], weights)
        assert (value, outcome.cpm) == (1, 1)
        for bound in (*bounds, outcome.cpm_low, outcome.cpm_high, *outcome.low, *outcome.high):
            assert np.isnan(bound) != sure
        score = evaluate(marks(found), findings([("a", 0, 0, 0, 4), ("b", 0, 0, 0, 4)]), scans, groups=patients)
        row = score.table().iloc[0]
        named = ("sensitivity_low", "sensitivity_high", "cpm_low", "cpm_high")
        assert all(np.isnan(row[name]) != sure for name in named)
        assert (score.curve["low"].isna() != sure).all()
        assert (row.sensitivity, row.cpm) == (1, 1)


def test_bootstrap_without_any_nodule_drops_every_draw():
    result = match(marks([("a", 0, 0, 0, 0.5)]), findings([]), ["a"])
    outcome = detection.bootstrap(Curve(result), np.ones((5, 1), int))
    assert outcome.dropped == 5
    assert np.isnan(outcome.cpm)


def test_patients_are_drawn_whole():
    weights = detection.draw_weights(np.array(["p", "q", "p"]), 200, np.random.default_rng(0))
    np.testing.assert_array_equal(weights[:, 0], weights[:, 2])
    np.testing.assert_array_equal(weights[:, 0] + weights[:, 1], 2)


def test_draws_of_the_legacy_generator_are_those_of_the_script():
    legacy = np.random.RandomState(0)
    picks = np.stack([legacy.randint(4, size=4) for _ in range(50)])
    weights = detection.draw_weights(SCANS, 50, np.random.RandomState(0))
    np.testing.assert_array_equal(weights, detection.picks_to_weights(picks, 4))


def test_counts_at_a_probability_count_what_is_at_or_above_it(fixture):
    found, nodules, false = detection.counts_at(fixture, 0.7)
    assert (found.sum(), nodules.sum(), false.sum()) == (3, 4, 2)


def test_ratio_interval_of_a_certain_event_is_a_point():
    weights = detection.draw_weights(np.arange(6), 100, np.random.default_rng(1))
    assert detection.ratio_interval(np.full(6, 2), np.full(6, 2), weights) == (1.0, 1.0, 1.0)


def test_ratio_interval_without_a_draw_that_counts_has_no_bounds():
    value, low, high = detection.ratio_interval(np.array([1, 0]), np.array([2, 0]), np.array([[0, 2]]))
    assert value == 0.5
    assert np.isnan([low, high]).all()


coordinates = st.tuples(*[st.integers(-6, 6)] * 3)
mark_rows = st.lists(st.tuples(st.sampled_from(SCANS), coordinates, st.integers(0, 8)), max_size=25)
finding_rows = st.lists(st.tuples(st.sampled_from(SCANS), coordinates, st.integers(1, 8)), max_size=8)


def flat(rows, scale=1.0):
    return [(scan, *xyz, value * scale) for scan, xyz, value in rows]


@settings(max_examples=60, deadline=None)
@given(mark_rows, finding_rows, finding_rows)
def test_every_mark_is_accounted_for_and_order_does_not_matter(mark_list, nodule_list, other_list):
    m, n, o = marks(flat(mark_list, 0.125)), findings(flat(nodule_list)), findings(flat(other_list))
    one = match(m, n, SCANS, o)
    other = match(m.iloc[::-1], n, SCANS, o.iloc[::-1])
    assert (one.candidates, one.ignored, one.doubles, one.false_positives) == (
        other.candidates,
        other.ignored,
        other.doubles,
        other.false_positives,
    )
    np.testing.assert_array_equal(Curve(one).at(), Curve(other).at())
    assert one.candidates == len(m)
    assert one.false_positives + one.ignored <= one.candidates
    curve = Curve(one)
    fps, sensitivity = curve.points()
    assert (np.diff(fps) >= 0).all()
    if one.nodules:
        assert (np.diff(sensitivity) >= 0).all()
        assert sensitivity[-1] == pytest.approx(one.sensitivity)


@settings(max_examples=40, deadline=None)
@given(mark_rows, finding_rows, hnp.arrays(np.int64, 4, elements=st.integers(0, 3)))
def test_weights_equal_scans_repeated(mark_list, nodule_list, weights):
    m, n = marks(flat(mark_list, 0.125)), findings(flat(nodule_list))
    curve = Curve(match(m, n, SCANS))
    if not curve.usable(weights):
        return
    copies = [(scan, k) for scan, times in zip(SCANS, weights, strict=True) for k in range(times)]
    repeat = lambda table: pd.concat(  # noqa: E731
        [table[table["scan"] == scan].assign(scan=f"{scan}.{k}") for scan, k in copies]
    )
    again = Curve(match(repeat(m), repeat(n), [f"{scan}.{k}" for scan, k in copies]))
    np.testing.assert_allclose(curve.at(weights=weights), again.at(), atol=1e-12)


@given(hnp.arrays(np.float64, st.integers(0, 200), elements=st.sampled_from([0.1, 0.2, 0.3, 0.4])))
def test_cap_never_keeps_more_than_a_hundred_nor_a_lower_one(probability):
    kept = cap(probability)
    assert kept.sum() <= 100
    if kept.any() and not kept.all():
        assert probability[kept].min() > probability[~kept].max()
