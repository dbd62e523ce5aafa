"""Extractors: what they may not hide, what they tell apart, and that the same weights give the same bytes."""

import hashlib
import json

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from lungsynth.features import apply, classes, faults, neighbours, similarity, training
from lungsynth.features.classes import Task
from lungsynth.features.extractor import Card, Extractor
from lungsynth.features.registry import EXTRACTORS
from lungsynth.score import floors, scorer
from lungsynth.score.record import Effort
from lungsynth.score.registry import METRICS
from lungsynth.score.samples import Sample, patients_of
from lungsynth.sets.bank import ImageSet
from lungsynth.study.errors import DataError, TrainingError
from lungsynth.study.stages.banks import Features
from lungsynth.study.training import Training
from lungsynth.train.checkpoints import RunPlan


def bank(n: int, seed: int, size: int = 48) -> ImageSet:
    """Slices in miniature: two dark lungs whose size follows the height, vessels, noise, a nodule in each second."""
    g = np.random.default_rng(seed)
    rows, columns = np.mgrid[:size, :size] / size - 0.5
    images = np.empty((n, size, size), np.int16)
    table = pd.DataFrame(
        {
            "patient": [f"p{k // 12:03}" for k in range(n)],
            "z_fraction": g.random(n),
            "lesions": np.arange(n) % 2,
            "source": "scan",
        }
    )
    for k, (height, lesion) in enumerate(zip(table["z_fraction"], table["lesions"], strict=True)):
        lungs = sum(((columns - side) / 0.18) ** 2 + (rows / (0.42 - 0.2 * height)) ** 2 < 1 for side in (-0.22, 0.22))
        hu = np.where(lungs > 0, -860, 40) + g.normal(0, 15)
        vessels = ndimage.gaussian_filter(g.normal(size=(size, size)), 0.7) * 220
        hu = hu + np.where(lungs > 0, vessels.clip(0), 0)
        spot = (columns - 0.22 + g.normal(0, 0.03)) ** 2 + (rows + g.normal(0, 0.03)) ** 2 < 0.05**2
        hu = np.where(spot & bool(lesion), 0, hu)
        images[k] = np.rint(ndimage.gaussian_filter(hu, 0.5) + g.normal(0, 12, hu.shape))
    return ImageSet(images, np.zeros(images.shape, np.uint8), 2.0, table)


def card(with_mask: bool = False, kind: str = "compact") -> Card:
    settings = EXTRACTORS.settings(kind)().model_dump()
    return Card("slices", kind, settings, classes.SLICES, 16, (-1000.0, 400.0), with_mask, 0, 48, 2.0, "linear")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("features")
    paths = folder / "slices.safetensors", folder / "slices-losses.csv"
    plan = RunPlan("features/slices", 3, Training(steps=120, checkpoints=1, batch=16), device="cpu")
    recipe = training.train_extractor("slices", bank(240, 0), Features(dimensions=16), (-1000, 400), plan, *paths)
    return paths[0], recipe


def test_training_tells_the_classes_apart(trained):
    path, recipe = trained
    assert recipe["patients"] == 20
    assert set(recipe["fit"]["classes"]) <= set(classes.SLICES)
    unseen = bank(240, 8)
    found = training.report(apply.read(path)[0], unseen.images, unseen.masks, classes.of_slices(unseen.table))
    assert found["accuracy"] > 0.3  # six classes: chance is about .17


def test_a_released_extractor_reads_back_with_its_hash(trained):
    path, _ = trained
    extractor, digest = apply.read(path)
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert digest == json.loads(path.with_suffix(".json").read_text())["sha256"]
    images = bank(20, 5).images
    features = apply.features_of(extractor, images)
    assert features.shape == (20, 16)
    assert features.dtype == np.float64
    assert apply.embed(extractor, images).logits.shape == (20, 6)


