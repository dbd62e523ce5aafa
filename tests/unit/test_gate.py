"""The gate's definitions, on discs whose fate is known."""

import numpy as np
import pandas as pd
import pytest
from compose_cases import disc

from lungsynth.refine.gate import judge, lung_shift, operating_point, summary
from lungsynth.study.stages.refine import Gate

SIZE, MM, RADIUS_PX = 96, 2.0, 5
CENTRE = (48.0, 48.0)
LESION = disc(SIZE, RADIUS_PX, CENTRE)


def picture(hu: float = 0, lung: int = -850) -> np.ndarray:
    return np.where(LESION, hu, lung).astype(np.int16)


def fate(after: np.ndarray, found_before: np.ndarray, found_after: np.ndarray, **changes):
    """(lesion row, image row) of one composite with one lesion."""
    arrays = [np.asarray(a)[None] for a in (picture(), after, LESION.astype(np.uint8))]
    probability = [np.where(found, 0.9, 0.1)[None] for found in (found_before, found_after)]
    lungs = np.full((1, SIZE, SIZE), 1, np.uint8)
    lesions, images = judge(*arrays, *probability, 0.5, MM, Gate(**changes), lungs)
    return lesions.iloc[0], images.iloc[0]


def test_an_untouched_lesion_is_kept():
    lesion, image = fate(picture(), LESION, LESION)
    assert lesion["contrast_before"] == lesion["contrast_after"] == 850
    assert lesion["shift_mm"] == 0 and lesion["found_after"]
    assert image["keep"] and image["lung_hu_before"] == image["lung_hu_after"] == -850


@pytest.mark.parametrize(("hu", "erased"), [(-424, False), (-426, True)])
def test_erased_is_less_than_half_of_the_contrast(hu, erased):
    lesion, image = fate(picture(hu), LESION, LESION)
    assert lesion["erased"] == erased == (not image["keep"])


def test_the_bound_is_a_setting():
    assert not fate(picture(-426), LESION, LESION, min_contrast_share=0.3)[0]["erased"]


@pytest.mark.parametrize(("columns", "moved"), [(2, False), (3, True)])
def test_moved_is_half_the_radius_or_two_mm(columns, moved):
    """The disc of radius 10 mm may move by 5 mm: 2 px are 4 mm, 3 px are 6."""
    lesion, _ = fate(picture(), LESION, np.roll(LESION, columns, axis=1))
    assert lesion["shift_mm"] == pytest.approx(columns * MM, rel=0.1) and lesion["moved"] == moved


@pytest.mark.parametrize("radius", [3.2, 5, 9, 15])
@pytest.mark.parametrize("share", [1.3, 1.8, 2.5])
def test_any_move_beyond_the_limit_is_seen(radius, share):
    """On a fine grid, so that a move is what it says; the lesion still meets its mask."""
    mm = 0.25
    where = disc(320, radius / mm, (160.0, 160.0))
    step = round(share * max(2, radius / 2) / mm)
    found = np.roll(where, step, axis=0) * 1.0
    image = np.where(where, 0, -850).astype(np.int16)[None]
    lesions, _ = judge(image, image, where.astype(np.uint8)[None], found[None], found[None], 0.5, mm, Gate())
    assert lesions["moved"][0]


def test_lost_is_found_before_and_not_after():
    none = np.zeros_like(LESION)
    lost, image = fate(picture(), LESION, none)
    assert lost["lost"] and not lost["moved"] and np.isnan(lost["shift_mm"]) and not image["keep"]
    never, image = fate(picture(), none, none)
    assert not never["lost"] and not never["found_before"] and image["keep"]


@pytest.mark.parametrize(("radius", "was_there", "invented"), [(2.0, False, 1), (0.5, False, 0), (2.0, True, 0)])
def test_invented_is_new_large_enough_and_no_lesion_laid(radius, was_there, invented):
    other = disc(SIZE, radius, (20.0, 20.0))
    before = LESION | other if was_there else LESION
    _, image = fate(np.where(other, -200, picture()), before, LESION | other)
    assert image["invented"] == invented == (not image["keep"])


def test_what_was_suspected_before_is_not_new():
    other = disc(SIZE, 3, (20.0, 20.0))
    image, mask = picture()[None], LESION.astype(np.uint8)[None]
    after = np.where(other, 0.6, 0)[None]
    made = np.where(other, -200, image[0])[None]
    for before, invented in ((0.3, 0), (0.2, 1)):
        rows = judge(image, made, mask, np.where(other, before, 0)[None], after, 0.5, MM, Gate(suspected_share=0.5))[1]
        assert rows["invented"][0] == invented


@pytest.mark.parametrize(("rise", "invented"), [(39, 0), (41, 1), (-200, 0)])
def test_what_does_not_stand_out_more_than_before_is_a_wobble_of_the_probability(rise, invented):
    other = disc(SIZE, 3, (20.0, 20.0))
    after = np.where(other, -850 + rise, picture())
    assert fate(after, LESION, LESION | other)[1]["invented"] == invented


