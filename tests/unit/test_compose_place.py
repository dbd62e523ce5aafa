"""Presence, groups and clearance: where members may lie."""

import numpy as np
import pandas as pd
import pytest
from compose_cases import BANK_MM, IMAGE_MM, lungs, members, nodules, normals
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from lungsynth.compose.clearance import Members, score_all, score_normal
from lungsynth.compose.groups import apart_mm, box_mm, draw_groups, draw_pool, placeable, size_probabilities
from lungsynth.compose.patches import Patches
from lungsynth.compose.presence import presence_map
from lungsynth.ct.lungbox import lung_boxes
from lungsynth.study.errors import DataError
from lungsynth.study.stages.compose import Groups, Plan, Presence


def score(labels: np.ndarray, mm: float, counted: Members, how: str) -> tuple[np.ndarray, np.ndarray]:
    """Scores on lungs of air in tissue."""
    return score_normal(np.where(labels > 0, -850, 50), labels, mm, counted, Plan(score=how))


ROWS = pd.DataFrame({"scan": "a", "nodule": [1, 1, 2], "side": [1, 1, 2], "u": [0.2, 0.2, 0.8], "v": [0.3, 0.3, 0.6]})


def test_presence_is_a_probability_and_a_nodule_weighs_the_same_in_few_slices_or_many():
    presence = presence_map(ROWS, Presence(uniform=0))
    assert presence.probability.sum() == pytest.approx(1)
    assert presence.probability.sum((1, 2)) == pytest.approx([0.5, 0.5])
    _, row, column = np.unravel_index(presence.probability.argmax(), presence.probability.shape)
    assert (row, column) in {(int(0.3 * 32), int(0.2 * 32)), (int(0.6 * 32), int(0.8 * 32))}


def test_uniform_share_reaches_every_place():
    presence = presence_map(ROWS, Presence(uniform=0.1))
    assert presence.probability.min() >= 0.1 / (2 * 32 * 32) * 0.999


def test_drawn_places_follow_the_map():
    presence = presence_map(ROWS, Presence(uniform=0, sigma=0.02))
    side, u, v = presence.draw(2000, np.random.default_rng(0))
    assert (side == 1).mean() == pytest.approx(0.5, abs=0.05)
    assert (np.median(u[side == 1]), np.median(v[side == 1])) == pytest.approx((0.2, 0.3), abs=0.03)
    assert u.min() >= 0 and u.max() <= 1


def test_no_nodule_in_a_lung_is_an_error():
    with pytest.raises(DataError, match="presence map"):
        presence_map(ROWS.assign(side=0), Presence())


def test_group_sizes_are_a_poisson_law_cut_to_its_range():
    p = size_probabilities(2, 5)
    assert p.sum() == pytest.approx(1)
    assert p[1] / p[0] == pytest.approx(2 / 2) and p[4] / p[3] == pytest.approx(2 / 5)


def groups_of(seed: int, count: int = 60, **changes) -> tuple[pd.DataFrame, Patches, dict]:
    pool = Patches(nodules([7, 10, 16]), IMAGE_MM, 1)
    chosen = Groups(count=count, **{"size_max": 4, "size_mean": 3, **changes})
    boxes = box_mm(normals())
    return draw_groups(pool, presence_map(ROWS, Presence(uniform=0.5)), boxes, chosen, seed), pool, boxes


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10**6))
def test_members_of_a_group_keep_apart(seed):
    table, _, boxes = groups_of(seed)
    assert table["group"].nunique() == 60 and table.groupby("group").size().between(1, 4).all()
    pairs = table.merge(table, on=["group", "side"])
    pairs = pairs[pairs["member_x"] < pairs["member_y"]]
    height, width = np.array([boxes[side] for side in pairs["side"]]).T
    distance = np.hypot((pairs["v_x"] - pairs["v_y"]) * height, (pairs["u_x"] - pairs["u_y"]) * width)
    least = apart_mm(pairs["radius_mm_x"], pairs["radius_mm_y"], pairs["reach_mm_x"], pairs["reach_mm_y"], 2)
    assert (distance >= least - 1e-9).all()
    assert (least >= pairs["radius_mm_x"] + pairs["radius_mm_y"] + 2).all()


