"""Metrics against reference values that an independent brute force and other libraries agree on."""

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

from lungsynth.score.intervals import jackknife_interval
from lungsynth.score.metrics import fid, inception_score
from lungsynth.score.pairs import kernel
from lungsynth.score.registry import METRICS
from lungsynth.score.samples import Sample
from lungsynth.study.errors import DataError


@pytest.fixture(scope="module")
def reference():
    g = np.random.default_rng(7)
    real = g.normal(size=(300, 16))
    fake = 0.25 + 1.1 * g.normal(size=(280, 16))
    logits = 2.0 * g.normal(size=(500, 10))
    assert real.sum() == pytest.approx(-105.184003685)
    assert logits.sum() == pytest.approx(123.809842245)
    return real, fake, logits


def value(name: str, real, fake, held_out=None, **options) -> float:
    return METRICS.get(name)(**options).value(real, fake, held_out)


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("fid", {}, 1.7295118176),
        ("kid", {}, 0.2287049937),
        ("precision", {"k": 3}, 178 / 280),
        ("recall", {"k": 3}, 266 / 300),
        ("density", {"k": 3}, 0.6166666667),
        ("coverage", {"k": 3}, 0.66),
        ("precision", {"k": 5}, 0.7678571429),
        ("recall", {"k": 5}, 0.9666666667),
        ("density", {"k": 5}, 892 / 1400),
        ("coverage", {"k": 5}, 246 / 300),
        ("authenticity", {}, 214 / 280),
    ],
)
def test_reference_values(reference, name, options, expected):
    real, fake, _ = reference
    assert value(name, real, fake, **options) == pytest.approx(expected, abs=2e-10)


def test_inception_score_of_one_split(reference):
    assert value("inception_score", None, reference[2], splits=1) == pytest.approx(2.6922362730, abs=1e-9)


def test_inception_score_of_contiguous_splits(reference):
    logits = torch.from_numpy(reference[2])
    scores = inception_score.split_scores(logits.softmax(1).numpy(), 10, np.ones((1, 500)))[0]
    assert scores.mean() == pytest.approx(2.6036046701, abs=1e-9)
    assert scores.std(ddof=1) == pytest.approx(0.1256418665, abs=1e-9)


def test_inception_score_does_not_touch_the_global_generator(reference):
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    scores = {value("inception_score", None, reference[2]) for _ in range(2)}
    assert len(scores) == 1
    assert torch.equal(before, torch.random.get_rng_state())


def test_inception_score_lies_between_one_and_the_number_of_classes():
    sure = 50.0 * np.eye(6)[np.arange(600) % 6]
    assert value("inception_score", None, sure, splits=1) == pytest.approx(6)
    assert value("inception_score", None, np.zeros((600, 6)), splits=1) == pytest.approx(1)


def test_kid_is_torchmetrics_number_at_equal_sizes(reference):
    real, fake, _ = reference
    ours = value("kid", real[:280], fake)
    metric = KernelInceptionDistance(feature=torch.nn.Identity().eval(), subsets=1, subset_size=280, normalize=False)
    metric.update(torch.from_numpy(real[:280].copy()), real=True)
    metric.update(torch.from_numpy(fake.copy()), real=False)
    assert ours == pytest.approx(0.2299670802, abs=1e-9)
    assert float(metric.compute()[0]) == pytest.approx(ours, rel=1e-12)


def test_kid_leaves_out_the_diagonal(reference):
    real, fake, _ = reference
    biased = kernel(real, real).mean() + kernel(fake, fake).mean() - 2 * kernel(real, fake).mean()
    assert biased == pytest.approx(0.2910889531, abs=1e-9)


def test_fid_terms_and_both_forms_of_the_root(reference):
    real, fake, _ = reference
    (m1, s1), (m2, s2) = fid.moments(real), fid.moments(fake)
    assert np.square(m1 - m2).sum() == pytest.approx(1.1364657710, abs=1e-9)
    trace = np.trace(s1 + s2 - 2 * sqrtm(s1 @ s2).real)
    assert trace == pytest.approx(0.5930460466, abs=1e-9)
    symmetric = fid.frechet(m1, s1, m2[None], s2[None])[0]
    assert symmetric == pytest.approx(1.7295118176, abs=1e-9)


