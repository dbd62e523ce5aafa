"""Cutting: true size and HU, what is left out, which slices are normal; purity."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from compose_cases import disc

from lungsynth.banks.cut import cut_nodules, lesion_slices, normal_slices, unmasked_places
from lungsynth.banks.purity import purity
from lungsynth.ct.lungbox import lung_boxes, nearest_side
from lungsynth.ct.volume import Volume
from lungsynth.sets import boxes
from lungsynth.sets.proportions import wilson
from lungsynth.sets.scans import Prepared
from lungsynth.study.stages.banks import Banks
from lungsynth.study.stages.cohort import Image

MM = 1.0
SIZE = 256


def scan(nodules: dict[int, tuple[int, float, tuple[float, float], int]], slices: int = 40) -> Prepared:
    """Two lungs of -850 HU in tissue; nodules {label: (slice, radius_mm, (row, column), HU)} of three slices."""
    lungs = np.zeros((slices, SIZE, SIZE), np.uint8)
    lungs[4:36, 60:200, 20:110] = 1
    lungs[4:36, 60:200, 146:236] = 2
    hu = np.where(lungs > 0, -850, 40).astype(np.int16)
    labels = np.zeros(hu.shape, np.uint8)
    for label, (k, radius, centre, value) in nodules.items():
        where = disc(SIZE, radius, centre)
        hu[k - 1 : k + 2, where], labels[k - 1 : k + 2, where] = value, label
    return Prepared("scan", "patient", "fit", "volume", Volume(hu, (2.5, MM, MM)), lungs, labels)


def test_a_cut_has_the_nodules_size_its_hu_and_nothing_else():
    made = cut_nodules(scan({1: (20, 8.0, (120, 60), 30)}), Banks()).images
    assert len(made) == 3 and made.images.dtype == np.int16
    for image, mask, row in zip(made.images, made.masks, made.table.itertuples(), strict=True):
        assert row.diameter_mm == pytest.approx(16, abs=1.25)
        assert set(np.unique(image[disc(32, 8 / 1.25 - 1.5)])) == {30}
        assert (image[~disc(32, (8 + 2) / 1.25 + 1.5)] == -1000).all()
        assert row.mean_hu == pytest.approx(image[mask > 0].mean()) and row.texture == "solid"


def test_only_the_margin_shows_the_surroundings():
    made = cut_nodules(scan({1: (20, 8.0, (120, 60), 30)}), Banks(margin_mm=0)).images
    assert ((made.images == -1000) == (made.masks == 0)).all()


def test_place_in_the_lungs_box_and_in_the_patient():
    made = cut_nodules(scan({1: (20, 6.0, (130, 65), 30)}), Banks()).images.table.iloc[1]
    assert (made.side, made.slice, made.row, made.column) == (1, 20, 130, 65)
    assert made.u == pytest.approx((65 - 20 + 0.5) / 90) and made.v == pytest.approx((130 - 60 + 0.5) / 140)
    assert (made.x_mm, made.y_mm, made.z_mm) == (65, 130, 50)


def test_narrow_cuts_and_masses_are_left_out_and_counted():
    made = cut_nodules(scan({1: (12, 1.5, (120, 60), 30), 2: (24, 22.0, (120, 190), 30)}), Banks())
    assert (len(made.images), made.too_small, made.too_large) == (0, 3, 3)


def test_normal_slices_keep_their_distance_to_marks_and_have_enough_lung():
    made = normal_slices(scan({1: (20, 6.0, (130, 65), 30)}), Banks(normal_gap_mm=10), Image())
    # The nodule is in slices 19..21, 2.5 mm apart: slices up to 15 and from 25 are 10 mm away.
    assert made.table["slice"].tolist() == [*range(4, 16), *range(25, 36)]
    assert made.images.shape[1:] == (160, 160) and set(np.unique(made.masks)) == {0, 1, 2}
    assert made.table["z_fraction"].iloc[[0, -1]].tolist() == [0, 1]
    area = np.count_nonzero(made.masks[0]) * 4
    assert area == pytest.approx(made.table["lung_area_mm2"].iloc[0], rel=0.03)


def boxed(one: Prepared) -> Prepared:
    """The scan with a mark of 20 mm that has no mask, in the right lung at slice 20."""
    mark = {"scan": "scan", "mark": 2, "x_mm": 65.0, "y_mm": 130.0, "z_mm": 50.0, "diameter_mm": 20.0}
    return replace(one, unmasked=pd.DataFrame([mark]))


def test_a_mark_without_a_mask_is_a_ball_that_normals_keep_away_from():
    one = boxed(scan({}))
    assert one.marked().sum() * 2.5 == pytest.approx(np.pi / 6 * 20**3, rel=0.05)
    made = normal_slices(one, Banks(normal_gap_mm=10), Image())
    # The ball reaches from slice 16 to 24.
    assert made.table["slice"].tolist() == [*range(4, 13), *range(28, 36)]


def test_normals_keep_away_from_boxes_and_not_from_a_ball_of_their_sides():
    one = boxed(scan({}))
    ends = ((20.0, 100.0, 48.75, 80.0, 160.0, 51.25), (40.0, 110.0, 51.25, 60.0, 140.0, 53.75))  # slices 20 and 21
    slabs = [dict(zip(boxes.COLUMNS, ("scan", 2, *box), strict=True)) for box in ends]
    one = replace(one, boxes=pd.DataFrame(slabs))
    assert one.marked().sum() == 61 * 61 + 31 * 21
    made = normal_slices(one, Banks(normal_gap_mm=10), Image())
    assert made.table["slice"].tolist() == [*range(4, 17), *range(25, 36)]


def test_a_mark_without_a_mask_has_a_place_for_the_presence_map():
    (place,) = unmasked_places(boxed(scan({}))).itertuples()
    assert (place.scan, place.nodule, place.side) == ("scan", -2, 1)
    assert (place.u, place.v) == (pytest.approx((65 - 20 + 0.5) / 90), pytest.approx((130 - 60 + 0.5) / 140))
    assert unmasked_places(scan({1: (20, 6.0, (130, 65), 30)})).empty


def test_every_nth_normal_and_other_marks():
    one = scan({})
    marks = np.zeros(one.lungs.shape, bool)
    marks[4:30] = True
    assert len(normal_slices(one, Banks(normal_every=4), Image())) == 8
    assert normal_slices(one, Banks(), Image(), marks).table["slice"].tolist() == [33, 34, 35]


def test_lesion_slices_number_the_lesions():
    made = lesion_slices(scan({3: (20, 6.0, (130, 65), 30), 7: (21, 8.0, (130, 190), -600)}), Banks(), Image())
    assert made.table["lesions"].tolist() == [1, 2, 2, 1]
    assert [mask.max() for mask in made.masks] == [1, 2, 2, 1]
    assert np.count_nonzero(made.masks[1] == 2) * 4 == pytest.approx(np.pi * 64, rel=0.1)


def test_slices_that_show_only_the_tip_of_a_nodule_are_no_lesion_slices():
    assert len(lesion_slices(scan({1: (20, 2.5, (130, 65), 30)}), Banks(), Image())) == 0


def test_purity_counts_nodules_and_cuts_with_wilsons_interval():
    rows = [("a", 1, 1)] * 3 + [("a", 2, 0)] * 2 + [("b", 1, 1), ("c", 1, "")]
    table = purity({"fit": pd.DataFrame(rows, columns=["scan", "nodule", "annotated"])})
    assert table[["hits", "n"]].to_numpy().tolist() == [[2, 3], [4, 6]]
    # R: binom::binom.wilson(4, 6)
    assert (table["low"][1], table["high"][1]) == pytest.approx((0.2999922, 0.9032308), abs=1e-4)


def test_an_overlapping_annotation_makes_a_cut_pure():
    one = scan({1: (20, 6.0, (130, 65), 30), 2: (10, 6.0, (130, 190), 30)})
    annotation = (one.nodules == 1).astype(np.uint8)
    made = cut_nodules(one, Banks(), annotation).images.table
    assert made.groupby("nodule")["annotated"].max().tolist() == [1, 0]


@pytest.mark.parametrize(("hits", "n", "expected"), [(0, 0, (0, 1)), (0, 10, (0, 0.2775)), (10, 10, (0.7225, 1))])
def test_wilson_at_the_ends(hits, n, expected):
    assert all(0 <= bound <= 1 for bound in wilson(hits, n))
    assert wilson(hits, n) == pytest.approx(expected, abs=1e-4)


def test_lung_boxes_and_their_coordinates_are_inverse():
    labels = scan({}).lungs[10]
    box = lung_boxes(labels)[2]
    assert box.to_px(*box.to_uv(77.0, 150.0)) == pytest.approx((77, 150))
    assert box.to_px(0.5, 0.5) == pytest.approx((129.5, 190.5))
    assert nearest_side(labels, 130, 115) == 1 and nearest_side(labels * 0, 5, 5) == 0


def test_no_hit_of_many_has_a_lower_bound_of_nothing_at_all():
    assert wilson(0, 334)[0] == 0 and wilson(334, 334)[1] == 1
