"""DICOM: HU, order and place come from the tags; what cannot be trusted is refused with its reason."""

import numpy as np
import pytest
from chest_samples import SPACING_MM, write_dicom

from lungsynth.cohort.dicom.pixels import _stored
from lungsynth.cohort.listing import open_reader
from lungsynth.study.errors import DataError

SHAPE = (12, 20, 24)


def volume(seed=0):
    return np.random.default_rng(seed).integers(-1000, 1000, SHAPE)


def reader(root, **own):
    return open_reader({"reader": "dicom", "path": root.name, **own}, root.parent)


def only_scan(root, **own):
    made = reader(root, **own)
    (ref,) = made.list()
    return made.read(ref)


def fails(root, pattern):
    with pytest.raises(DataError, match=pattern) as caught:
        only_scan(root)
    assert "\n" not in str(caught.value)


def test_slices_are_sorted_by_position_and_placed_in_millimetres(tmp_path):
    hu = volume()
    write_dicom(tmp_path / "d", hu)
    scan = only_scan(tmp_path / "d")
    assert np.array_equal(scan.volume.hu, hu)
    assert scan.volume.spacing_mm == SPACING_MM
    assert scan.volume.to_mm([2, 3, 4]) == pytest.approx((-90.0, -82.5, -190.0))
    assert scan.kernel == "STANDARD"


def test_feet_first_pictures_keep_the_patients_sides(tmp_path):
    hu = volume()
    write_dicom(tmp_path / "d", hu, ImageOrientationPatient=[-1, 0, 0, 0, -1, 0])
    assert only_scan(tmp_path / "d").volume.to_mm([0, 3, 4]) == pytest.approx((-110.0, -97.5, -200.0))


def test_rescale_slope_and_intercept_are_applied(tmp_path):
    hu = volume() // 4
    write_dicom(tmp_path / "d", hu, RescaleSlope=2, RescaleIntercept=-100)
    assert np.array_equal(only_scan(tmp_path / "d").volume.hu, np.clip((hu + 1024) * 2 - 100, -1024, 3071))


def test_padding_counts_as_nothing(tmp_path):
    hu = volume()
    hu[:, :2] = -1000
    write_dicom(tmp_path / "d", hu, PixelPaddingValue=24)
    read = only_scan(tmp_path / "d").volume.hu
    assert (read[hu == -1000] == -1024).all()
    assert np.array_equal(read[hu != -1000], hu[hu != -1000])


def test_a_padding_value_that_tissue_may_have_is_not_believed(tmp_path):
    hu = np.full(SHAPE, 40)
    write_dicom(tmp_path / "d", hu, PixelPaddingValue=1064)
    assert (only_scan(tmp_path / "d").volume.hu == 40).all()


@pytest.mark.parametrize(("value", "expected"), [(63536, -2000), (b"\x30\xf8", -2000), (24, 24)])
def test_signed_padding_written_without_its_sign(value, expected):
    from pydicom.dataset import Dataset

    tags = Dataset()
    tags.PixelRepresentation, tags.BitsAllocated = 1, 16
    assert _stored(value, tags) == expected


def test_patients_get_pseudonyms(tmp_path):
    write_dicom(tmp_path / "d", volume(), patient="Doe, Jane 1970")
    (hashed,) = reader(tmp_path / "d").list()
    (kept,) = reader(tmp_path / "d", keep_patient_ids=True).list()
    (given,) = reader(tmp_path / "d", patients={"Doe, Jane 1970": "A7"}).list()
    assert hashed.patient.startswith("P-")
    assert "Jane" not in f"{hashed}"
    assert (kept.patient, given.patient) == ("Doe_Jane_1970", "A7")
    assert hashed == reader(tmp_path / "d").list()[0]


