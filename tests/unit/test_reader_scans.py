"""A folder of whole scans of any kind: each is found once, read by the reader that knows it, with its marks."""

import json
import os
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from chest_samples import chest, image, write_dicom, write_luna
from test_reader_lidc import nodule, roi, square

from lungsynth.cohort.dicom import headers
from lungsynth.cohort.listing import list_scans, open_reader
from lungsynth.cohort.luna16.annotations import read_excluded
from lungsynth.cohort.prepare import prepare_batch, upright
from lungsynth.ct.volume import axes_of, turned
from lungsynth.study.errors import DataError
from lungsynth.study.stages.cohort import Cohort, Split
from lungsynth.workflow.digest import code_files

DATA = Path(os.environ.get("LUNGSYNTH_DATA", "none"))
SHAPE = (12, 40, 44)
SOURCE = {"reader": "scans", "path": "any", "role": "test"}
ONLY_TEST = Split(fit=0, tune=0, domain=0, test=1)
LUNA_UID = "1.3.6.1.4.1.14519.5.2.1.6279.6001.77"


@pytest.fixture
def root(tmp_path):
    """The folder that the source reads."""
    (tmp_path / "any").mkdir()
    return tmp_path / "any"


def noise(seed=0, shape=SHAPE):
    return np.random.default_rng(seed).integers(-1000, 1000, shape).astype(np.int16)


def reading(path, series, readers=2):
    """XML of some readers who drew the same nodule in slice 3."""
    drawn = nodule(roi(f"{series}.4", square(20, 20, 4)))
    head = f"<ResponseHeader><SeriesInstanceUid>{series}</SeriesInstanceUid></ResponseHeader>"
    sessions = f"<readingSession>{drawn}</readingSession>" * readers
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"<LidcReadMessage xmlns='http://www.nih.gov'>{head}{sessions}</LidcReadMessage>")


def box(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "<annotation><object><bndbox><xmin>10</xmin><ymin>12</ymin><xmax>20</xmax><ymax>22</ymax></bndbox></object>"
        "</annotation>"
    )


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(image(array), str(path))


def reader(root, **own):
    return open_reader({"reader": "scans", "path": root.name, **own}, root.parent)


def only(root, **own):
    (ref,) = reader(root, **own).list()
    return ref


def listed(root):
    """Reader -> (annotated, marks) of its scans, read from the list as another process reads it."""
    made = reader(root)
    return [(ref.extra["reader"], ref.extra["annotated"], len(made.read(ref).marks)) for ref in made.list()]


def mixed(root):
    """One scan of every kind."""
    write_dicom(root / "LIDC" / "s", noise(1), patient="LIDC-IDRI-0009", series="1.2.1")
    reading(root / "LIDC" / "s" / "069.xml", "1.2.1")
    write_dicom(root / "LIDC" / "t", noise(2), patient="LIDC-IDRI-0009", series="1.2.2")
    write_dicom(root / "clinic", noise(3), series="1.2.3")
    write_dicom(root / "boxes" / "images", noise(4), patient="OTHER-NAME", series="1.2.4")
    box(root / "boxes" / "annotation" / "1.2.4.6.xml")
    save(root / "nifti" / "Jane.nii.gz", noise(5))
    ball = np.zeros(SHAPE, np.uint8)
    ball[4:7, 10:14, 10:14] = 1
    save(root / "nifti" / "Joan.nii.gz", noise(6))
    save(root / "nifti" / "Joan_nodules.nii.gz", ball)
    write_luna(root / "LUNA16", {LUNA_UID: noise(7), f"{LUNA_UID}8": noise(8)}, [(LUNA_UID, -50.0, -40.0, -175.0, 12)])
    lungs = np.zeros(SHAPE, np.uint8)
    lungs[:, 10:30, 5:15], lungs[:, 10:30, 25:35] = 4, 3
    save(root / "LUNA16" / "seg-lungs-LUNA16" / f"{LUNA_UID}.mhd", lungs)
    save(root / "meta" / "Jean Doe.mhd", noise(9))
    save(root / "meta" / "Müller" / "b.mha", noise(10))
    (root / "notes.txt").write_text("mine")


def test_a_mixed_folder_gives_every_scan_with_its_marks(root):
    mixed(root)
    assert sorted(listed(root)) == [
        ("dicom", False, 0),
        ("dicom", False, 0),
        ("dicom", True, 1),
        ("lidc", True, 1),
        ("luna16", False, 0),
        ("luna16", False, 0),
        ("luna16", True, 0),
        ("luna16", True, 1),
        ("nifti", False, 0),
        ("nifti", True, 1),
    ]


