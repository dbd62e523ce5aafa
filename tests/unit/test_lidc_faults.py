"""LIDC's XML as it comes: what speaks of another scan is left aside, what cannot be trusted sets one scan aside."""

import codecs
import shutil

import numpy as np
import pydicom
import pytest
from chest_samples import write_dicom
from test_reader_lidc import SERIES, SHAPE, archive, nodule, read, roi, sop, square

from lungsynth.cohort.listing import open_reader
from lungsynth.study.errors import DataError

ONE = nodule(roi(sop(3), square(10, 20, 3)))


def fails(root, pattern):
    with pytest.raises(DataError, match=pattern) as caught:
        read(root)
    assert "\n" not in str(caught.value)


def xml(root):
    return root / "p" / "s" / "1.xml"


def test_the_xml_of_another_series_is_not_used(tmp_path):
    root = archive(tmp_path, [ONE])
    xml(root).write_text(xml(root).read_text().replace(f">{SERIES}<", ">1.2.3.5<"))
    fails(root, "no XML of the readers for its series, only of others")


def test_radiograph_readings_and_strangers_lie_beside_it(tmp_path):
    root = archive(tmp_path, [ONE])
    head = f"<ResponseHeader><SeriesInstanceUid>{SERIES}</SeriesInstanceUid></ResponseHeader>"
    (root / "p" / "s" / "0.xml").write_text(f"<IdriReadMessage>{head}</IdriReadMessage>")
    (root / "p" / "s" / "2.xml").write_text("<annotation")
    (root / "p" / "s" / "3.xml").mkdir()
    assert len(read(root).marks) == 1


def test_several_files_for_a_series_must_agree(tmp_path):
    root = archive(tmp_path, [ONE])
    other = root / "p" / "s" / "2.xml"
    other.write_bytes(xml(root).read_bytes())
    assert len(read(root).marks) == 1
    other.write_text(xml(root).read_text().replace("TRUE", "FALSE"))
    fails(root, "1.xml: .*2.xml speaks of the same series and differs")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_no_fault(tmp_path, encoding):
    root = archive(tmp_path, [ONE])
    text = xml(root).read_text().replace('<?xml version="1.0"?>', f'<?xml version="1.0" encoding="{encoding[:6]}"?>')
    xml(root).write_bytes(text.replace('"utf-8-"', '"utf-8"').encode(encoding))
    assert xml(root).read_bytes()[:2] in (codecs.BOM_UTF8[:2], codecs.BOM_UTF16)
    assert len(read(root).marks) == 1


def test_broken_xml_is_named(tmp_path):
    root = archive(tmp_path, [ONE])
    xml(root).write_bytes(xml(root).read_bytes()[:-30])
    fails(root, "1.xml: cannot be read as XML")


BOMB = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
FILE = '<!DOCTYPE x SYSTEM "file:///etc/passwd">'


@pytest.mark.parametrize("head", [BOMB, FILE, BOMB.replace("DOCTYPE", "DOCTYPE\n")])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities_are_refused_in_every_encoding(tmp_path, head, encoding):
    root = archive(tmp_path, [ONE])
    text = xml(root).read_text().replace('<?xml version="1.0"?>', f'<?xml version="1.0" encoding="{encoding}"?>{head}')
    xml(root).write_bytes(text.encode(encoding))
    fails(root, "1.xml: declares a document type or entities")


def test_deep_nesting_is_read_and_finds_nothing(tmp_path):
    root = archive(tmp_path, [])
    depth = 50_000
    xml(root).write_text(
        xml(root).read_text().replace("<readingSession>", "<a>" * depth + "</a>" * depth + "<readingSession>")
    )
    assert read(root).marks == ()


def test_one_point_among_outlines_is_one_pixel(tmp_path):
    scan = read(archive(tmp_path, [nodule(roi(sop(3), square(10, 20, 3)), roi(sop(4), [(10, 20)]))]))
    assert np.count_nonzero(scan.nodules[3]) == 25
    assert np.argwhere(scan.nodules[4]).tolist() == [[10, 20]]


def test_one_point_far_from_the_others_is_no_fault(tmp_path):
    rois = roi(sop(3), square(10, 20, 3)), roi(sop(4), [(0, 0)]), roi(sop(5), [(39, 43)])
    scan = read(archive(tmp_path, [nodule(*rois)]))
    assert np.argwhere(scan.nodules[4:6]).tolist() == [[0, 0, 0], [1, 39, 43]]


@pytest.mark.parametrize("outside", [[(10, -3), (12, -3), (12, 2)], [(38, 10), (38, 20), (45, 15)]])
def test_an_outline_outside_the_slice_is_refused(tmp_path, outside):
    fails(archive(tmp_path, [nodule(roi(sop(3), outside))]), "1.xml: an outline leaves the slice")