def test_groups_are_a_function_of_the_seed():
    assert groups_of(5)[0].equals(groups_of(5)[0])
    assert not groups_of(5)[0].equals(groups_of(6)[0])


def test_nodules_without_room_are_an_error_and_not_an_endless_search():
    with pytest.raises(DataError, match="no room"):
        groups_of(1, count=5, gap_mm=500, size_mean=50)


def test_pool_takes_what_there_is_and_says_what_it_wanted():
    real, made = nodules([8, 9, 10]), nodules([8, 9])
    pool = draw_pool(real, made, 5, 1, 0, "nodules")
    assert pool.got == {"real": 3, "generated": 1}
    assert len(pool.images) == 4
    with pytest.raises(DataError, match="no nodules"):
        draw_pool(real.take([]), made, 5, 0, 0, "nodules")


def test_the_generated_images_most_like_real_ones_are_taken_in_the_order_of_their_set():
    made, none = nodules([7, 8, 9, 10]), nodules([7]).take([])
    made.table["similarity"] = [0.2, 0.9, 0.5, 0.9]
    taken = [draw_pool(none, made, 0, n, 0, "nodules").images.table["diameter_mm"].tolist() for n in (1, 3, 9)]
    assert taken == [[8], [8, 9, 10], [7, 8, 9, 10]]
    first = draw_pool(none, nodules([7, 8, 9]), 0, 2, 0, "nodules").images
    assert first.table["diameter_mm"].tolist() == [7, 8]


@pytest.mark.parametrize("kind", ["uint16", "int32", "int64"])
def test_groups_out_of_order_are_refused_whatever_their_type(kind):
    table = members([(0, 0, 1, 0.5, 0.5, 5, 5), (2, 0, 1, 0.5, 0.5, 5, 5), (1, 0, 1, 0.5, 0.5, 5, 5)])
    with pytest.raises(ValueError, match="in the order of their groups"):
        Members(table.astype({"group": kind}), 2)


def test_more_groups_than_16_bits_count_keep_their_numbers(monkeypatch):
    member = {"nodule": 1, "turn": 0, "side": 1, "u": 0.5, "v": 0.5, "radius_mm": 5, "reach_mm": 5, "mean_hu": 20}
    monkeypatch.setattr("lungsynth.compose.groups._draw_group", lambda *_: [member])
    table, _, _ = groups_of(1, count=2**16 + 3)
    assert table["group"].tolist() == list(range(2**16 + 3))


@pytest.mark.parametrize("key", ["count", "size_max"])
def test_more_than_the_tables_and_masks_can_number_is_one_line(key):
    with pytest.raises(ValidationError, match="less than or equal to"):
        Groups(**{key: 10**10})


@pytest.mark.parametrize("mean, most", [(3, 255), (1000, 255), (1e-3, 5)])
def test_group_sizes_have_a_law_at_any_mean_and_bound(mean, most):
    p = size_probabilities(mean, most)
    assert p.sum() == pytest.approx(1) and np.isfinite(p).all()
    assert p[1] / p[0] == pytest.approx(mean / 2)


def test_nodules_under_the_least_size_are_not_placeable():
    kept = placeable(nodules([4, 5, 7, 9]), IMAGE_MM, 3)
    assert kept.table["diameter_mm"].tolist() == [7, 9]


@settings(max_examples=40, deadline=None)
@given(
    st.floats(0.02, 0.98), st.floats(0.02, 0.98), st.sampled_from([1, 2]), st.floats(2, 12), st.sampled_from([1.0, 2.0])
)
def test_clearance_of_a_disc_in_a_rectangle(u, v, side, radius, mm):
    labels = lungs()
    table = members([(0, 0, side, u, v, radius, radius)])
    _, clearance = score(labels, mm, Members(table, 2), "min_clearance")
    box = lung_boxes(labels)[side]
    row, column = np.rint(box.to_px(u, v))
    to_edge = min(
        row - box.row + 1, box.row + box.height - row, column - box.column + 1, box.column + box.width - column
    )
    assert clearance[0] == pytest.approx(to_edge * mm - radius, abs=1e-4)