def test_fid_of_a_set_with_itself_is_nothing_even_below_d_images():
    few = np.random.default_rng(1).normal(size=(10, 32))
    assert value("fid", few, few) == pytest.approx(0, abs=1e-6)
    assert fid.frechet(*fid.moments(few), *(part[None] for part in fid.moments(few)))[0] == pytest.approx(0, abs=1e-6)


def test_fid_of_two_draws_of_one_population_is_what_theory_says_of_n_images():
    g = np.random.default_rng(11)
    d, n = 16, 1000
    pairs = [(g.normal(size=(n, d)), g.normal(size=(n, d))) for _ in range(6)]
    at_n = np.mean([value("fid", *pair) for pair in pairs])
    assert at_n == pytest.approx(d * (d + 5) / (2 * n), rel=0.1)


def test_leave_one_out_moments_equal_those_of_the_remaining_rows():
    points = np.random.default_rng(0).normal(3, 2, size=(30, 4))
    groups = np.arange(30) % 7
    means, covariances = fid.leave_one_out_moments(points, groups)
    for group in range(7):
        mean, covariance = fid.moments(points[groups != group])
        np.testing.assert_allclose(means[group], mean, rtol=1e-12)
        np.testing.assert_allclose(covariances[group], covariance, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", METRICS.names())
def test_every_metric_has_a_card_and_a_value_inside_its_range(name):
    metric = METRICS.get(name)()
    g = np.random.default_rng(5)
    real, fake, held_out = (g.normal(size=(60, 8)) for _ in range(3))
    number = metric.value(real, fake, held_out)
    samples = Sample.of(real, np.arange(60) // 4), Sample.of(fake), Sample.of(held_out, np.arange(60) // 5)
    interval = metric.interval(*samples, np.random.default_rng(1), draws=100)
    again = metric.interval(*samples, np.random.default_rng(1), draws=100)
    assert metric.name == name
    assert type(metric).__doc__
    assert metric.least <= interval.low <= number <= interval.high <= metric.greatest
    assert interval.low < interval.high
    assert interval == again
    assert metric.warnings(3, 3, 64)
    assert not metric.warnings(1000, 1000, 64)


@pytest.mark.parametrize("n, m, d", [(12, 30, 40), (30, 12, 20), (60, 50, 20)])
def test_fid_of_few_images_is_fid(n, m, d):
    """By singular values of [n, m] as by eigenvalues of [d, d], where 1e-16 becomes 1e-8, and torchmetrics."""
    rng = np.random.default_rng(n)
    mixing = rng.normal(size=(d, d))
    first, second = rng.normal(size=(n, d)) @ mixing, 0.8 * rng.normal(size=(m, d)) @ mixing + 0.3
    few = fid.frechet_of_few(first, second)
    mean, covariance = fid.moments(second)
    assert few == pytest.approx(fid.frechet(*fid.moments(first), mean[None], covariance[None])[0], rel=1e-6)
    metric = FrechetInceptionDistance(feature=fid.GivenFeatures(d).eval(), normalize=False)
    metric.update(torch.from_numpy(first), real=True)
    metric.update(torch.from_numpy(second), real=False)
    assert few == pytest.approx(float(metric.compute()), rel=1e-4)


def test_fid_s_jackknife_is_the_same_below_and_above_d_images():
    rng = np.random.default_rng(3)
    points, other, groups = rng.normal(size=(40, 12)), rng.normal(size=(30, 12)), np.arange(40) % 7
    plenty = fid.frechets_left_out(points, groups, other)
    few = [fid.frechet_of_few(points[groups != group], other) for group in range(7)]
    np.testing.assert_allclose(plenty, few, rtol=1e-9)


G = np.random.default_rng(9)
PLENTY = [G.normal(size=(60, 8)) for _ in range(3)]
CONSTANT = np.ones((60, 8))
LEAST = {
    "fid": (2, 2), "kid": (2, 2), "precision": (4, 1), "recall": (1, 4), "density": (6, 1), "coverage": (6, 1),
    "authenticity": (2, 1), "neighbour_ratio": (2, 1),
}  # fmt: skip
"""Images that a metric needs on its real and its generated side; one where it is not named."""


def sides_of(name: str) -> list[int]:
    """Which of real, generated, held-out a metric looks at."""
    return {"none": [1], "both": [0, 1, 2]}.get(METRICS.get(name).reference, [0, 1])


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", METRICS.names())
def test_one_feature_that_is_no_number_is_refused_in_one_line_by_every_metric(name, wrong):
    """Comparisons with NaN are false, and max(0.0, nan) is 0.0: they would make the best number there is."""
    for side in sides_of(name):
        points = [part.copy() for part in PLENTY]
        points[side][7, 3] = wrong
        with pytest.raises(DataError, match=r"1 of 60 \w+ images are no finite numbers, the first of row 7") as caught:
            METRICS.get(name)().value(*points)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", METRICS.names())
def test_features_all_nan_are_refused_on_either_side_of_d(name):
    for n in (6, 60):
        nothing = np.full((n, 8), np.nan)
        with pytest.raises(DataError, match="no finite numbers"):
            METRICS.get(name)().value(nothing, nothing, nothing)


@pytest.mark.parametrize("name", METRICS.names())
@pytest.mark.filterwarnings("error")
def test_equal_and_constant_sets_have_the_number_that_they_should(name):
    """Without a warning; a copy of the training set is called one, and what is equal is as near as can be."""
    equal = {"fid": 0, "precision": 1, "recall": 1, "coverage": 1, "authenticity": 0, "neighbour_ratio": 0}
    chance = {"memorisation": 0.5, "membership": 0.5, "inception_score": 1}
    kind = METRICS.get(name)
    for points in (PLENTY[0], CONSTANT):
        number = kind().value(points, points, points)
        assert kind.least <= number <= kind.greatest
        if name in equal:
            assert number == pytest.approx(equal[name], abs=1e-6)
        if name in chance and (name != "inception_score" or points is CONSTANT):
            assert number == pytest.approx(chance[name], abs=1e-6)
    assert np.isfinite(kind().value(PLENTY[0], CONSTANT, PLENTY[2]))
    assert np.isfinite(kind().value(CONSTANT, PLENTY[1], PLENTY[2]))


@pytest.mark.parametrize("n", [0, 1, 2, 3])
@pytest.mark.parametrize("name", METRICS.names())
@pytest.mark.filterwarnings("error")
def test_few_images_give_a_number_in_its_range_or_one_line(name, n):
    metric = METRICS.get(name)()
    for few in ((0,), (1,), (0, 1, 2)):
        points = [part[:n] if side in few else part for side, part in enumerate(PLENTY)]
        needed = (*LEAST.get(name, (1, 1)), 1)
        if all(len(points[side]) >= needed[side] for side in sides_of(name)):
            assert metric.least <= metric.value(*points) <= metric.greatest
        else:
            with pytest.raises(DataError, match=r"images.*wanted") as caught:
                metric.value(*points)
            assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["fid", "kid"])
def test_features_too_large_to_be_squared_are_refused(name):
    with pytest.raises(DataError, match="comes out as"), np.errstate(all="ignore"):
        METRICS.get(name)().value(1e200 * PLENTY[0], PLENTY[1])


def test_a_jackknife_of_one_group_a_side_does_not_divide_by_nothing():
    low, high = jackknife_interval(0.5, np.array([0.4]), np.array([0.4, 0.6, 0.5]), 0.95, 0.0, 1.0)
    assert 0 <= low < 0.5 < high <= 1
    assert jackknife_interval(0.5, np.array([0.4]), np.array([0.5]), 0.95, 0.0) == (0.5, 0.5)