def test_the_gate_s_threshold_finds_its_share_of_the_tune_nodules_and_says_what_it_finds_in_normals():
    best = np.arange(1, 11) / 20
    masks = np.stack([LESION.astype(np.uint8)] * 10)
    probability = np.stack([np.where(LESION, p, 0) for p in best])
    empty = np.stack([np.where(disc(SIZE, 3, (20.0, 20.0)), p, 0) for p in (0.05, 0.11, 0.3, 0.9)])
    lungs = np.ones(empty.shape, np.uint8)
    lungs[3] = 0
    point = operating_point(probability, masks, empty, lungs, MM, Gate(sensitivity=0.9))
    assert point == {"threshold": 0.1, "sensitivity": 0.9, "nodules": 10, "findings": 0.5, "normals": 4}
    given = operating_point(probability, masks, empty, lungs, MM, Gate(threshold=0.4))
    assert (given["threshold"], given["sensitivity"], given["findings"]) == (0.4, pytest.approx(0.3), 0)
    nobody = operating_point(probability[:0], masks[:0], empty[:0], lungs[:0], MM, Gate())
    assert nobody == {"threshold": 0.5, "sensitivity": None, "nodules": 0, "findings": None, "normals": 0}


def test_a_vessel_that_is_segmented_with_a_lesion_counts_before_and_after():
    vessel = np.zeros_like(LESION)
    vessel[47:49, 48:90] = True
    lesion, _ = fate(picture(), LESION, LESION | vessel)
    assert lesion["moved"] and not lesion["moved_before"]
    lesion, _ = fate(picture(), LESION | vessel, LESION | vessel)
    assert lesion["moved"] and lesion["moved_before"]


def test_what_lay_off_before_was_not_moved_by_refinement():
    off = np.roll(LESION, 3, axis=1)
    lesion, _ = fate(picture(), off, off)
    assert lesion["moved"] and lesion["moved_before"]


def test_what_is_found_outside_the_lungs_is_no_invention():
    other = disc(SIZE, 3, (20.0, 20.0))
    arrays = [a[None] for a in (picture(), np.where(other, -200, picture()), LESION.astype(np.uint8))]
    found = [np.where(f, 0.9, 0.1)[None] for f in (LESION, LESION | other)]
    lungs = np.zeros((1, SIZE, SIZE), np.uint8)
    lungs[:, 40:] = 1
    assert judge(*arrays, *found, 0.5, MM, Gate(), lungs)[1]["invented"][0] == 0
    assert judge(*arrays, *found, 0.5, MM, Gate())[1]["invented"][0] == 1


def test_a_neighbour_is_not_part_of_the_ring():
    second = disc(SIZE, 4, (48.0, 58.0)) & ~LESION
    masks = (LESION + 2 * second).astype(np.uint8)[None]
    image = np.where(LESION | second, 0, -850).astype(np.int16)[None]
    nothing = np.zeros((1, SIZE, SIZE))
    lesions, _ = judge(image, image, masks, nothing, nothing, 0.5, MM, Gate())
    assert lesions["contrast_before"].tolist() == [850, 850]


def test_a_shift_of_the_lungs_is_measured_without_the_lesions():
    after = np.where(LESION, 500, -840).astype(np.int16)
    _, image = fate(after, LESION, LESION)
    assert image["lung_hu_after"] - image["lung_hu_before"] == 10


def test_summary_counts_all_lesions_laid():
    none = np.zeros_like(LESION)
    cases = [
        (picture(), LESION, LESION),
        (picture(-600), LESION, LESION),
        (picture(), none, none),
        (picture(), LESION, none),
    ]
    stacked = [np.stack(part) for part in zip(*cases, strict=True)]
    before, masks = np.stack([picture()] * 4), np.stack([LESION.astype(np.uint8)] * 4)
    lesions, images = judge(before, stacked[0], masks, stacked[1] * 1.0, stacked[2] * 1.0, 0.5, MM, Gate())
    table = summary(lesions, images).set_index("what")
    assert table.loc["erased", ["hits", "n"]].tolist() == [1, 4]
    assert table.loc["lost", ["hits", "n"]].tolist() == [1, 4]
    assert table.loc["lost, of those found before", ["hits", "n"]].tolist() == [1, 3]
    assert table.loc["not found before", "hits"] == 1 and table.loc["kept", "hits"] == 2
    assert (table["low"] <= table["share"]).all() and (table["share"] <= table["high"]).all()


def test_the_shift_of_the_lungs_has_students_interval_and_none_for_one_image():
    before = [-850.0, -850.0, -850.0, np.nan]
    images = pd.DataFrame({"lung_hu_before": before, "lung_hu_after": [-848.0, -846.0, -844.0, np.nan]})
    found = lung_shift(images)
    assert (found["n"], found["mean"]) == (3, 4)
    assert found["high"] - found["mean"] == pytest.approx(4.3027 * 2 / 3**0.5, rel=1e-4)  # t(.975, 2), sd 2
    assert found["mean"] - found["low"] == pytest.approx(found["high"] - found["mean"])
    assert lung_shift(images[:1]) == {"n": 1, "mean": 2.0, "low": None, "high": None}
    assert lung_shift(images[3:])["mean"] is None
