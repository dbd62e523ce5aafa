"""Rendering: true size, true place, nothing else changed, and any item on its own."""

import numpy as np
import pytest
from compose_cases import BANK_MM, IMAGE_MM, members, nodules, normals
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from lungsynth.compose.clearance import score_all
from lungsynth.compose.dataset import CompositeDataset
from lungsynth.compose.groups import box_mm, draw_groups
from lungsynth.compose.patches import Patches
from lungsynth.compose.plan import make_plan
from lungsynth.compose.presence import PresenceMap
from lungsynth.compose.render import Renderer, render_shard
from lungsynth.ct.lungbox import lung_boxes
from lungsynth.ct.shape import equivalent_diameter_mm
from lungsynth.sets import bank, tables
from lungsynth.study.stages import Groups, Plan, Render

UNIFORM = PresenceMap(np.full((2, 8, 8), 1 / 128))


def lay(diameter: float, u: float = 0.5, v: float = 0.5, hu: int = 20, turn: int = 0, **changes):
    """One nodule in the right lung of one normal: (composite, normal)."""
    pool, one = normals(1), nodules([diameter], hu)
    table = members([(0, 0, 1, u, v, diameter / 2, diameter / 2)]).assign(turn=turn)
    return Renderer(pool, one, table, Render(**changes)).render(0, 0), pool


@settings(max_examples=30, deadline=None)
@given(st.floats(7, 24), st.floats(0.35, 0.65), st.floats(0.3, 0.7), st.integers(0, 7))
def test_a_nodule_has_its_true_size_and_lies_where_it_should(diameter, u, v, turn):
    made, pool = lay(diameter, u, v, turn=turn)
    [row] = made.lesions
    true = equivalent_diameter_mm(nodules([diameter]).masks[0], BANK_MM)
    assert row["diameter_mm"] == pytest.approx(true, abs=IMAGE_MM / 4)
    wanted = lung_boxes(pool.masks[0])[1].to_px(u, v)
    # A mask with an odd pixel is off balance by a fraction of one.
    assert np.abs(np.subtract((row["row"], row["column"]), wanted)).max() <= 0.5 + 0.2


@settings(max_examples=20, deadline=None)
@given(st.floats(7, 24), st.sampled_from([0, 1.0, 2.0]), st.floats(0, 1))
def test_where_no_lesion_reaches_the_bytes_are_the_normals(diameter, feather, texture):
    made, pool = lay(diameter, feather_mm=feather, texture=texture)
    changed = made.image != pool.images[0]
    rows, columns = np.indices(changed.shape)
    [row] = made.lesions
    distance = np.hypot(rows - row["row"], columns - row["column"]) * IMAGE_MM
    assert not changed[distance > diameter / 2 + feather + 2 * IMAGE_MM].any()
    assert changed[made.mask > 0].mean() > 0.9


def test_mean_density_is_the_nodules():
    for hu, texture in ((20, "solid"), (-600, "ground_glass"), (-400, "part_solid")):
        made, _ = lay(16, hu=hu)
        assert made.lesions[0]["mean_hu"] == pytest.approx(hu, abs=60)  # the rim is partial volume
        assert made.lesions[0]["texture"] == texture


def test_texture_of_the_background_is_kept_on_demand():
    plain, pool = lay(20, texture=0)
    textured, _ = lay(20, texture=1)
    inside = ndimage.binary_erosion(plain.mask > 0, iterations=2)
    background = pool.images[0][inside].astype(float)
    assert plain.image[inside].std() < 5 < 15 < textured.image[inside].std()
    assert np.corrcoef(background, textured.image[inside])[0, 1] > 0.8


def test_vessels_show_through_ground_glass():
    pool = normals(1)
    pool.images[0, 60:64, 30:36] = 40
    table = members([(0, 0, 1, 0.5, 0.5, 9, 9)])
    image = Renderer(pool, nodules([18], -600), table, Render()).render(0, 0).image
    assert (image[60:64, 30:36] == 40).all()
    assert image[66, 33] == pytest.approx(-600, abs=80)


def test_a_lesion_never_darkens():
    made, pool = lay(16, hu=-950)
    assert (made.image >= pool.images[0]).all()


