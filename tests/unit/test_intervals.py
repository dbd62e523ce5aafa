"""Intervals: who is drawn again, what is left out, and how often the truth lies inside."""

import numpy as np
import pytest

from lungsynth.score import intervals, pairs
from lungsynth.score.metrics import fid
from lungsynth.score.registry import METRICS
from lungsynth.score.samples import Sample
from lungsynth.sets.resampling import draw_counts
from lungsynth.study.errors import DataError

RNG = np.random.default_rng


def clustered(n_patients: int, each: int, d: int, seed: int, spread: float = 1.0) -> Sample:
    """Images round their patients' means."""
    g = RNG(seed)
    centres = spread * g.normal(size=(n_patients, d))
    patients = np.repeat(np.arange(n_patients), each)
    return Sample.of(centres[patients] + 0.5 * g.normal(size=(len(patients), d)), patients)


def test_units_are_patients_or_else_images():
    points = np.zeros((4, 2))
    assert Sample.of(points, ["b", "a", "b", "c"]).units.tolist() == [0, 1, 0, 2]
    for patients in (None, ["one"] * 4):
        sample = Sample.of(points, patients)
        assert sample.by_image
        assert sample.n_units == 4


def test_features_that_are_no_numbers_are_refused():
    with pytest.raises(DataError, match="finite"):
        Sample.of(np.full((3, 2), np.nan))
    with pytest.raises(DataError, match="3 rows of features but 2"):
        Sample.of(np.zeros((3, 2)), ["a", "b"])


def brute_within(points: np.ndarray, units: np.ndarray, counts: np.ndarray) -> float:
    """The mean over pairs by walking through the drawn copies: same copy of the unit, or different units; never an
    image twice."""
    copies = [(unit, copy) for unit, times in enumerate(counts.astype(int)) for copy in range(times)]
    drawn = [(image, *copy) for copy in copies for image in np.flatnonzero(units == copy[0])]
    kernel = pairs.kernel(points, points)
    values = [
        kernel[i, j]
        for i, unit, copy in drawn
        for j, other, other_copy in drawn
        if (i != j and unit == other and copy == other_copy) or unit != other
    ]
    return float(np.mean(values))


@pytest.mark.parametrize("by_patient", [True, False])
def test_pairs_of_copies_are_left_out_of_the_kernel_mean(by_patient):
    points = RNG(0).normal(size=(9, 3))
    units = np.array([0, 0, 1, 1, 1, 2, 3, 3, 0]) if by_patient else np.arange(9)
    sample = Sample(points, units, not by_patient)
    counts = draw_counts(sample.n_units, 6, RNG(1))
    kernel = pairs.kernel(points, points)
    expected = [brute_within(points, units, row) for row in counts]
    np.testing.assert_allclose(pairs.within_means(kernel, sample, counts), expected, rtol=1e-12)


def test_between_means_equal_the_mean_of_the_drawn_images():
    rows, columns = clustered(3, 4, 2, 0), clustered(5, 2, 2, 1)
    kernel = pairs.kernel(rows.points, columns.points)
    drawn = draw_counts(3, 5, RNG(2)), draw_counts(5, 5, RNG(3))
    for k, mean in enumerate(pairs.between_means(kernel, rows, columns, *drawn)):
        some = np.repeat(np.arange(12), drawn[0][k].astype(int)[rows.units])
        others = np.repeat(np.arange(10), drawn[1][k].astype(int)[columns.units])
        assert mean == pytest.approx(kernel[np.ix_(some, others)].mean())


def test_draws_centre_on_the_kernel_distance_itself():
    real, fake = clustered(30, 4, 4, 0), Sample.of(1.3 * RNG(1).normal(size=(120, 4)))
    counts = draw_counts(30, 4000, RNG(2)), draw_counts(120, 4000, RNG(3))
    drawn = pairs.kernel_distances(real, fake, *counts)
    value = METRICS.get("kid")().value(real.points, fake.points)
    assert abs(drawn.mean() - value) < 0.15 * drawn.std()


def test_intervals_by_patient_are_wider_than_by_image():
    sample = clustered(12, 20, 4, 3)
    alone = Sample(sample.points, np.arange(len(sample)), True)
    fake = Sample.of(1.2 * RNG(4).normal(size=(240, 4)))
    for name in ("kid", "fid"):
        widths = [
            np.ptp([one.low, one.high])
            for one in (METRICS.get(name)().interval(real, fake, None, RNG(5)) for real in (sample, alone))
        ]
        assert widths[0] > 1.5 * widths[1], name


