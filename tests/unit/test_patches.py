"""A segmenter on nodule patches: where windows lie, what Dice is, how groups and the operating point are made."""

import numpy as np
import pandas as pd
import pytest
import torch

from lungsynth.segment.inference.grid import Grid
from lungsynth.segment.inference.slices import SliceNetwork, image_probability
from lungsynth.segment.inference.views import EightViews
from lungsynth.segment.release import operating_point
from lungsynth.segment.scoring import patches
from lungsynth.segment.scoring.patch_sheet import ends
from lungsynth.study.errors import DataError


def disc(radius, size=71):
    y, x = np.mgrid[:size, :size] - size // 2
    return (y**2 + x**2 <= radius**2).astype(np.uint8)


@pytest.fixture
def some():
    """Forty patches of discs of 2 to 8 px radius, bright in lung, and their masks."""
    masks = np.stack([disc(2 + k % 7) for k in range(40)])
    return np.where(masks, 50, -850).astype(np.int16), masks


def perfect(hu):
    return (hu > -400).astype(float)


def test_a_perfect_segmenter_has_dice_one_wherever_the_window_lies(some):
    scores = patches.scored(perfect, *some, range(40), 48, (0.5,), seed=1)
    assert scores.shape == (patches.DRAWS, 1, 40)
    assert (scores == 1).all()


def test_one_that_has_learnt_the_middle_fails(some):
    middle = np.zeros((48, 48))
    middle[20:28, 20:28] = 1
    scores = patches.scored(lambda hu: np.broadcast_to(middle, hu.shape), *some, range(40), 48, (0.5,), seed=1)
    assert scores.mean() < 0.4


def test_windows_lie_anywhere_hold_the_whole_centre_and_depend_on_row_and_draw_alone(some):
    _, first = patches.windows(*some, range(40), 48, seed=1, draw=0)
    _, other = patches.windows(*some, range(40), 48, seed=1, draw=1)
    _, fewer = patches.windows(some[0][5:], some[1][5:], range(5, 40), 48, seed=1, draw=0)
    np.testing.assert_array_equal(first[5:], fewer)
    assert not np.array_equal(first, other)
    centres = np.array([np.argwhere(mask).mean(0) for mask in first])
    assert (centres.min(0) < 17).all()
    assert (centres.max(0) > 30).all()


def test_patches_smaller_than_a_window_are_refused(some):
    with pytest.raises(DataError, match="71 px are smaller than windows of 80 px"):
        patches.windows(*some, range(40), 80, seed=1, draw=0)


def test_dice_in_closed_form():
    found, mask = np.zeros((3, 4, 4), bool), np.zeros((3, 4, 4), np.uint8)
    found[0, 0], mask[0, :2] = True, 1  # 4 of 4 found pixels in 8: 2 * 4 / 12
    mask[1, 0] = 1
    np.testing.assert_allclose(patches.dice(found, mask), [2 / 3, 0, 1])


def test_groups_count_nodules_and_patients_and_intervals_hold_the_mean():
    rows = pd.DataFrame(
        {
            "patient_id": [f"p{k // 2}" for k in range(20)],
            "n_readers_slice": [1, 2, 3, 4] * 5,
            "eq_diam_mm": [4.0, 7.0, 12.0, 5.9] * 5,
            "texture": [1.5, np.nan, 5.0, 3.0] * 5,
        }
    )
    values = np.tile([0.5, 0.7, 0.9, 0.8], 5)
    table = patches.summary(rows, np.stack([values, values, values + 0.03]), 200, 0.95, seed=0).set_index("group")
    assert table.loc["all", ["nodules", "patients"]].tolist() == [20, 10]
    assert table.loc["3 or more readers", "dice"] == pytest.approx(0.86)
    assert table.loc["below 6 mm", "nodules"] == 10
    assert table.loc["texture below 3", "nodules"] == 5  # an unknown texture belongs to neither group
    assert table.loc["texture 3 and more", "nodules"] == 10
    assert table.loc["all", "spread"] == pytest.approx(0.03)
    assert (table["low"] <= table["dice"]).all()
    assert (table["dice"] <= table["high"]).all()


def test_round_things_score_above_long_ones_of_the_same_size():
    line = np.zeros((71, 71), np.uint8)
    line[34:37, 20:50] = 1
    ball = disc(5)
    masks = np.stack([ball, line])
    first, second = patches.shape_scores(0.9 * masks, masks, np.array([0.7, 0.7]), 0.5)
    assert abs(int(ball.sum()) - int(line.sum())) < 12
    assert first > second > 0
    assert patches.shape_scores(0.2 * masks, masks, np.array([0.7, 0.7]), 0.5).tolist() == [0, 0]


def test_the_operating_point_is_the_best_threshold_and_keeps_its_share():
    masks = np.stack([disc(2 + k % 7) for k in range(40)])
    dice = np.zeros((3, len(patches.LEVELS), 40))
    dice[:, 4] = 0.8
    chosen = operating_point(dice, 0.9 * masks, masks, np.full(40, 0.7), np.arange(40) % 2 == 0, keep=0.75)
    assert chosen.point.threshold == patches.LEVELS[4]
    assert chosen.nodules == chosen.point.nodules == 20
    assert chosen.point.sensitivity >= 0.75
    with pytest.raises(DataError, match="no nodule of two readers"):
        operating_point(dice, masks, masks, np.ones(40), np.zeros(40, bool), keep=0.75)