def test_readers_who_agree_on_nothing_marked_different_lesions(tmp_path):
    places = (8, 8), (8, 30), (28, 8), (28, 30)
    root = archive(tmp_path, *[[nodule(roi(sop(3), square(*at, 3)))] for at in places])
    assert [mark.readers for mark in read(root).marks] == [1, 1, 1, 1]
    assert read(root, min_readers=2).marks == ()
    assert not read(root, min_readers=2).nodules.any()


def test_a_lesion_whose_readers_share_no_pixel_is_all_that_they_drew(tmp_path):
    root = archive(tmp_path, [nodule(roi(sop(3), square(10, 10, 4)))], [nodule(roi(sop(4), square(10, 10, 4)))])
    scan = read(root, consensus=1.0)
    (mark,) = scan.marks
    assert (mark.readers, np.count_nonzero(scan.nodules)) == (2, 98)


def test_a_nodule_that_is_all_hole_is_refused(tmp_path):
    fails(archive(tmp_path, [nodule(roi(sop(3), square(10, 20, 3), inside=False))]), "1.xml: a nodule has no pixels")


def test_nobody_marked_anything(tmp_path):
    scan = read(archive(tmp_path, [], [], [], []))
    assert scan.marks == ()
    assert not scan.nodules.any()


def test_a_mixed_folder_hides_no_series(tmp_path):
    root = archive(tmp_path, [ONE])
    folder = root / "p" / "s"
    hu = np.random.default_rng(1).integers(-1000, 1000, SHAPE)
    for name, series, tags in (("a", "1.1", {"Modality": "DX"}), ("b", "1.2", {"GantryDetectorTilt": 9})):
        write_dicom(tmp_path / name, hu, series=series, patient="LIDC-IDRI-0009", **tags)
        for path in (tmp_path / name).iterdir():
            path.rename(folder / f"0{name}{path.name}")
    (folder / "00.dcm").write_text("no image")
    made = open_reader({"reader": "lidc", "path": "lidc"}, tmp_path)
    refs = {ref.uid: ref for ref in made.list()}
    assert sorted(refs) == ["1.2", SERIES]
    assert sorted(reason for _, reason in made.skipped) == [
        "is no DICOM file",
        "modality DX, not CT (and 11 more in its folder)",
    ]
    assert len(made.read(refs[SERIES]).marks) == 1
    with pytest.raises(DataError, match="gantry was tilted"):
        made.read(refs["1.2"])


@pytest.mark.parametrize(
    "points", [[(10, 20), (10, 24)], [(10, 20), (10, 20), (10, 24)], [(10, 20), (14, 20), (10, 20)]]
)
def test_an_outline_of_two_points_is_a_line(tmp_path, points):
    scan = read(archive(tmp_path, [nodule(roi(sop(3), points))]))
    assert np.count_nonzero(scan.nodules[3]) == 5


def test_an_outline_of_one_point_drawn_twice_is_one_pixel(tmp_path):
    scan = read(archive(tmp_path, [nodule(roi(sop(3), [(10, 20), (10, 20)]))]))
    assert np.argwhere(scan.nodules).tolist() == [[3, 10, 20]]


def test_a_copy_of_a_series_is_told_and_a_copy_saved_anew_sets_that_series_aside(tmp_path):
    root = archive(tmp_path, [ONE])
    shutil.copytree(root / "p" / "s", root / "p" / "copy")
    made = open_reader({"reader": "lidc", "path": "lidc"}, tmp_path)
    (ref,) = made.list()
    assert len(made.read(ref).marks) == 1
    assert made.skipped[0][1].startswith("is another file of the folder once more")
    for path in (root / "p" / "copy").glob("*.dcm"):
        again = pydicom.dcmread(path)
        again.StationName = "elsewhere"
        again.save_as(path)
    fails(root, "two slices lie at -200 mm; keep one of them")


def test_readings_of_slices_that_are_not_axial_are_refused_with_their_series(tmp_path):
    root = archive(tmp_path, [nodule(roi("9.9", square(10, 20, 3)))])
    for k, path in enumerate(sorted((root / "p" / "s").glob("*.dcm"))):
        data = pydicom.dcmread(path)
        data.ImageOrientationPatient, data.ImagePositionPatient = [1, 0, 0, 0, 0, -1], [0, 5 * k, 0]
        data.save_as(path)
    fails(root, "the slices are not axial")


def test_what_a_reader_wrote_into_a_damaged_reading_is_not_quoted(tmp_path):
    root = archive(tmp_path, [ONE, ONE.replace("<noduleID>n<", "<noduleID>Jane Doe<").replace("20<", "x<")])
    with pytest.raises(DataError, match="nodule 2 of reader 1 has a coordinate") as caught:
        read(root)
    assert "Jane" not in str(caught.value)
