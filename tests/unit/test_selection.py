"""Selection keeps the likest valid images that are no copies, in the real proportion of sizes, and counts the rest."""

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import wasserstein_distance

from lungsynth.features.similarity import copies_of, cosine_to_nearest, nearest_distance
from lungsynth.generate.selection import select
from lungsynth.sets.bank import ImageSet
from lungsynth.study.errors import TrainingError
from lungsynth.study.stages.generate import Selection

WINDOW = (-1000, 400)
PX = 32


def disc(diameter_mm, shift=0):
    y, x = np.mgrid[:PX, :PX] - (PX - 1) / 2
    return np.hypot(y, x - shift) * 1.25 <= diameter_mm / 2


def nodules(diameters, seed=0, shift=0, sd=80):
    rng = np.random.default_rng(seed)
    masks = np.stack([disc(d, shift) for d in diameters]).astype(np.uint8)
    hu = np.where(masks > 0, rng.normal(-100, sd, masks.shape), -1000).astype(np.int16)
    return ImageSet(hu, masks, 1.25, pd.DataFrame({"id": [str(k) for k in range(len(masks))]}))


def slices(areas_px, both=True, seed=3, sd=20):
    masks = np.zeros((len(areas_px), 64, 64), np.uint8)
    for mask, area in zip(masks, areas_px, strict=True):
        mask[:area, 5:25] = 1
        mask[:area, 35:55] = 2 if both else 1
    hu = np.where(masks > 0, -850, 40) + np.random.default_rng(seed).normal(0, sd, masks.shape)
    return ImageSet(hu.astype(np.int16), masks, 2.0, pd.DataFrame({"id": range(len(masks))}))


def features(n, seed, far=1):
    return np.random.default_rng(seed).normal(size=(n, 8)) * far


def choose(generated, real, keep=20, what="nodules", made=None, there=None, **settings):
    made = features(len(generated), 1) if made is None else made
    there = features(len(real), 2) if there is None else there
    draw = np.random.default_rng(5)
    return select(generated, made, real, there, Selection(keep=keep, **settings), WINDOW, what, draw)


def test_distances_agree_with_scipy():
    a, b = np.random.default_rng(0).normal(size=(700, 9)), np.random.default_rng(1).normal(size=(40, 9))
    assert np.allclose(nearest_distance(a, b), cdist(a, b).min(1))
    own = cdist(a, a)
    np.fill_diagonal(own, np.inf)
    assert np.allclose(nearest_distance(a, a, same=True), own.min(1))


def test_likeness_is_the_cosine_to_the_nearest():
    assert np.allclose(cosine_to_nearest(np.array([[2.0, 0], [1, 1]]), np.array([[0, 5.0], [3, 0]])), [1, np.sqrt(0.5)])


def test_the_floor_is_a_quantile_of_real_to_real_distances():
    real = np.array([[0.0], [1], [3], [6], [10]])  # nearest neighbours at 1 1 2 3 4
    assert copies_of(np.array([[0.5], [4.5], [13.0]]), real, 0.5).tolist() == [True, True, False]
    assert copies_of(real, real, 0.01).all()


def test_the_draw_is_even_among_what_passes_and_least_likeness_is_set_by_other_patients():
    real, generated = slices([*range(20, 40)] * 3), slices([30] * 40, seed=4, sd=60)
    rows = np.arange(60) % 20 * 1.0
    there = np.stack([np.cos(rows), np.sin(rows)], 1)
    angles = np.linspace(0, 40, 40)
    made = np.stack([np.cos(angles), np.sin(angles), np.where(np.arange(40) < 10, 9.0, 0)], 1)
    there = np.pad(there, ((0, 0), (0, 1)))
    others = there + np.array([0, 0, 0.5])
    settings = Selection(keep=15, min_distance_quantile=0, size_quantiles=(0, 1), min_likeness_quantile=0.05)
    draws = [
        select(generated, made, real, there, settings, WINDOW, "normals", np.random.default_rng(k), real, others)
        for k in (1, 1, 2)
    ]
    assert draws[0].counts["less alike than other patients' images"] == 10
    assert np.array_equal(draws[0].rows, draws[1].rows) and not np.array_equal(draws[0].rows, draws[2].rows)
    kept = np.concatenate([one.rows for one in draws])
    assert kept.min() >= 10
    assert draws[0].similarity[draws[0].rows].mean() < np.sort(draws[0].similarity[10:])[-15:].mean() + 1e-12