def test_features_of_the_fit_bank_are_standardised(trained):
    extractor, _ = apply.read(trained[0])
    features = apply.features_of(extractor, bank(240, 0).images)
    np.testing.assert_allclose(features.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(features.std(0), 1, atol=1e-4)


def test_an_image_has_the_same_features_in_any_company(trained):
    extractor, _ = apply.read(trained[0])
    images = bank(24, 6).images
    together = apply.features_of(extractor, images)
    np.testing.assert_allclose(apply.features_of(extractor, images[7:8])[0], together[7], atol=1e-4)
    halves = np.concatenate([apply.features_of(extractor, images[k:]) for k in (12,)])
    np.testing.assert_allclose(halves, together[12:], atol=1e-4)


def blurred(images: np.ndarray) -> np.ndarray:
    return np.stack([ndimage.gaussian_filter(image.astype(float), 1) for image in images]).astype(np.int16)


@pytest.mark.parametrize("plant", [blurred, lambda images: images + np.int16(30)], ids=["blur 1 px", "+30 HU"])
def test_planted_faults_stand_out_of_the_floor_by_three_deviations(trained, plant):
    extractor, _ = apply.read(trained[0])
    test = bank(192, 9)
    reference = Sample.of(apply.features_of(extractor, test.images), test.table["patient"])
    fake = Sample.of(apply.features_of(extractor, plant(bank(96, 10).images)))
    honest = Sample.of(apply.features_of(extractor, bank(96, 10).images))
    for name in ("fid", "kid"):
        metric = METRICS.get(name)()
        seen, unseen = (
            floors.of_halves(metric, reference, one, np.random.default_rng(0), 10) for one in (fake, honest)
        )
        assert seen.value_at_n > seen.value + 3 * seen.sd
        assert seen.value_at_n > 3 * unseen.value_at_n


def test_a_set_is_scored_against_the_reference_that_each_metric_asks_for(trained):
    extractor, digest = apply.read(trained[0])
    sides = {}
    for name, n, seed in (("generated", 60, 20), ("test", 72, 21), ("fit", 72, 0)):
        one = bank(n, seed)
        patients = None if name == "generated" else patients_of(one.table)
        sides[name] = scorer.embedded(name, extractor, one.images, patients=patients)
    scores = scorer.score_set(
        scorer.metrics_of(METRICS.names(), 3),
        sides["generated"],
        sides["test"],
        sides["fit"],
        scorer.source_of(extractor, digest),
        3,
        Effort(draws=40, halves=2),
    )
    references = {score.metric: score.reference for score in scores}
    assert sorted(references) == METRICS.names()
    assert (references["fid"], references["authenticity"], references["inception_score"]) == ("test", "fit", "test")
    assert all(score.extractor_sha256 == digest and score.classes == classes.SLICES for score in scores)


def test_changed_weights_are_noticed(trained, tmp_path):
    path = tmp_path / "slices.safetensors"
    data = bytearray(trained[0].read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    path.with_suffix(".json").write_bytes(trained[0].with_suffix(".json").read_bytes())
    with pytest.raises(DataError, match="sha256"):
        apply.read(path)


def test_training_twice_gives_the_same_bytes(tmp_path):
    weights = []
    for name in ("one", "two"):
        plan = RunPlan("features/slices", 4, Training(steps=4, checkpoints=1, batch=8), device="cpu")
        paths = tmp_path / f"{name}.safetensors", tmp_path / f"{name}.csv"
        settings = Features(dimensions=8)
        training.train_extractor("slices", bank(24, 0, 32), settings, (-1000, 400), plan, *paths)
        weights.append(paths[0].read_bytes())
    assert weights[0] == weights[1]


def test_too_few_images_or_classes_are_one_line(tmp_path):
    plan = RunPlan("features/slices", 4, Training(steps=4, checkpoints=1), device="cpu")
    paths = tmp_path / "a.safetensors", tmp_path / "a.csv"
    with pytest.raises(TrainingError, match="10 images"):
        training.train_extractor("slices", bank(10, 0), Features(), (-1000, 400), plan, *paths)
    with pytest.raises(TrainingError, match="two classes"):
        training.batches(*(np.zeros((4, 8, 8), np.int16),) * 2, Task(("a", "b"), np.ones(4, int)), 2)


@pytest.mark.parametrize("kind", EXTRACTORS.names())
@pytest.mark.parametrize("with_mask", [False, True])
def test_every_kind_gives_features_at_any_size_and_no_more_than_its_parameters(kind, with_mask):
    extractor = Extractor(card(with_mask, kind)).eval()
    assert sum(value.numel() for value in extractor.parameters()) <= 200_000
    images = bank(3, 1).images
    masks = (images > 0).astype(np.uint8)
    assert apply.features_of(extractor, images, masks).shape == (3, 16)
    if with_mask:
        with pytest.raises(DataError, match="takes a mask"):
            apply.features_of(extractor, images)
    with pytest.raises(DataError, match=r"\[n, h, w\]"):
        apply.features_of(extractor, images[:0], masks[:0])


def test_classes_follow_the_tables():
    slices = pd.DataFrame({"z_fraction": [0, 0.4, 1.0, 0.33], "lesions": [0, 2, 1, 1]})
    assert [classes.SLICES[k] for k in classes.of_slices(slices)] == [
        "low, clear",
        "middle, nodule",
        "high, nodule",
        "low, nodule",
    ]
    nodules = pd.DataFrame({"texture": ["solid", "ground_glass"], "diameter_mm": [6.0, 5.9]})
    assert [classes.NODULES[k] for k in classes.of_nodules(nodules)] == ["solid, large", "ground_glass, small"]
    with pytest.raises(DataError, match="fluffy"):
        classes.of_nodules(pd.DataFrame({"texture": ["fluffy"], "diameter_mm": [5.0]}))


def test_planted_blur_is_a_gaussian_of_each_image_own_sigma():
    images = torch.from_numpy(np.random.default_rng(0).normal(size=(3, 24, 24)))
    sigmas = torch.tensor([0.0, 0.8, 1.5], dtype=torch.float64)
    result = faults.gaussian_blur(images, sigmas).numpy()
    np.testing.assert_allclose(result[0], images[0], atol=1e-12)
    for k in (1, 2):
        expected = ndimage.gaussian_filter(images[k].numpy(), float(sigmas[k]), mode="nearest", radius=5)
        np.testing.assert_allclose(result[k], expected, atol=2e-3)


def test_planted_faults_have_the_stated_strength_and_leave_emptiness_alone():
    hu = torch.full((400, 8, 8), -500.0)
    hu[:, :4] = -1000
    changed, strength = faults.plant(hu, (0.0, 60.0, 0.0), -999.0, torch.Generator().manual_seed(1))
    assert torch.equal(changed[:, :4], hu[:, :4])
    np.testing.assert_allclose((changed - hu)[:, 4:].mean((1, 2)), 60 * strength[:, 1], atol=1e-3)
    assert 0.4 < (strength != 0).float().mean() < 0.6
    assert strength[:, 1].min() < -0.5 < 0.5 < strength[:, 1].max()


@given(st.integers(5, 30), st.integers(1, 4), st.integers(0, 100))
def test_radii_are_the_kth_smallest_distance_to_another(n, k, seed):
    points = np.random.default_rng(seed).normal(size=(n, 3))
    expected = [np.sort(np.linalg.norm(points - point, axis=1))[k] for point in points]
    np.testing.assert_allclose(neighbours.radii(points, k), expected, atol=1e-12)


def test_pixels_are_as_far_apart_as_their_root_mean_square_in_hu():
    one_hu = similarity.as_pixels(np.stack([np.zeros((8, 8)), np.ones((8, 8))]), (-1000, 400))
    assert np.linalg.norm(one_hu[0] - one_hu[1]) == pytest.approx(1)