def test_pixels_and_lungs_are_those_of_the_readers(root):
    mixed(root)
    made = reader(root)
    scans = {str(ref.source_files[0]): made.read(ref) for ref in made.list()}
    assert np.array_equal(scans["meta/Müller/b.mha"].volume.hu, noise(10))
    assert np.array_equal(scans["nifti/Jane.nii.gz"].volume.hu, noise(5))
    assert set(np.unique(scans[f"LUNA16/subset0/{LUNA_UID}.mhd"].lungs)) == {0, 1, 2}
    assert scans["meta/Jean Doe.mhd"].lungs is None


def test_the_list_is_the_same_again(root):
    mixed(root)
    first = reader(root).list()
    assert first == reader(root).list()
    assert [ref.scan for ref in first] == sorted({ref.scan for ref in first})


def test_nobody_is_named_and_every_scan_is_found_again(root):
    mixed(root)
    made = reader(root)
    rows, unread = list_scans([made], [SOURCE], ONLY_TEST, 1, 7)
    text = rows.to_csv() + unread.to_csv()
    assert not [name for name in ("SECRET", "OTHER", "Jane", "Joan", "Doe", "ller", "clinic") if name in text]
    assert set(rows.role) == {"test"}
    table = prepare_batch(rows.to_dict("records"), [reader(root)], root.parent / "out")
    assert len(table) == 10
    assert set(table.reason) == {"40 x 44 pixels; a slice needs 64"}  # of what was read


def test_public_ids_stay_and_a_patient_is_one_with_and_without_xml(root):
    mixed(root)
    refs = reader(root).list()
    assert {ref.extra["reader"] for ref in refs if ref.patient == "LIDC-IDRI-0009"} == {"lidc", "dicom"}
    assert LUNA_UID in {ref.patient for ref in refs}
    rest = [ref.patient for ref in refs if not ref.patient.startswith(("LIDC", LUNA_UID))]
    assert len(rest) == 6
    assert all(patient.startswith("P-") for patient in rest)
    assert "Jean_Doe" in {ref.patient for ref in reader(root, keep_patient_ids=True).list()}


def test_private_ids_in_readings_of_ones_own_are_hidden(root):
    write_dicom(root / "s", noise(), patient="Doe, Jane", series="1.2.1")
    reading(root / "s" / "a.xml", "1.2.1")
    ref = only(root)
    assert (ref.extra["reader"], ref.patient[:2]) == ("lidc", "P-")


def test_lesions_of_one_reader_are_left_out_unless_asked_for(root):
    write_dicom(root / "s", noise(), series="1.2.1")
    reading(root / "s" / "a.xml", "1.2.1", readers=1)
    assert listed(root) == [("lidc", True, 0)]
    one = reader(root, min_readers=1)
    assert len(one.read(one.list()[0]).marks) == 1


def test_a_damaged_reading_is_told_and_another_programs_xml_is_none(root):
    write_dicom(root / "s", noise(1), series="1.2.1")
    (root / "s" / "a.xml").write_text("<report><SeriesInstanceUid>1.2.1</SeriesInstanceUid></report>")
    assert listed(root) == [("dicom", False, 0)]
    (root / "s" / "b.xml").write_text("<LidcReadMessage><SeriesInstanceUid>1.2.1</SeriesInstanceUid>")
    assert only(root).extra == {"reader": "lidc", "annotated": True}
    with pytest.raises(DataError, match=r"b\.xml: cannot be read as XML"):
        listed(root)


@pytest.mark.parametrize("name", ["one.nii.gz", "one.mha", "one.mhd"])
@pytest.mark.parametrize("axes", ["LPS", "RAS", "PSR"])
def test_a_file_keeps_its_axes_until_it_is_prepared(root, axes, name):
    there = sitk.DICOMOrient(image(noise()), axes)
    sitk.WriteImage(there, str(root / name))
    made = reader(root)
    (ref,) = made.list()
    scan = made.read(ref)
    assert axes_of(scan.volume) == axes
    np.testing.assert_array_equal(upright(scan).volume.hu, noise())
    back = turned(upright(scan).volume, axes).to_sitk()
    np.testing.assert_array_equal(sitk.GetArrayFromImage(back), sitk.GetArrayFromImage(there))
    np.testing.assert_allclose(back.GetOrigin(), there.GetOrigin(), atol=1e-4)


