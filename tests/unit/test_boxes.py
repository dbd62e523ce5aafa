"""A radiologist's box is hit by what overlaps it, LUNA16's balls as before; what lies beside a box finds nothing."""

import numpy as np
import pandas as pd
import pytest

from lungsynth.cohort.base import Mark, Scan, ScanRef
from lungsynth.cohort.dicom.boxes import box_marks
from lungsynth.cohort.prepare import MARK_COLUMNS, prepare_scan
from lungsynth.ct import volume as volumes
from lungsynth.ct.volume import Volume
from lungsynth.segment.scoring.detection import match
from lungsynth.segment.scoring.systems import overlaps
from lungsynth.sets import boxes
from lungsynth.sets.scans import Prepared, prepared
from lungsynth.sets.tables import read_csv, write_csv

SPACING_MM = (4.0, 0.8, 0.8)
SHAPE = (20, 90, 100)
VOC = "<annotation><bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax></bndbox></annotation>"
IN_SLICES = {5: (10, 20, 50, 40), 6: (8, 22, 52, 38), 7: (12, 20, 40, 30)}
"""Slice -> xmin, ymin, xmax, ymax."""


def write_boxes(folder):
    files = {}
    for plane, ends in IN_SLICES.items():
        files[str(plane)] = folder / f"{plane}.xml"
        files[str(plane)].write_text(VOC.format(*ends))
    return files


def marked(tmp_path, axes="LPS"):
    """The prepared scan and its row of marks.csv, from a file along other axes."""
    hu = np.full(SHAPE, -900, np.int16)
    hu[0, 0, 0] = 100
    upright = Volume(hu, SPACING_MM, (-30.0, -40.0, 100.0))
    marks = box_marks(upright, write_boxes(tmp_path), [str(k) for k in range(SHAPE[0])])
    scan = Scan(volumes.turned(upright, axes), marks=marks)
    _, (row,) = prepare_scan(ScanRef("s", "p", "volume", ()), scan, tmp_path, chest_ct=False)
    table = pd.DataFrame([row], columns=list(MARK_COLUMNS))
    volume = volumes.read(tmp_path / "s.nii.gz")
    empty, slabs = np.zeros(SHAPE, np.uint8), pd.DataFrame(row["boxes"], columns=boxes.COLUMNS)
    return Prepared("s", "p", "test", "volume", volume, empty, empty, axes, table, slabs), table


def finding(volume, zyx, **more):
    xyz = dict(zip(("x_mm", "y_mm", "z_mm"), volume.to_mm(zyx), strict=True))
    return pd.DataFrame([{"scan": "s", **xyz, "probability": 0.9, **more}])


@pytest.mark.parametrize("axes", ["LPS", "RAS", "PSR"])
def test_a_lesion_is_its_rectangle_in_each_slice(tmp_path, axes):
    scan, _ = marked(tmp_path, axes)
    truth = np.zeros(SHAPE, bool)
    for plane, (x0, y0, x1, y1) in IN_SLICES.items():
        truth[plane, y0 : y1 + 1, x0 : x1 + 1] = True
    assert np.array_equal(scan.marked(), truth)


@pytest.mark.parametrize(
    ("zyx", "hit"),
    [((6, 30, 30), True), ((7, 21, 51), True), ((8, 30, 30), False), ((4, 30, 30), False), ((6, 43, 30), False)],
)
def test_a_place_hits_a_box_in_its_slices_and_its_rectangle(tmp_path, zyx, hit):
    scan, table = marked(tmp_path)
    assert match(finding(scan.volume, zyx), table, ["s"]).true_positives == hit


def test_a_candidate_beside_the_box_is_no_hit_though_a_ball_of_its_sides_would_hold_it(tmp_path):
    scan, table = marked(tmp_path)
    (mark,) = table.itertuples()
    beside = finding(scan.volume, (6, 42, 30))
    apart = np.linalg.norm(beside[["x_mm", "y_mm", "z_mm"]].to_numpy() - [mark.x_mm, mark.y_mm, mark.z_mm])
    assert apart < mark.diameter_mm / 2
    assert match(beside, table, ["s"]).false_positives == 1
    assert match(beside, table.drop(columns=list(boxes.BOX)), ["s"]).true_positives == 1  # of a ball


