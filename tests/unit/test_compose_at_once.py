"""Composites of which nothing is real, composed in one go."""

import numpy as np
import pandas as pd
import pytest
from compose_cases import nodules, normals

from lungsynth.compose.at_once import compose
from lungsynth.study.errors import DataError
from lungsynth.study.stages.compose import Compose

MARKS = pd.DataFrame({"scan": "a", "nodule": [1, 2], "side": [1, 2], "u": [0.3, 0.7], "v": [0.4, 0.6]})
SETTINGS = Compose.model_validate(
    {
        "groups": {"count": 12, "size_max": 1, "n_generated": 3},
        "normals": {"n_generated": 6, "n_real": 2},
        "plan": {"keep": 40, "min_contrast_hu": 0, "max_per_group": None},
        "render": {"count": 5},
    }
)


def test_every_composite_shows_a_lesion_in_a_lung_and_is_its_normal_elsewhere():
    pool = normals(4)
    images, masks = compose(nodules([8.0, 12.0, 16.0]), pool, MARKS, SETTINGS, 10, seed=1)
    assert images.shape == masks.shape == (10, *pool.images.shape[1:])
    for image, mask in zip(images, masks, strict=True):
        apart = [(normal != image).sum() for normal in pool.images]
        normal = int(np.argmin(apart))
        assert mask.any() and (pool.masks[normal][mask > 0] > 0).all()
        assert image[mask > 0].mean() > pool.images[normal][mask > 0].mean() + 400
        assert 0 < apart[normal] < 400
    again, _ = compose(nodules([8.0, 12.0, 16.0]), pool, MARKS, SETTINGS, 10, seed=1)
    assert np.array_equal(images, again)


def test_few_normals_are_used_as_often_as_many_are():
    # 40 composites of 8 wanted normals are 5 of each.
    images, _ = compose(nodules([8.0, 12.0]), normals(1), MARKS, SETTINGS, 100, seed=1)
    assert len(images) == 5


def test_normals_without_lungs_or_nodules_too_small_are_one_line():
    bare = normals(2)
    with pytest.raises(DataError, match="both lungs"):
        compose(nodules([8.0]), type(bare)(bare.images, 0 * bare.masks, 2.0, bare.table), MARKS, SETTINGS, 5, seed=1)
    with pytest.raises(DataError, match="no nodules to compose from"):
        compose(nodules([3.0]), bare, MARKS, SETTINGS, 5, seed=1)