def test_marks_and_masks_of_a_metaimage_turn_with_it(root):
    labels = np.zeros(SHAPE, np.uint8)
    labels[5, 20, 30] = 1
    centre = [(LUNA_UID, *map(float, image(labels).TransformIndexToPhysicalPoint((30, 20, 5))), 12)]
    write_luna(root, {LUNA_UID: noise()}, centre)
    sitk.WriteImage(sitk.DICOMOrient(image(noise()), "RAI"), str(root / "subset0" / f"{LUNA_UID}.mhd"))
    (root / "nodules").mkdir()
    sitk.WriteImage(sitk.DICOMOrient(image(labels), "RAI"), str(root / "nodules" / f"{LUNA_UID}.nii.gz"))
    scan = upright(reader(root).read(only(root)))
    np.testing.assert_array_equal(scan.nodules, labels)
    np.testing.assert_allclose(scan.volume.to_mm((5, 20, 30)), scan.marks[0].centre_mm, atol=1e-3)


def test_slices_are_no_whole_scans(root):
    for k in range(3):
        write_dicom(root / "slices" / str(k), noise(k)[:1], patient=f"P{k}", series=f"1.3.{k}")
    save(root / "flat.nii.gz", noise(4)[:1])
    save(root / "flat.mhd", noise(4)[:1])
    pattern = r"no whole scan in the folder: .*; the first file that was passed over: a single slice"
    with pytest.raises(DataError, match=pattern) as told:
        reader(root).list()
    assert "\n" not in str(told.value)
    save(root / "whole.nii.gz", noise(5))
    made = reader(root)
    assert [ref.extra["reader"] for ref in made.list()] == ["nifti"]
    assert len(made.skipped) == 5
    assert all("whole scans" in reason for _, reason in made.skipped)


def test_masks_of_other_names_are_no_scans(root):
    for name in ("a.mhd", "a_seg.mhd", "b.nii.gz", "b_mask.nii.gz"):
        save(root / name, noise())
    made = reader(root)
    assert {str(ref.source_files[0]) for ref in made.list()} == {"a.mhd", "b.nii.gz"}
    assert sorted(name for name, _ in made.skipped) == ["a_seg.mhd", "b_mask.nii.gz"]
    assert all("named like a mask" in reason for _, reason in made.skipped)


def test_an_empty_folder_is_one_clear_line(root):
    with pytest.raises(DataError, match=r"DICOM .* NIfTI .* MetaImage .* check LUNGSYNTH_DATA") as told:
        reader(root).list()
    assert "\n" not in str(told.value)


def test_links_hidden_files_and_strays_do_no_harm(root):
    save(root / "a b" / "ü.mhd", noise(1))
    save(root / ".hidden" / "c.mhd", noise(2))
    save(root.parent / "outside.mhd", noise(3))
    (root / "loop").symlink_to(root)
    (root / "gone.mhd").symlink_to(root / "nothing.mhd")
    (root / "out.mhd").symlink_to(root.parent / "outside.mhd")
    (root / "._a.mhd").write_text("of the file system")
    for k in range(300):
        (root / f"{k}.txt").write_text("stray")
    made = reader(root)
    assert [str(ref.source_files[0]) for ref in made.list()] == ["a b/ü.mhd"]
    assert sorted(name for name, _ in made.skipped) == ["gone.mhd", "out.mhd"]


def test_one_series_in_two_formats_is_one_scan_the_annotated_one(root):
    write_dicom(root / "dicom", noise(1), patient="LIDC-IDRI-0009", series=LUNA_UID)
    write_luna(root / "luna", {LUNA_UID: noise(1)})
    made = reader(root)
    (ref,) = made.list()
    assert (ref.extra["reader"], ref.extra["annotated"]) == ("luna16", True)
    assert [reason for _, reason in made.skipped] == [f"is the series of scan {LUNA_UID} once more"]


def test_another_table_called_annotations_is_not_lunas(root):
    save(root / "a.mhd", noise(1))
    (root / "annotations.csv").write_text("file,comment\na.mhd,nice\n")
    assert listed(root) == [("luna16", False, 0)]


def test_a_name_that_the_table_does_not_know_is_not_taken_for_healthy(root):
    write_luna(root, {"known": noise(1), "new": noise(2)}, [("known", -50.0, -40.0, -175.0, 12)])
    assert sorted(listed(root)) == [("luna16", False, 0), ("luna16", True, 1)]


