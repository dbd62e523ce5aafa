"""The LUNA16 reader keeps every position, and says in one line what is wrong with a folder."""

import os
import re

import numpy as np
import pytest
import SimpleITK as sitk
from chest_samples import image, write_luna
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lungsynth.cohort.listing import list_scans, open_reader
from lungsynth.ct import volume as volumes
from lungsynth.study.errors import DataError, StudyError
from lungsynth.study.stages.cohort import Split

SHAPE = (14, 40, 36)
SPACING = (2.0, 0.9, 0.7)
TURNED = (-1, 0, 0, 0, -1, 0, 0, 0, 1)


def marker(at, background=-900):
    hu = np.full(SHAPE, background, np.int16)
    hu[at] = 900
    return hu


def reader(root, **own):
    return open_reader({"reader": "luna16", "path": root.name, **own}, root.parent)


def only_scan(root, **own):
    made = reader(root, **own)
    return made.read(made.list()[0])


def fails(root, pattern, **own):
    with pytest.raises(DataError, match=pattern) as caught:
        made = reader(root, **own)
        made.read(made.list()[0])
    assert "\n" not in str(caught.value)


place = st.tuples(*(st.integers(0, n - 1) for n in SHAPE))
origin = st.tuples(*(st.floats(-400, 400) for _ in range(3)))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=place, origin_mm=origin, turned=st.booleans())
def test_a_marker_keeps_its_millimetres_through_reader_and_writer(tmp_path, at, origin_mm, turned):
    root = tmp_path / "luna"
    direction = TURNED if turned else None
    write_luna(root, {"1.2.3": marker(at)}, spacing_mm=SPACING, origin_mm=origin_mm, direction=direction)
    truth = sitk.ReadImage(str(root / "subset0" / "1.2.3.mhd")).TransformIndexToPhysicalPoint(at[::-1])
    volume = only_scan(root).volume
    assert np.allclose(volume.to_mm(np.argwhere(volume.hu == 900)[0]), truth, atol=1e-3)
    volumes.write(tmp_path / "again.nii.gz", volume)
    again = volumes.read(tmp_path / "again.nii.gz")
    assert np.allclose(again.to_mm(np.argwhere(again.hu == 900)[0]), truth, atol=1e-3)


@pytest.mark.parametrize("direction", [None, TURNED])
def test_an_annotation_lands_on_its_nodule_whatever_the_direction(tmp_path, direction):
    at = (6, 20, 12)
    hu = marker(at)
    hu[5:8, 17:24, 8:17] = 900
    options = {"spacing_mm": SPACING, "direction": direction}
    x, y, z = image(hu, **options).TransformIndexToPhysicalPoint(at[::-1])
    scan = only_scan(write_luna(tmp_path / "luna", {"1.2.3": hu}, [("1.2.3", x, y, z, 4)], **options))
    assert np.allclose(np.argwhere(scan.nodules == 1).mean(0), at, atol=0.6)
    assert scan.marks[0].centre_mm == pytest.approx((x, y, z))
    assert (scan.marks[0].note, scan.marks[0].label, scan.marks[0].texture) == ("sphere", 1, "solid")


def test_padding_and_metal_are_clipped(tmp_path):
    hu = marker((3, 3, 3))
    hu[0, 0, :3] = (-3024, -2048, 30000)
    volume = only_scan(write_luna(tmp_path / "luna", {"1.2.3": hu}, spacing_mm=SPACING)).volume
    assert volume.hu[0, 0, :3].tolist() == [-1024, -1024, 3071]
    assert volume.hu.dtype == np.int16


def add_masks(root, mask, folder="seg-lungs-LUNA16", name="1.2.3.mhd", **options):
    (root / folder).mkdir(exist_ok=True)
    sitk.WriteImage(image(mask, SPACING, **options), str(root / folder / name), useCompression=True)


