"""Metrics against reference values that an independent brute force and other libraries agree on."""

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from torchmetrics.image.fid import FrechetInceptionDistance

from lungsynth.score.metrics import fid, inception_score, kid
from lungsynth.score.pairs import kernel
from lungsynth.score.registry import METRICS
from lungsynth.score.samples import Sample


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
    theirs, _ = kid.over_subsets(real[:280], fake, subsets=1, subset_size=280, seed=0)
    assert ours == pytest.approx(0.2299670802, abs=1e-9)
    assert theirs == pytest.approx(ours, rel=1e-12)


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


def test_fid_of_two_draws_of_one_population_falls_as_one_over_n_to_nothing():
    g = np.random.default_rng(11)
    d, n = 16, 1000
    pairs = [(g.normal(size=(n, d)), g.normal(size=(n, d))) for _ in range(6)]
    at_n = np.mean([value("fid", *pair) for pair in pairs])
    at_infinity = np.mean([fid.infinity(*pair, np.random.default_rng(0))[0] for pair in pairs])
    assert at_n == pytest.approx(d * (d + 5) / (2 * n), rel=0.1)
    assert abs(at_infinity) < at_n / 5


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