def test_no_dark_rim_where_the_margin_is_missing():
    one = nodules([12])
    one.images[one.masks == 0] = -1000
    renderer = Renderer(normals(1), one, members([(0, 0, 1, 0.5, 0.5, 6, 6)]), Render(feather_mm=2))
    made = renderer.render(0, 0)
    assert (made.image >= renderer.normals.images[0]).all()
    assert made.lesions[0]["mean_hu"] == pytest.approx(-90, abs=100)


def test_patches_turn_and_mirror_without_changing_size():
    patches = Patches(nodules([9, 15]), IMAGE_MM, 1)
    for turn in range(8):
        mask, alpha, weighted = patches.turned(1, turn)
        assert mask.sum() == patches.masks[1].sum() and alpha.shape == weighted.shape == mask.shape
    assert (patches.diameter_mm >= 2 * patches.reach_mm * 0.7).all()


def world(tmp_path, seed: int = 3, keep: int = 24):
    """A small folder as the rules write it, and its renderer."""
    pool, lesions = normals(3, seed), nodules([7, 9, 12, 18])
    chosen = Groups(count=30, size_max=3, size_mean=2)
    groups = draw_groups(Patches(lesions, IMAGE_MM, 0), UNIFORM, box_mm(pool), chosen, seed)
    plan, _ = make_plan(score_all(pool, groups, Plan(), 2), Plan(keep=keep, max_per_normal=None, max_per_group=None), 1)
    bank.write(tmp_path / "normals.npz", pool)
    bank.write(tmp_path / "nodules.npz", lesions)
    tables.write_parquet(tmp_path / "groups.parquet", groups)
    tables.write_parquet(tmp_path / "plan.parquet", plan)
    return Renderer(pool, lesions, groups, Render(count=20, shard_size=8)), plan


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 10**6))
def test_all_kept_lesions_lie_in_the_lungs_and_apart(tmp_path_factory, seed):
    renderer, plan = world(tmp_path_factory.mktemp("world"), seed)
    assert (plan["clearance_mm"] >= 0).all()
    for row in plan.itertuples():
        made = renderer.render(row.normal, row.group)
        assert (renderer.normals.masks[row.normal][made.mask > 0] > 0).all()
        assert sorted(np.unique(made.mask)) == list(range(len(made.lesions) + 1))
        for lesion in made.lesions:
            # No mask was cut by another: each has the size of its source.
            index = renderer.patches.ids.tolist().index(lesion["source_nodule"])
            assert lesion["diameter_mm"] == pytest.approx(renderer.patches.diameter_mm[index])


def test_shards_cover_the_count_and_equal_the_data_set_in_any_order(tmp_path):
    renderer, plan = world(tmp_path)
    composites = CompositeDataset(tmp_path, Render(count=20, shard_size=8))
    assert len(composites) == 24 and list(composites[0]) == [
        "image",
        "mask",
        "normal",
        "group",
        "clearance_mm",
        "rank",
        "seed",
    ]
    sizes, ranks = [], []
    for shard in (2, 0, 1):
        images, masks, rows = render_shard(renderer, plan, shard)
        sizes.append(len(images))
        for place, rank in rows.groupby("image")["composite"].first().items():
            assert composites[rank]["image"].tobytes() == images[place].tobytes()
            assert composites[rank]["mask"].tobytes() == masks[place].tobytes()
            ranks.append(rank)
    assert sizes == [4, 8, 8] and len(set(ranks)) == 20 and max(ranks) == 22
    with pytest.raises(ValueError, match="shard 3"):
        render_shard(renderer, plan, 3)
    with pytest.raises(IndexError):
        composites[24]


def test_best_takes_the_plans_head(tmp_path):
    renderer, plan = world(tmp_path)
    renderer.settings = Render(count=10, shard_size=10, pick="best")
    assert render_shard(renderer, plan, 0)[2]["composite"].unique().tolist() == list(range(10))


def test_boxes_are_inclusive_pixels():
    made, _ = lay(12)
    [row] = made.lesions
    box = np.zeros(made.mask.shape, bool)
    box[row["row_min"] : row["row_max"] + 1, row["column_min"] : row["column_max"] + 1] = True
    assert (box[made.mask > 0]).all() and made.mask[row["row_min"]].any() and made.mask[:, row["column_max"]].any()