@pytest.mark.parametrize("turned", [False, True])
def test_lung_labels_become_right_1_and_left_2_by_their_place(tmp_path, turned):
    direction = TURNED if turned else None
    root = write_luna(tmp_path / "luna", {"1.2.3": marker((3, 3, 3))}, spacing_mm=SPACING, direction=direction)
    for low_x, high_x in ((4, 3), (3, 4)):  # a file with the sides swapped is put right by the patient's x
        mask = np.zeros(SHAPE, np.uint8)
        mask[:, 10:30, 2:14], mask[:, 10:30, 20:34], mask[:, :4, 16] = low_x, high_x, 5
        add_masks(root, mask, direction=direction)
        lungs = only_scan(root).lungs
        low, high = (2, 1) if turned else (1, 2)
        assert set(np.unique(lungs)) == {0, 1, 2}
        assert (lungs[5, 20, 5], lungs[5, 20, 30], lungs[5, 2, 16]) == (low, high, 0)


def test_label_volumes_give_the_masks_in_row_order(tmp_path):
    rows = [("1.2.3", -90, -80, -190, 4), ("9.9", 0, 0, 0, 5), ("1.2.3", -80, -70, -188, 6)]
    root = write_luna(tmp_path / "luna", {"1.2.3": marker((3, 3, 3))}, rows, spacing_mm=SPACING)
    labels = np.zeros(SHAPE, np.uint8)
    labels[2, 3, 4] = 2
    add_masks(root, labels, "nodules", "1.2.3.nii.gz")
    scan = only_scan(root)
    assert [(m.label, m.diameter_mm, m.note) for m in scan.marks] == [(0, 4, ""), (2, 6, "label")]


SHEET = "seriesuid,coordX,coordY,coordZ,diameter_mm\n1.2.3,-90,-80,-190,4\n"


@pytest.mark.parametrize(
    "encode", [lambda t: t, lambda t: "\ufeff" + t, lambda t: t.replace("\n", "\r\n"), lambda t: t + "\n,,,,\n"]
)
def test_tables_from_a_spreadsheet_are_read(tmp_path, encode):
    root = write_luna(tmp_path / "luna", {"1.2.3": marker((3, 3, 3))}, spacing_mm=SPACING)
    (root / "annotations.csv").write_bytes(encode(SHEET).encode())
    assert len(only_scan(root).marks) == 1


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        (SHEET.replace(",", ";"), "annotations.csv: column seriesuid is missing, since .* separated by semicolons"),
        (SHEET.replace(",", "\t"), "annotations.csv: column seriesuid is missing, since .* separated by tabs"),
        (SHEET.replace("coordZ", "z"), "annotations.csv: column coordZ is missing; it needs seriesuid, coordX"),
    ],
)
def test_a_table_with_other_separators_or_columns_is_refused(tmp_path, text, pattern):
    root = write_luna(tmp_path / "luna", {"1.2.3": marker((3, 3, 3))}, spacing_mm=SPACING)
    (root / "annotations.csv").write_text(text)
    fails(root, pattern)


def edit_header(root, pattern, text):
    path = root / "subset0" / "1.2.3.mhd"
    path.write_text(re.sub(pattern, text, path.read_text()))


@pytest.fixture
def root(tmp_path):
    return write_luna(tmp_path / "luna", {"1.2.3": marker((3, 3, 3))}, spacing_mm=SPACING)


def test_a_truncated_scan_is_refused(root):
    raw = root / "subset0" / "1.2.3.raw"
    raw.write_bytes(raw.read_bytes()[:-2])
    fails(root, r"1\.2\.3\.raw: truncated, 40318 bytes where DimSize and ElementType need 40320")


def test_a_missing_data_file_is_named(root):
    (root / "subset0" / "1.2.3.raw").unlink()
    fails(root, r"1\.2\.3\.mhd: its data file .* is missing")