@pytest.mark.parametrize("name", ["kid", "fid", "precision"])
def test_the_truth_lies_in_most_intervals(name):
    metric = METRICS.get(name)()
    truth = np.mean(
        [metric.value(clustered(25, 8, 3, s).points, 1.1 * RNG(900 + s).normal(size=(200, 3))) for s in range(60)]
    )
    inside = 0
    for seed in range(40):
        fake = Sample.of(1.1 * RNG(500 + seed).normal(size=(200, 3)))
        one = metric.interval(clustered(25, 8, 3, 100 + seed), fake, None, RNG(seed), draws=200)
        inside += one.low <= truth <= one.high
    assert inside >= 32  # of 40, at a level of .95


def test_one_patient_gives_an_interval_over_images_and_says_so():
    real = Sample.of(RNG(0).normal(size=(60, 4)), ["only"] * 60)
    fake = Sample.of(RNG(1).normal(size=(60, 4)))
    for name in ("kid", "fid"):
        notes = METRICS.get(name)().interval(real, fake, None, RNG(2)).notes
        assert any("one patient" in note for note in notes)
    few = METRICS.get("fid")().interval(clustered(4, 15, 4, 0), fake, None, RNG(2)).notes
    assert any("4 patients" in note for note in few)


def test_the_jackknife_of_a_mean_is_its_textbook_variance():
    values = RNG(0).normal(size=50)
    left_out = (values.sum() - values) / 49
    assert intervals.jackknife_variance(left_out) == pytest.approx(values.var(ddof=1) / 50)


def test_fid_left_out_values_equal_fid_without_that_patient():
    real, fake = clustered(5, 6, 3, 0), RNG(1).normal(size=(40, 3))
    moments = fid.leave_one_out_moments(real.points, real.units)
    for patient, value in enumerate(fid.frechet(*fid.moments(fake), *moments)):
        rest = real.points[real.units != patient]
        assert value == pytest.approx(METRICS.get("fid")().value(rest, fake), abs=1e-9)


def test_a_paired_difference_sees_what_two_intervals_do_not():
    reference = clustered(15, 20, 6, 0, spread=0.6)
    before = 0.8 * RNG(1).normal(size=(300, 6)) + 0.3
    after = before - 0.04
    first, second = Sample.of(after), Sample.of(before)
    difference = pairs.paired_kid_difference(reference, first, second, RNG(2), draws=400)
    kid = METRICS.get("kid")()
    apart = [kid.value(reference.points, one.points) for one in (first, second)]
    assert difference.value == pytest.approx(apart[0] - apart[1])
    assert difference.value < 0
    own = [kid.interval(reference, one, None, RNG(3), draws=400) for one in (first, second)]
    assert own[0].high > own[1].low
    assert difference.high - difference.low < 0.5 * (own[0].high - own[0].low)


def test_differences_of_sets_that_are_no_pairs_are_those_of_their_kids_and_of_a_kind_the_mean_over_its_runs():
    kid, reference, against = METRICS.get("kid")(), clustered(6, 5, 3, 0), Sample.of(RNG(1).normal(size=(30, 3)))
    runs = [Sample.of(RNG(seed).normal(size=(n, 3)) + 0.5) for seed, n in ((2, 20), (3, 25))]
    sets, unpaired = {"one": runs[:1], "both": runs}, {"one": False, "both": False}
    found = pairs.kid_differences(reference, against, sets, unpaired, RNG(4), draws=50)
    own, *rest = (kid.value(reference.points, one.points) for one in (against, *runs))
    assert found["one"].value == pytest.approx(rest[0] - own)
    assert found["both"].value == pytest.approx(np.mean(rest) - own)


def test_the_interval_of_a_difference_holds_the_truth_as_often_as_it_says():
    def two(seed, n):
        return Sample.of(RNG(400 + seed).normal(size=(n, 3))), Sample.of(1.3 * RNG(800 + seed).normal(size=(n, 3)))

    def difference(real, near, far, seed):
        return pairs.kid_differences(real, near, {"far": [far]}, {"far": False}, RNG(seed), draws=200)["far"]

    truth = difference(clustered(600, 2, 3, 2000, spread=0.2), *two(-1, 1200), 0).value
    found = [difference(clustered(12, 5, 3, seed, spread=0.2), *two(seed, 80), seed) for seed in range(60)]
    inside, excluded = (sum(one.low <= truth <= one.high for one in found), sum(one.excludes_zero for one in found))
    assert inside >= 50  # of 60, at a level of .95
    assert excluded > 30


def test_a_set_differs_from_itself_by_nothing():
    reference, one = clustered(6, 5, 3, 0), Sample.of(RNG(1).normal(size=(30, 3)))
    difference = pairs.paired_kid_difference(reference, one, one, RNG(2), draws=50)
    assert (difference.value, difference.low, difference.high) == (0, 0, 0)
    assert not difference.excludes_zero
    with pytest.raises(ValueError, match="not paired"):
        pairs.paired_kid_difference(reference, one, Sample.of(one.points[:20]), RNG(2))