class Sided(torch.nn.Module):
    """A network that is wrong on one side: its logit rises to the right."""

    def __init__(self):
        super().__init__()
        self.slope = torch.nn.Parameter(torch.tensor(0.02))

    def forward(self, hu):
        return hu[:, :1] / 1000 + self.slope * torch.arange(hu.shape[-1], dtype=hu.dtype)


def test_eight_views_have_no_side():
    hu = 100 * torch.randn(2, 1, 16, 24, generator=torch.Generator().manual_seed(0))
    views = EightViews(Sided())
    with torch.no_grad():
        torch.testing.assert_close(views(hu.flip(-1)), views(hu).flip(-1))
        torch.testing.assert_close(views(torch.rot90(hu, 1, (-2, -1))), torch.rot90(views(hu), 1, (-2, -1)))


def test_patches_on_the_native_grid_are_seen_as_they_are_and_others_are_resampled(some):
    network = SliceNetwork(EightViews(Sided()), Grid(0.7, (0.5, 1.0)), 1, 8)
    hu = some[0][:3]
    seen = image_probability(network, hu, np.array([0.6, 1.4, 0.9]), np.ones(hu.shape, np.uint8))
    assert seen.shape == hu.shape
    inside = some[1][:3] > 0
    assert all(p[m].mean() > p[~m].mean() for p, m in zip(seen, inside, strict=True))


def test_only_the_ends_of_the_sheet_are_asked_for():
    dice = np.linspace(1, 0, 50)
    assert sorted(ends(dice, 4)) == [0, 1, 2, 3, 46, 47, 48, 49]
    assert sorted(ends(dice[:7], 4)) == list(range(7))


def test_agreement_with_readers_is_the_dice_with_one_of_them():
    """Of two readers it is the plain Dice; who draws what all have drawn agrees with each in full."""
    one, two, found = disc(6), np.roll(disc(6), 3, axis=1), disc(5)
    votes, readers = (one + two)[None], np.array([2])
    pair = patches.dice(one[None] > 0, two[None])
    assert patches.between_readers(votes, readers) == pytest.approx(pair)
    each = [patches.dice(found[None] > 0, other[None])[0] for other in (one, two)]
    sizes = [found.sum() + other.sum() for other in (one, two)]
    assert patches.to_readers(found[None] > 0, votes, readers) == pytest.approx(np.average(each, weights=sizes))
    assert patches.to_readers(one[None] > 0, 3 * one[None], np.array([3])) == [1.0]
    assert np.isnan(patches.between_readers(one[None], np.array([1]))).all()


def test_readers_agreement_stands_beside_the_dice_of_nodules_that_two_or_more_drew(some):
    images, masks = some
    readers = np.where(np.arange(40) < 10, 1, 2)
    votes = masks * readers[:, None, None].astype(np.uint8)
    looks = []

    def perfectly(hu):
        looks.append(perfect(hu))
        return looks[-1]

    draws = patches.scored(perfectly, images, masks, range(40), 48, (0.5,), seed=1)[:, 0]
    found = patches.agreement(looks, 0.5, images, votes, readers, range(40), 48, seed=1)
    assert np.isnan(found["network_to_readers"][:10]).all() and (found["network_to_readers"][10:] == 1).all()
    rows = pd.DataFrame({"patient_id": np.arange(40) // 2, "n_readers_slice": readers, "eq_diam_mm": 5.0, "texture": 5})
    table = patches.summary(rows.assign(**found), draws, 50, 0.95, seed=1).set_index("group")
    assert table.loc["all", ["network_to_readers", "between_readers_low"]].tolist() == [1, 1]
    assert np.isnan(table.at["1 reader", "between_readers"])
    assert not set(patches.AGREEMENT) & set(patches.summary(rows, draws, 50, 0.95, seed=1))


def test_the_whole_patch_and_what_was_not_touched_stand_beside_the_dice(some):
    """A segmenter that is blind to every fourth nodule, and to every second where it sees the whole patch."""
    images, masks = some
    looks, number = [], np.arange(40)

    def blind(hu):
        looks.append(perfect(hu) * (number % 4 > 0)[:, None, None])
        return looks[-1]

    draws = patches.scored(blind, images, masks, range(40), 48, (0.5,), seed=1)[:, 0]
    whole = perfect(images) * (number % 2 > 0)[:, None, None]
    whole[:, 35, 0] = 1  # a false positive that few windows hold
    columns = patches.context(looks, whole, 0.5, images, masks, range(40), 48, seed=1)
    assert (columns["dice_whole"] < 1).all() and (columns["dice_seen_whole"] == 1).any()
    whole[:, 35, 0] = 0
    columns = patches.context(looks, whole, 0.5, images, masks, range(40), 48, seed=1)
    assert columns["untouched"].tolist() == (number % 4 == 0).astype(float).tolist()
    rows = pd.DataFrame(
        {"patient_id": number // 2, "n_readers_slice": 1 + number % 2, "eq_diam_mm": 5.0, "texture": 5, **columns}
    )
    table = patches.summary(rows, draws, 50, 0.95, seed=1).set_index("group")
    assert table.loc["all", list(patches.CONTEXT)].tolist() == [0.5, 0.5, 0.25, 0.5]
    assert table.loc["1 reader", list(patches.CONTEXT)].tolist() == [0, 0, 0.5, 1]
    assert np.isnan(table.at["10 mm and more", "dice_whole"])


def test_a_pixel_is_a_touch_and_an_empty_mask_cannot_be_missed():
    found, mask = np.zeros((3, 4, 4), bool), np.zeros((3, 4, 4), np.uint8)
    found[0, 0, 0], mask[:2, 0, :2] = True, 1
    found[1, 3, 3] = True
    assert patches.untouched(found, mask).tolist() == [False, True, False]