@pytest.mark.parametrize("target", ["../secret.raw", "/etc/passwd", "LIST", "sub/1.raw", "..\\\\x.raw"])
def test_a_header_that_points_elsewhere_is_refused(root, target):
    edit_header(root, r"ElementDataFile = .*", f"ElementDataFile = {target}")
    fails(root, "points outside its folder")


def test_a_header_that_is_none_is_refused(root):
    (root / "subset0" / "1.2.3.mhd").write_bytes(b"\x00\xff garbage")
    fails(root, "is no MetaImage header")


@pytest.mark.parametrize("spacing", ["0 1 1", "nan 1 1", "1 1"])
def test_an_impossible_spacing_is_refused(root, spacing):
    edit_header(root, r"ElementSpacing = .*", f"ElementSpacing = {spacing}")
    fails(root, "ElementSpacing must be three numbers above 0")


def test_pixels_that_are_no_number_are_refused(tmp_path):
    hu = marker((3, 3, 3)).astype(np.float32)
    hu[1, 1, 1] = np.nan
    fails(write_luna(tmp_path / "luna", {"1.2.3": hu}, spacing_mm=SPACING), "1 pixels are not a number")


@pytest.mark.parametrize(
    ("row", "pattern"),
    [
        ("1.2.3,500,0,0,4", r"row 2 lies outside the scan .*1\.2\.3\.mhd"),
        ("1.2.3,-90,x,-190,4", "row 2, coordY: 'x' is not a number"),
        ("1.2.3,-90,-80,-190,-1", "row 2, diameter_mm: -1 is not above 0"),
        ("1.2.3,-90,-80", "annotations.csv: row 2 has 3 cells where the first row has 5"),
    ],
)
def test_a_bad_annotation_is_named_by_its_row(root, row, pattern):
    (root / "annotations.csv").write_text(f"seriesuid,coordX,coordY,coordZ,diameter_mm\n{row}\n")
    fails(root, pattern)


def test_a_bad_row_costs_its_own_scan_alone(tmp_path):
    rows = [("1.2.3", -90, -80, -190, -1), ("1.2.4", -90, -80, -190, 4), *2 * [("1.2.5", -90, -80, -190, 4)]]
    scans = {uid: marker((3, 3, 3)) for uid in ("1.2.3", "1.2.4", "1.2.5")}
    made = reader(write_luna(tmp_path / "luna", scans, [*rows, ("9.9", 0, 0, 0, 4)], spacing_mm=SPACING))
    negative, good, twice = made.list()
    assert made.skipped == [("annotations.csv", "row 6: of a series that is not in the folder")]
    assert len(made.read(good).marks) == 1
    with pytest.raises(DataError, match=r"annotations.csv: row 2, diameter_mm: -1 is not above 0"):
        made.read(negative)
    with pytest.raises(DataError, match=r"annotations.csv: row 5 repeats row 4"):
        made.read(twice)


def test_a_table_without_its_columns_is_refused(root):
    (root / "annotations.csv").write_text("uid,x\n1,2\n")
    fails(root, "column seriesuid is missing")


def test_unknown_lung_labels_are_refused_unless_named(root):
    mask = np.zeros(SHAPE, np.uint8)
    mask[:, 10:30, 2:14], mask[:, 10:30, 20:34] = 1, 2
    add_masks(root, mask)
    fails(root, r"values \[1, 2\] are unknown")
    assert set(np.unique(only_scan(root, right_labels=[1], left_labels=[2]).lungs)) == {0, 1, 2}


def test_a_mask_on_another_grid_is_refused(root):
    add_masks(root, np.zeros((5, 5, 5), np.uint8))
    fails(root, "is not on the grid of its scan")


def test_a_mask_that_is_mirrored_is_not_on_the_grid(root):
    add_masks(root, np.zeros(SHAPE, np.uint8), direction=TURNED)
    fails(root, "is not on the grid of its scan")