def test_copies_in_features_and_in_pixels_are_refused_and_counted():
    real, generated = nodules(np.full(40, 15)), nodules(np.full(40, 15), seed=1, sd=160)
    generated.images[20] = real.images[20]
    made = features(40, 1, far=20)
    made[7] = features(40, 2)[9]
    found = choose(generated, real, 40, made=made, there=features(40, 2), min_distance_quantile=0.0)
    assert not {20, 7} & set(found.rows.tolist())
    assert found.counts["copy in pixels"] == 1 and found.counts["copy in features"] == 1
    assert found.similarity[7] == pytest.approx(1)


def test_invalid_nodules_are_dropped_first_and_counted_by_reason():
    real = nodules(np.linspace(5, 20, 60))
    generated = nodules([0, 8, 30, 9, 10], seed=1)
    generated.masks[1] = disc(8, shift=15)
    counts = choose(generated, real).counts
    assert counts == {
        "candidates": 5,
        "kept": 2,
        "wanted": 20,
        "diameter unlike real ones": 1,
        "empty mask": 1,
        "touches the border": 1,
    }


def test_kept_diameters_follow_the_real_ones():
    rng = np.random.default_rng(5)
    real = nodules(np.clip(rng.lognormal(2.1, 0.4, 200), 4, 25))
    wide = nodules(rng.uniform(4, 25, 800), seed=6)
    d = [2 * np.sqrt(np.count_nonzero(one.masks, axis=(1, 2)) / np.pi) * 1.25 for one in (wide, real)]
    # Likeness favours large nodules here: without classes of diameter only those would be kept.
    made = np.column_stack([d[0], np.ones(800)])
    there = np.tile([[1e3, 1.0]], (200, 1)) + np.arange(200)[:, None] * [0, 1e-3]
    apart = {}
    for match in (True, False):
        rows = choose(wide, real, 100, made=made, there=there, match_sizes=match).rows
        apart[match] = wasserstein_distance(d[0][rows], d[1])
        assert len(rows) == 100
    assert apart[True] < 1 < 3 < apart[False]


def test_a_class_without_candidates_is_filled_from_its_neighbours_and_said():
    real = nodules(np.linspace(5, 20, 100))
    found = choose(nodules(np.linspace(5, 12, 60), seed=1), real, 40)
    assert found.counts["kept"] == 40 and found.moved > 0
    assert found.summary()["moved"] == found.moved


def test_slices_need_two_lungs_of_a_real_area():
    real = slices([*range(20, 40), *range(20, 40)])
    generated = slices([30, 31, 60, 5], seed=4, sd=60)
    generated.masks[1] = slices([31], both=False).masks[0]
    found = choose(generated, real, 10, "normals")
    assert found.rows.tolist() == [0]
    assert found.counts["not two lungs"] == 1 and found.counts["lung area unlike real ones"] == 2


def test_the_likest_slices_are_kept_where_the_study_prefers_them():
    real, generated = slices([*range(20, 40)] * 2), slices(range(20, 38), seed=4, sd=60)
    quantiles = {"min_distance_quantile": 0.0, "size_quantiles": (0, 1), "prefer": "likeness"}
    found = choose(generated, real, 5, "normals", made=features(18, 1, far=20), **quantiles)
    left = np.setdiff1d(np.arange(18), found.rows)
    assert found.counts == {"candidates": 18, "kept": 5, "wanted": 5}
    assert found.similarity[left].max() <= found.similarity[found.rows].min()


def test_nothing_of_use_is_an_error_with_the_reasons():
    with pytest.raises(TrainingError, match=r"none of 3 generated nodules.*3 empty mask"):
        choose(nodules([0, 0, 0]), nodules(np.linspace(5, 20, 40)))