def test_a_mistyped_series_is_told(root):
    rows = [(LUNA_UID, -50.0, -40.0, -175.0, 12), (f"{LUNA_UID}9", 0.0, 0.0, 0.0, 5), ("9.9", 0.0, 0.0, 0.0, 5)]
    write_luna(root / "LUNA16", {LUNA_UID: noise(1), f"{LUNA_UID}8": noise(2)}, rows)
    made = reader(root)
    assert len(made.list()) == 2
    assert made.skipped == [("LUNA16/annotations.csv", "row 3 and 1 more: of a series that is not in the folder")]


def test_a_series_that_was_copied_is_read_once(root):
    write_dicom(root / "a", noise(1), series="1.2.1")
    shutil.copytree(root / "a", root / "b")
    write_dicom(root / "c", noise(2), series="1.2.2")
    made = reader(root)
    first, second = (made.read(ref).volume.hu for ref in made.list())
    assert {first.shape, second.shape} == {SHAPE}
    ((file, reason),) = made.skipped
    assert file.startswith("b/") and reason.startswith("is another file of the folder once more (and 11 more")


def test_the_table_may_lie_where_the_archive_puts_it(root):
    write_luna(root, {LUNA_UID: noise(1)}, [(LUNA_UID, -50.0, -40.0, -175.0, 12)])
    (root / "CSVFILES").mkdir()
    (root / "annotations.csv").rename(root / "CSVFILES" / "annotations.csv")
    assert listed(root) == [("luna16", True, 1)]


def test_excluded_findings_have_the_names_of_the_scans(root):
    write_luna(root / "LUNA16", {LUNA_UID: noise(1), "1.2.3.4": noise(2)})
    assert read_excluded(root) == (None, [])
    rows = ["seriesuid,coordX,coordY,coordZ,diameter_mm", f"{LUNA_UID},-50,-40,-175,-1", "1.2.3.4,-50,-40,-175,-1"]
    (root / "LUNA16" / "annotations_excluded.csv").write_text("\n".join(rows))
    excluded, faults = read_excluded(root)
    assert set(excluded["scan"]) == {ref.scan for ref in reader(root).list()}
    assert "1.2.3.4" not in set(excluded["scan"])
    assert excluded["diameter_mm"].tolist() == [-1, -1] and not faults
    (root / "annotations_excluded.csv").write_text("seriesuid,coordX,coordY,coordZ,diameter_mm\n1.2.3.4,x,0,0,1\n")
    again, faults = read_excluded(root)
    assert again.equals(excluded)
    assert faults == [("annotations_excluded.csv", "counts for nothing: row 2, coordX: 'x' is not a number")]
    made = reader(root)
    assert len(made.list()) == 2 and faults[0] in made.skipped


def test_labels_of_metaimages_are_no_nifti_scans(root):
    write_luna(root, {LUNA_UID: noise(1)}, [(LUNA_UID, -50.0, -40.0, -175.0, 12)])
    labels = np.zeros(SHAPE, np.uint8)
    labels[5, 20, 20] = 1
    save(root / "nodules" / f"{LUNA_UID}.nii.gz", labels)
    assert listed(root) == [("luna16", True, 1)]


def test_metaimages_of_one_name_in_two_folders_are_two_scans(root):
    save(root / "a" / "ct.mhd", noise(1))
    save(root / "b" / "ct.mhd", noise(2))
    by_folder = {"patient": "^[^/]+"}
    assert len({ref.scan for ref in reader(root).list()}) == 2
    assert len({ref.patient for ref in reader(root, **by_folder).list()}) == 2


def test_a_cut_off_metaimage_is_told_when_it_is_read(root):
    save(root / "a.mha", noise(1))
    (root / "a.mha").write_bytes((root / "a.mha").read_bytes()[:-4000])
    with pytest.raises(DataError, match=r"a\.mha"):
        listed(root)


def test_the_first_scans_are_those_of_all_kinds(root):
    mixed(root)
    assert reader(root, max_scans=7).list() == reader(root).list()[:7]


def test_each_header_is_read_once(root, monkeypatch):
    mixed(root)
    read = []
    monkeypatch.setattr(headers, "read_header", lambda path, _=headers.read_header: read.append(path) or _(path))
    reader(root).list()
    assert len(read) == len(set(read)) == 4 * len(noise())