def test_a_mask_decides_where_there_is_one(tmp_path):
    scan, table = marked(tmp_path)
    labels = np.zeros(SHAPE, np.int32)
    labels[6, 35:60, 30] = 1  # the centre lies outside, some voxels in the box
    labels[6, 60:80, 60:80] = 2
    labels[9, 20:40, 10:50] = 3
    labels[7, 32:36, 44:50] = 4  # in the box that holds all, but not in the rectangle of this slice
    places = ((6, 47, 30), (6, 70, 70), (9, 30, 30), (7, 34, 47))
    rows = scan.with_boxes(pd.concat([finding(scan.volume, at) for at in places], ignore_index=True), labels)
    assert rows[boxes.HITS].tolist() == ["mark-1", "none", "none", "none"]
    matched = match(rows, table, ["s"])
    assert (matched.true_positives, matched.false_positives) == (1, 3)
    within = finding(scan.volume, (6, 30, 30), boxes="none")  # a ring round the box has its centre in it
    assert match(within, table, ["s"]).true_positives == 0


def test_boxes_and_balls_of_one_scan_keep_their_rules(tmp_path):
    scan, table = marked(tmp_path)
    ball = dict.fromkeys(table.columns) | finding(scan.volume, (15, 60, 60)).iloc[0].to_dict() | {"diameter_mm": 10.0}
    both = pd.concat([table, pd.DataFrame([ball | {"mark": 2}], columns=table.columns)], ignore_index=True)
    near = [finding(scan.volume, at) for at in ((15, 60, 66), (15, 60, 67), (6, 30, 30))]
    matched = match(pd.concat(near, ignore_index=True), both, ["s"])
    assert (matched.true_positives, matched.false_positives) == (2, 1)


def test_a_row_says_where_the_box_is_and_is_empty_without_one(tmp_path):
    scan, table = marked(tmp_path)
    (row,) = table.to_dict("records")
    low, high = scan.volume.to_mm([[4.5, 20, 8], [7.5, 40, 52]])
    assert [row[name] for name in boxes.BOX] == pytest.approx([*low, *high])
    ball = Scan(scan.volume, marks=(Mark((0.0, 0.0, 120.0), 5.0),))
    _, (row,) = prepare_scan(ScanRef("s", "p", "volume", ()), ball, tmp_path, chest_ct=False)
    assert np.isnan([row[name] for name in boxes.BOX]).all()


def test_a_mark_without_a_mask_is_known_from_the_files_of_the_cohort(tmp_path):
    """A ball in the scan beside a nodule with a mask: what it covers may be lesion, and is told so when it is read."""
    hu, nodules = np.full(SHAPE, -900, np.int16), np.zeros(SHAPE, np.uint8)
    hu[0, 0, 0], nodules[5, 10:13, 10:13] = 100, 1
    volume = Volume(hu, SPACING_MM)
    marks = (
        Mark(tuple(volume.to_mm((5, 11, 11))), 3.0, "solid", 3, 1, "lidc"),
        Mark(tuple(volume.to_mm((12, 40, 40))), 8.0),
    )
    folder = tmp_path / "0"
    folder.mkdir()
    scan = Scan(volume, nodules=nodules, marks=marks)
    _, rows = prepare_scan(ScanRef("s", "p", "volume", ()), scan, folder, chest_ct=False)
    write_csv(folder / "marks.csv", pd.DataFrame(rows, columns=list(MARK_COLUMNS)))
    cohort = {"scan": "s", "patient": "p", "role": "fit", "kind": "volume", "axes": "LPS", "batch": 0, "verdict": "ok"}
    write_csv(tmp_path / "cohort.csv", pd.DataFrame([cohort]))
    (read,) = prepared(tmp_path / "cohort.csv", [folder])
    assert read.unmasked["mark"].tolist() == [2]
    assert read.marked()[12, 40, 40] and read.marked()[5, 11, 11] and not read.marked()[0].any()
    table = read_csv(folder / "marks.csv")
    assert overlaps(table, read.nodules, np.zeros(nodules.shape, int))["dice"].tolist() == [0.0]
    assert overlaps(table.iloc[1:], read.nodules, read.nodules).empty


def test_the_class_of_an_image_is_text_and_the_number_of_a_component_is_none(tmp_path):
    write_csv(tmp_path / "images.csv", pd.DataFrame({"id": ["a", "b"], "label": ["0", "01"]}))
    write_csv(tmp_path / "marks.csv", pd.DataFrame({"scan": ["a", "b"], "label": [2, 10]}))
    assert read_csv(tmp_path / "images.csv")["label"].tolist() == ["0", "01"]
    assert read_csv(tmp_path / "marks.csv").sort_values("label", ascending=False)["label"].tolist() == [10, 2]