def test_a_lung_that_is_missing_and_a_lesion_that_reaches_out_may_not_be_kept():
    labels = lungs()
    table = members([(0, 0, 2, 0.5, 0.5, 5, 5), (1, 0, 1, 0.02, 0.5, 5, 5), (2, 0, 1, 0.5, 0.5, 5, 200)])
    scored, clearance = score(np.where(labels == 2, 0, labels), 2, Members(table, 2), "mean_center")
    assert np.isneginf(scored).all()
    assert clearance[0] == -5 and clearance[1] < 0 < clearance[2]


def test_a_lesion_that_would_not_stand_out_may_not_be_kept():
    labels = lungs()
    image = np.where(labels > 0, -850, 50)
    image[labels == 2] = -300
    table = members([(0, 0, 1, 0.5, 0.5, 5, 5), (1, 0, 2, 0.5, 0.5, 5, 5), (2, 0, 2, 0.5, 0.5, 5, 5)])
    table["mean_hu"] = [-600, -600, 20]
    found, _ = score_normal(image, labels, 2, Members(table, 2), Plan(min_contrast_hu=80))
    assert np.isfinite(found).tolist() == [True, False, True]


def test_members_that_come_too_near_in_a_small_lung_lose():
    table = members(
        [(0, 0, 1, 0.4, 0.5, 5, 5), (0, 0, 1, 0.6, 0.5, 5, 5), (1, 0, 1, 0.4, 0.5, 5, 5), (1, 0, 2, 0.4, 0.5, 5, 5)]
    )
    wide, _ = score(lungs(width=48), 2, Members(table, 2), "min_clearance")
    small, _ = score(lungs(width=24), 2, Members(table, 2), "min_clearance")
    assert np.isfinite(wide).all()
    assert np.isneginf(small[0]) and np.isfinite(small[1])


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("min_clearance", 46 - 14),
        ("mean_clearance", (48 - 4 + 46 - 14) / 2),
        ("min_center", 46),
        ("mean_center", 47),
    ],
)
def test_the_four_scores(how, expected):
    labels = np.zeros((60, 60), np.uint8)
    labels[5:52, 5:52] = 1
    middle = 0.5
    table = members([(0, 0, 1, middle, middle, 4, 4), (0, 1, 1, middle, middle, 14, 14)])
    table["group"] = [0, 0]
    counted = Members(table, 2)
    counted.apart_mm[:] = 0  # both lie in the middle here, one pixel apart below
    counted.u = np.array([0.5, 0.5 + 1 / 47])
    scored, _ = score(labels, 2, counted, how)
    assert scored[0] == pytest.approx(expected)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6))
def test_scores_equal_a_slow_second_way(seed):
    table, _, _ = groups_of(seed, count=20)
    pool = normals(3, seed)
    scores = score_all(pool, table, Plan(), 2)
    for i, labels in enumerate(pool.masks):
        for j, group in table.groupby("group"):
            assert scores.clearance_mm[i, j] == pytest.approx(_slow_clearance(labels, group), abs=1e-3)


def _slow_clearance(labels: np.ndarray, group: pd.DataFrame) -> float:
    least = np.inf
    for member in group.itertuples():
        box = lung_boxes(labels)[member.side]
        row, column = np.rint(box.to_px(float(member.u), float(member.v)))
        rows, columns = np.nonzero(labels != member.side)
        depth = np.hypot(rows - row, columns - column).min() * IMAGE_MM
        least = min(least, depth - member.radius_mm)
    return least


def test_bank_and_image_grids_differ_in_these_tests():
    assert BANK_MM != IMAGE_MM