def test_truncated_labels_are_refused(root):
    add_masks(root, np.random.default_rng(0).integers(0, 2, SHAPE).astype(np.uint8), "nodules", "1.2.3.nii.gz")
    path = root / "nodules" / "1.2.3.nii.gz"
    path.write_bytes(path.read_bytes()[:-500])
    fails(root, "truncated or damaged")


def test_an_empty_or_missing_folder_is_named(tmp_path):
    (tmp_path / "empty").mkdir()
    fails(tmp_path / "empty", "no scan")
    with pytest.raises(DataError, match="no such folder"):
        reader(tmp_path / "nowhere")


@pytest.mark.parametrize("path", ["../luna", "/etc", "a/../../b"])
def test_a_path_out_of_the_data_root_is_refused(tmp_path, path):
    with pytest.raises(StudyError, match="leaves the data root"):
        open_reader({"reader": "luna16", "path": path}, tmp_path)


def test_the_list_is_sorted_and_knows_no_masks(tmp_path):
    scans = {uid: marker((3, 3, 3)) for uid in ("1.9", "1.10", "1.2")}
    root = write_luna(tmp_path / "luna", scans, spacing_mm=SPACING)
    add_masks(root, np.zeros(SHAPE, np.uint8), name="1.2.mhd")
    assert [ref.scan for ref in reader(root).list()] == ["1.10", "1.2", "1.9"]


def ten_subsets(tmp_path, subsets=range(10)):
    """Two scans in each subset."""
    root = write_luna(tmp_path / "luna", {f"1.{k}.{i}": marker((3, 3, 3)) for k in subsets for i in (1, 2)})
    for path in sorted((root / "subset0").iterdir()):
        folder = root / f"subset{path.name.split('.')[1]}"
        folder.mkdir(exist_ok=True)
        path.rename(folder / path.name)
    return root


FOLDS = {"fit": [0, 1, 2, 3, 4, 5], "tune": [6], "domain": [7], "test": [8, 9]}


def test_subsets_give_the_roles(tmp_path):
    made = reader(ten_subsets(tmp_path), folds=FOLDS)
    listed, unread = list_scans([made], [{"reader": "luna16"}], Split(fit=1, tune=1, domain=1, test=1), 2, seed=1)
    found = {role: sorted({int(scan.split(".")[1]) for scan in part.scan}) for role, part in listed.groupby("role")}
    assert found == FOLDS
    assert (len(listed), len(unread)) == (20, 0)


def test_subsets_in_no_fold_are_left_out_and_said_to_be(tmp_path):
    made = reader(ten_subsets(tmp_path), folds={"fit": [0], "test": [9]})
    assert [ref.uid for ref in made.list()] == ["1.0.1", "1.0.2", "1.9.1", "1.9.2"]
    assert made.skipped == [(f"subset{k}", "2 scans in no fold") for k in range(1, 9)]
    assert made.list() == made.list()
    assert len(made.skipped) == 8


@pytest.mark.parametrize(
    ("folds", "pattern"),
    [
        ({"fit": [0, 1], "test": [1]}, "subset1 is named twice, under fit and test"),
        ({"fit": [0, 0]}, "subset0 is named twice, under fit and fit"),
        ({"train": [0]}, "folds.train"),
    ],
)
def test_folds_that_cannot_be_are_refused_before_the_run(tmp_path, folds, pattern):
    with pytest.raises(ValueError, match=pattern):
        reader(ten_subsets(tmp_path, [0]), folds=folds)


def test_folds_are_compared_with_the_folder(tmp_path):
    root = ten_subsets(tmp_path, range(2))
    fails(root, "no scan in subset7, which `folds` names; there are: subset0, subset1", folds={"fit": [0], "test": [7]})
    for name in ("1.1.1.mhd", "1.1.1.raw"):
        (root / "subset1" / name).rename(root / name)
    fails(root, r"1\.1\.1\.mhd: lies in no folder subset0", folds={"fit": [0], "test": [1]})
    assert len(reader(root).list()) == 4