def test_mixed_series_are_split_and_localizers_skipped(tmp_path):
    write_dicom(tmp_path / "d" / "a", volume(1), series="1.1")
    write_dicom(tmp_path / "d" / "b", volume(2), series="1.2")
    for path in (tmp_path / "d" / "b").iterdir():
        path.rename(tmp_path / "d" / "a" / f"other{path.name}")
    write_dicom(tmp_path / "d" / "c", volume()[:1], series="1.3", ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    (tmp_path / "d" / "notes.dcm").write_text("no image")
    made = reader(tmp_path / "d")
    refs = made.list()
    assert [len(ref.source_files) for ref in refs] == [12, 12]
    assert sorted(reason for _, reason in made.skipped) == ["a localizer", "is no DICOM file"]
    first, second = (made.read(ref).volume.hu for ref in sorted(refs, key=lambda ref: ref.uid))
    assert np.array_equal(first, volume(1))
    assert np.array_equal(second, volume(2))


def test_each_file_can_be_its_own_slice(tmp_path):
    hu = volume()
    write_dicom(tmp_path / "d", hu)
    made = reader(tmp_path / "d", images="slices")
    refs = made.list()
    assert {ref.kind for ref in refs} == {"slice"}
    assert sorted(made.read(ref).volume.hu[0].sum() for ref in refs) == sorted(hu.sum((1, 2)))


def positions(z):
    return [(-100.0, -90.0, float(v)) for v in z]


@pytest.mark.parametrize(
    ("tags", "pattern"),
    [
        ({"positions": positions([0, 5, 10, 15, 20, 25, 30, 35, 45, 50, 55, 60])}, "slices are missing after 35 mm"),
        ({"positions": positions([0, 5, 10, 15, 20, 25, 30, 35, 35, 40, 45, 50])}, "two slices lie at 35 mm"),
        ({"positions": [(-100.0, -90.0 + k, 5.0 * k) for k in range(12)]}, "sheared by 11.3 degrees"),
        ({"GantryDetectorTilt": 12.5}, "gantry was tilted by 12.5 degrees"),
        ({"ImageOrientationPatient": [1, 0, 0, 0.5, 0.5, 0]}, "not two unit vectors"),
        ({"ImageOrientationPatient": None}, "the tag ImageOrientationPatient is missing"),
        ({"positions": [(0.0, 0.0)] * 12}, "a tag of the series cannot be understood"),
    ],
)
def test_untrustworthy_geometry_is_refused(tmp_path, tags, pattern):
    write_dicom(tmp_path / "d", volume(), **tags)
    fails(tmp_path / "d", pattern)


def test_slices_of_two_sizes_are_refused(tmp_path):
    write_dicom(tmp_path / "d" / "a", volume(), series="1.1")
    below = [(-100.0, -90.0, -300.0)]
    write_dicom(tmp_path / "d" / "b", volume()[:1, :10], series="1.1", positions=below)
    fails(tmp_path / "d", "differ in size")


def test_truncated_pixels_are_refused(tmp_path):
    write_dicom(tmp_path / "d", volume())
    path = tmp_path / "d" / "0003.dcm"
    path.write_bytes(path.read_bytes()[:-300])
    fails(tmp_path / "d", "0003.dcm: ")


def test_a_folder_without_images_is_named(tmp_path):
    (tmp_path / "d").mkdir()
    fails(tmp_path / "d", "no CT image")


def voc(folder, sop, *boxes):
    folder.mkdir(exist_ok=True)
    items = "".join(
        "<object><bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax></bndbox></object>".format(*b)
        for b in boxes
    )
    (folder / f"{sop}.xml").write_text(f"<annotation>{items}</annotation>")


def test_boxes_of_neighbouring_slices_are_one_mark(tmp_path):
    sops = write_dicom(tmp_path / "d", volume())
    voc(tmp_path / "d" / "annotation", sops[4], (4, 6, 8, 10))
    voc(tmp_path / "d" / "annotation", sops[5], (4, 6, 10, 14), (16, 1, 18, 3))
    far, near = only_scan(tmp_path / "d").marks[::-1]
    assert near.centre_mm == pytest.approx((-100 + 7 * 2.5, -90 + 10 * 2.5, -175.0))
    assert (near.diameter_mm, near.note, near.label) == (pytest.approx(17.5), "box", 0)
    assert far.diameter_mm == pytest.approx(5.0)


BOX = "<annotation><bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax></bndbox></annotation>"


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("<annotation><object><bndbox><xmin>3</xmin></bndbox></object></annotation>", "lacks a number"),
        (BOX.format("nan", 3, 20, 20), "a box from nan, 3 to 20, 20 has no area"),
        (BOX.format(3, 3, 3, 20), "has no area"),
        (BOX.format(3, 3, 999, 20), "a box leaves the slice"),
        (BOX.format(3, "-inf", 9, 9), "a box leaves the slice"),
        ("<annotation", "cannot be read as XML"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><annotation>&b;</annotation>', "document type or entities"),
    ],
)
def test_a_bad_box_file_is_refused(tmp_path, text, pattern):
    sops = write_dicom(tmp_path / "d", volume())
    (tmp_path / "d" / f"{sops[0]}.xml").write_text(text)
    fails(tmp_path / "d", pattern)