def test_one_patient_is_a_cohort(root):
    hu, _ = chest(nodule_mm=((0, 0, -65), 20))
    write_dicom(root / "s", hu)
    rows, _ = list_scans([reader(root)], [SOURCE], ONLY_TEST, 1, 7)
    table = prepare_batch(rows.to_dict("records"), [reader(root)], root.parent / "out")
    assert (table.verdict.tolist(), rows.role.tolist()) == (["ok"], ["test"])
    assert json.loads(rows.extra[0]) == {"annotated": False, "reader": "dicom"}
    assert Cohort(sources=[SOURCE], min_patients=1).min_patients == 1


def test_editing_a_reader_reruns_what_it_read():
    read_by = {str(path) for path in code_files("cohort/list_scans.py", "lungsynth.cohort.scans.reader")}
    for name in ("lidc", "dicom", "nifti", "luna16"):
        assert any(path.endswith(f"cohort/{name}/reader.py") for path in read_by)


def real(tmp_path, name):
    """A reader of one patient's folder, or packed folder, under LUNGSYNTH_DATA."""
    if (DATA / name).is_dir():
        return open_reader({"reader": "scans", "path": name}, DATA)
    packed = DATA / "ct_scans" / f"{name}.tar.xz"
    if not packed.is_file():
        pytest.skip(f"no {name} under LUNGSYNTH_DATA")
    with tarfile.open(packed) as archive:
        archive.extractall(tmp_path / "any", filter="data")
    return reader(tmp_path / "any")


def test_lidc_0001_has_one_nodule_of_four_readers(tmp_path):
    made = real(tmp_path, "LIDC-IDRI-0001")
    (ref,) = made.list()
    (mark,) = made.read(ref).marks
    assert (ref.patient, len(ref.source_files), mark.readers) == ("LIDC-IDRI-0001", 133, 4)
    assert ref.extra == {"reader": "lidc", "annotated": True}
    assert mark.diameter_mm == pytest.approx(23.4, abs=0.2)


def test_boxes_of_lung_dx_are_annotations(tmp_path):
    made = real(tmp_path, "Lung_Dx-A0002")
    (ref,) = made.list()
    assert ref.extra == {"reader": "dicom", "annotated": True}
    assert [mark.note for mark in made.read(ref).marks] == ["box"]


def test_a_table_in_sixteen_bits_is_told_and_not_passed_over(root):
    write_luna(root / "l", {LUNA_UID: noise()}, [(LUNA_UID, -50.0, -40.0, -175.0, 12)])
    table = root / "l" / "annotations.csv"
    table.write_bytes(table.read_text().encode("utf-16"))
    with pytest.raises(DataError, match="is no UTF-8 text"):
        reader(root).read(only(root))


def lost(folder):
    (folder / "Jane_Doe.raw").unlink()


def elsewhere(folder):
    path = folder / "Jane_Doe.mhd"
    path.write_text(path.read_text().replace("= Jane", "= ../Jane"))


def beyond(folder):
    (folder.parent / "annotations.csv").write_text("seriesuid,coordX,coordY,coordZ,diameter_mm\nJane_Doe,9999,0,0,5\n")


@pytest.mark.parametrize(
    ("damage", "pattern"),
    [
        (lost, "data file .* is missing"),
        (elsewhere, "points outside its folder"),
        (beyond, "row 2 lies outside the scan"),
    ],
)
def test_why_a_metaimage_is_set_aside_names_nobody(root, damage, pattern):
    write_luna(root, {"Jane_Doe": noise()})
    damage(root / "subset0")
    made = reader(root)
    rows, _ = list_scans([made], [SOURCE], ONLY_TEST, 1, 7)
    table = prepare_batch(rows.to_dict("records"), [made], root.parent / "out")
    assert table.reason.str.contains(pattern).all()
    assert not table.reason.str.contains("Jane").any()


def test_two_readings_that_differ_are_told_without_their_names(root):
    write_dicom(root / "s", noise(), patient="Doe, Jane", series="1.2.1")
    for readers, name in ((1, "Jane a"), (2, "Jane b")):
        reading(root / "s" / f"{name}.xml", "1.2.1", readers)
    made = reader(root)
    rows, _ = list_scans([made], [SOURCE], ONLY_TEST, 1, 7)
    (reason,) = prepare_batch(rows.to_dict("records"), [made], root.parent / "out").reason
    assert "speaks of the same series and differs" in reason
    assert "Jane" not in reason