def test_links_in_a_circle_to_nowhere_and_out_of_the_folder_do_no_harm(tmp_path):
    root = write_luna(tmp_path / "luna", {"1.2.3": marker((1, 2, 3))})
    away = write_luna(tmp_path / "away", {"1.2.4": marker((1, 2, 3))})
    (root / "subset0" / "again").symlink_to(root, target_is_directory=True)
    (root / "subset0" / "1.2.5.mhd").symlink_to("1.2.5.mhd")
    (root / "subset0" / "1.2.4.mhd").symlink_to(away / "subset0" / "1.2.4.mhd")
    made = reader(root)
    assert [ref.uid for ref in made.list()] == ["1.2.3"]
    assert dict(made.skipped) == {
        "subset0/1.2.4.mhd": "is a link that leads out of the folder; copy or move it in",
        "subset0/1.2.5.mhd": "is a link to nothing or to itself",
    }


def test_a_mask_that_is_a_link_to_nothing_is_not_taken_for_missing(tmp_path):
    root = write_luna(tmp_path / "luna", {"1.2.3": marker((1, 2, 3))})
    (root / "seg-lungs-LUNA16").mkdir()
    (root / "seg-lungs-LUNA16" / "1.2.3.mhd").symlink_to("gone.mhd")
    fails(root, r"1\.2\.3\.mhd: is no file, or a link to nothing or to itself")


@pytest.mark.parametrize(
    ("key", "text", "pattern"),
    [
        ("DimSize", "nan nan nan", "DimSize is 'nan nan nan'; a scan has three dimensions"),
        ("DimSize", "7 8 2.5", "DimSize is .*; a scan has three dimensions"),
        ("DimSize", "Jane Doe 3", "DimSize is not a list of numbers"),
        ("ElementType", "MET_DOE", "ElementType is not one of"),
        ("Offset", "nan 0 0", "Offset must be 3 numbers"),
        ("TransformMatrix", "0 0 0 0 0 0 0 0 0", "TransformMatrix is not three unit vectors at right angles"),
        ("TransformMatrix", "1 0 0 0 1 0 0 0.015 1", "TransformMatrix is not three unit vectors at right angles"),
        ("TransformMatrix", "1 0 0 0 1 0", "TransformMatrix must be 9 numbers"),
    ],
)
def test_an_impossible_header_is_refused_and_its_words_are_not_quoted(root, key, text, pattern):
    edit_header(root, f"{key} = .*", f"{key} = {text}")
    fails(root, rf"1\.2\.3\.mhd: {pattern}")


def test_several_values_a_voxel_are_refused(root):
    path = root / "subset0" / "1.2.3.mhd"
    scan = sitk.ReadImage(str(path))
    sitk.WriteImage(sitk.Compose([scan] * 3), str(path))
    fails(root, r"1\.2\.3\.mhd: has 3 values a voxel, a scan has 1")


@pytest.mark.parametrize("damage", [lambda b: b[:-30], lambda b: b[:40] + bytes(9) + b[49:], lambda b: b""])
def test_packed_pixels_that_cannot_be_unpacked_are_refused(root, damage):
    path = root / "subset0" / "1.2.3.mhd"
    noise = np.random.default_rng(0).integers(-1000, 1000, (6, 7, 8)).astype(np.int16)
    sitk.WriteImage(sitk.GetImageFromArray(noise), str(path), True)
    assert np.array_equal(only_scan(root).volume.hu, noise)
    packed = path.with_suffix(".zraw")
    packed.write_bytes(damage(packed.read_bytes()))
    fails(root, r"1\.2\.3\.zraw: truncated")


def test_a_pipe_is_not_waited_for(root):
    os.mkfifo(root / "subset0" / "1.2.4.mhd")
    made = reader(root)
    assert [ref.uid for ref in made.list()] == ["1.2.3"]
    assert made.skipped == [("subset0/1.2.4.mhd", "is neither a file nor a folder")]
