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
from lungsynth.compose.render import Renderer, read_plan, render_rows, renderer_of, shard_ranks
from lungsynth.ct.lungbox import lung_boxes
from lungsynth.ct.shape import equivalent_diameter_mm
from lungsynth.sets import bank, tables
from lungsynth.sets.shard import group_id
from lungsynth.study.errors import DataError
from lungsynth.study.stages.compose import Groups, Plan, Render

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
    settings = Render(count=20, shard_size=8)
    tables.write_json(tmp_path / "render.json", settings.model_dump(mode="json"))
    return Renderer(pool, lesions, groups, settings), plan


POOLS = ("normals.npz", "nodules.npz", "groups.parquet")


def rendered(folder, number: int, settings: Render):
    """A shard as its job renders it, the renderer that it used and its rows of the plan."""
    plan = read_plan(folder / "plan.parquet", number, settings)
    renderer = renderer_of(plan, *(folder / name for name in POOLS), settings)
    return render_rows(renderer, plan.itertuples(), len(plan)), renderer, plan


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
    world(tmp_path)
    settings = Render(count=20, shard_size=8)
    composites = CompositeDataset(tmp_path)
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
        images, masks, rows = rendered(tmp_path, shard, settings)[0]
        sizes.append(len(images))
        for place, rank in rows.groupby("image")["composite"].first().items():
            assert composites[rank]["image"].tobytes() == images[place].tobytes()
            assert composites[rank]["mask"].tobytes() == masks[place].tobytes()
            ranks.append(rank)
    assert sizes == [4, 8, 8] and len(set(ranks)) == 20 and max(ranks) == 22
    with pytest.raises(ValueError, match="shard 3"):
        read_plan(tmp_path / "plan.parquet", 3, settings)
    with pytest.raises(IndexError):
        composites[24]


def test_best_takes_the_plans_head(tmp_path):
    world(tmp_path)
    settings = Render(count=10, shard_size=10, pick="best")
    assert rendered(tmp_path, 0, settings)[0][2]["composite"].unique().tolist() == list(range(10))


@settings(deadline=None)
@given(st.integers(1, 500), st.integers(1, 300), st.integers(1, 60), st.sampled_from(["best", "spread"]))
def test_shards_share_out_the_ranks_in_order(n_plan, count, shard_size, pick):
    chosen = Render(count=count, shard_size=shard_size, pick=pick)
    shards = -(-min(count, n_plan) // shard_size)
    ranks = np.concatenate([shard_ranks(n_plan, shard, chosen) for shard in range(shards)])
    assert len(ranks) == min(count, n_plan) and (np.diff(ranks) > 0).all() and ranks[-1] < n_plan
    if pick == "best":
        assert ranks[-1] == len(ranks) - 1


def test_a_shard_s_job_holds_what_its_rows_need_and_gives_the_bytes_of_the_whole(tmp_path):
    whole, plan = world(tmp_path)
    made, renderer, rows = rendered(tmp_path, 1, Render(count=24, shard_size=3, pick="best"))
    assert rows["rank"].tolist() == [3, 4, 5]
    assert set(renderer.rows) == set(rows["group"]) and len(renderer.rows) < len(whole.rows)
    used = set().union(*(whole.rows[group]["nodule"] for group in rows["group"]))
    assert len(renderer.normals) == rows["normal"].nunique() and len(renderer.patches) == len(used)
    complete = render_rows(whole, plan.iloc[3:6].itertuples(), 3)
    assert [part.tobytes() for part in made[:2]] == [part.tobytes() for part in complete[:2]]
    assert made[2].equals(complete[2])


def test_a_slice_of_the_data_set_is_that_part_of_it(tmp_path):
    world(tmp_path)
    composites, part = CompositeDataset(tmp_path), CompositeDataset(tmp_path, ranks=[20, 2])
    assert [one["rank"] for one in (part[0], part[1])] == [2, 20] and len(part) == 2
    assert part[1]["image"].tobytes() == composites[20]["image"].tobytes()
    assert part.lesions(-1) == composites.lesions(20)


def manifest_row(composites, rank: int) -> dict:
    """What the release's manifest says of a composite."""
    row = composites[rank]
    normal = composites.renderer.normals.table["id"][row["normal"]]
    return {"normal": normal, "group": group_id(row["group"]), "seed": row["seed"]}


def test_the_seed_of_a_composite_is_the_plans_to_the_last_digit(tmp_path):
    _, plan = world(tmp_path)
    composites = CompositeDataset(tmp_path)
    assert [composites[rank]["seed"] for rank in range(len(plan))] == plan["seed"].tolist()


def test_a_row_of_the_manifest_names_its_composite_and_a_row_of_another_study_is_refused(tmp_path):
    world(tmp_path)
    composites = CompositeDataset(tmp_path)
    assert [composites.index(manifest_row(composites, rank)) for rank in (0, 7, 23)] == [0, 7, 23]
    for wrong in ({"seed": 12}, {"normal": "slice9"}, {"group": "group-99999"}):
        with pytest.raises(DataError, match="the row is of another study"):
            composites.index(manifest_row(composites, 7) | wrong)


def test_how_composites_are_blended_is_read_from_their_folder(tmp_path):
    world(tmp_path)
    plain = CompositeDataset(tmp_path)[0]["image"]
    soft = Render(feather_mm=3, texture=0)
    tables.write_json(tmp_path / "render.json", soft.model_dump(mode="json"))
    assert CompositeDataset(tmp_path)[0]["image"].tobytes() == CompositeDataset(tmp_path, soft)[0]["image"].tobytes()
    assert CompositeDataset(tmp_path)[0]["image"].tobytes() != plain.tobytes()
    (tmp_path / "render.json").unlink()
    with pytest.raises(DataError, match=r"render\.json"):
        CompositeDataset(tmp_path)


def test_boxes_are_inclusive_pixels():
    made, _ = lay(12)
    [row] = made.lesions
    box = np.zeros(made.mask.shape, bool)
    box[row["row_min"] : row["row_max"] + 1, row["column_min"] : row["column_max"] + 1] = True
    assert (box[made.mask > 0]).all() and made.mask[row["row_min"]].any() and made.mask[:, row["column_max"]].any()
