"""Readings that another program has saved again: names count, prefixes do not; none is passed over in silence."""

import numpy as np
import pytest
from chest_samples import write_dicom
from test_reader_lidc import SERIES, SHAPE, archive, nodule, read, roi, sop, square

from lungsynth.cohort.lidc.xml_marks import read_readings
from lungsynth.cohort.listing import open_reader
from lungsynth.cohort.shapes import texture_of_rating
from lungsynth.study.errors import DataError

ONE = nodule(roi(sop(3), square(10, 20, 3)), texture=5)
HEAD = '<LidcReadMessage xmlns="http://www.nih.gov">'


def prefixed(text):
    text = text.replace("</", "</\0").replace("<", "<ns0:").replace("<ns0:/\0", "</ns0:").replace("<ns0:?", "<?")
    return text.replace("xmlns=", "xmlns:ns0=")


FORMS = {
    "as it is": lambda text: text,
    "a prefix before every name": prefixed,
    "a prefix that is not declared for all": lambda text: text.replace(HEAD, HEAD.replace(">", ' xmlns:x="urn:x">')),
    "another namespace": lambda text: text.replace("http://www.nih.gov", "http://www.nih.gov/idri"),
    "no namespace": lambda text: text.replace(' xmlns="http://www.nih.gov"', ""),
    "attributes": lambda text: text.replace("<SeriesInstanceUid>", '<SeriesInstanceUid a="1" xml:space="preserve" >'),
    "capital letters": lambda text: text.replace("SeriesInstanceUid>", "SeriesInstanceUID>"),
    "a namespace of its own": lambda text: text.replace("<SeriesInstanceUid>", '<SeriesInstanceUid xmlns="urn:b">'),
    "blanks": lambda text: text.replace(f">{SERIES}<", f">\n\t{SERIES}\n<"),
    "characters by number": lambda text: text.replace(f">{SERIES}<", f">&#49;{SERIES[1:]}<"),
    "CDATA": lambda text: text.replace(f">{SERIES}<", f"><![CDATA[{SERIES}]]><"),
    "comments": lambda text: text.replace(f">{SERIES}<", f"><!-- 9.9 -->{SERIES}<").replace(HEAD, f"<!-- x -->{HEAD}"),
    "an encoding": lambda text: text.replace('"1.0"?', '"1.0" encoding="ISO-8859-1"?'),
}


@pytest.mark.parametrize("kind", ["lidc", "scans"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["1.xml", "1.XML"])
def test_a_reading_means_the_same_in_every_form(tmp_path, form, name, kind):
    root = archive(tmp_path, [ONE], [ONE], name=name)
    path = root / "p" / "s" / name
    path.write_text(FORMS[form](path.read_text()))
    made = open_reader({"reader": kind, "path": "lidc"}, tmp_path)
    (ref,) = made.list()
    assert [(mark.readers, mark.texture) for mark in made.read(ref).marks] == [(2, "solid")]
    assert ref.extra.get("annotated", True)
    assert made.skipped == []


def test_the_same_reading_saved_in_two_forms_is_one(tmp_path):
    root = archive(tmp_path, [ONE])
    path = root / "p" / "s" / "1.xml"
    path.with_name("2.XML").write_text(prefixed(path.read_text()))
    assert len(read(root).marks) == 1


@pytest.mark.parametrize("kind", ["lidc", "scans"])
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda text: text.replace(SERIES, "1.9.9"), "of a series that is not in the folder"),
        (lambda text: text.replace(f">{SERIES}<", "><"), "that names no series"),
        (lambda text: text.replace("SeriesInstanceUid", "Series"), "that names no series"),
        (lambda text: text.replace(f">{SERIES}<", ">Jane Doe<"), "of a series that is not in the folder"),
        (lambda text: "words " + text, "that is no XML"),
    ],
)
def test_a_reading_that_is_not_understood_is_told_and_its_scan_is_not_annotated(tmp_path, change, reason, kind):
    root = archive(tmp_path, [ONE])
    path = root / "p" / "s" / "1.xml"
    path.write_text(change(path.read_text()))
    made = open_reader({"reader": kind, "path": "lidc"}, tmp_path)
    (ref,) = made.list()
    assert made.skipped == [("p/s/1.xml", f"is a reading of LIDC-IDRI's form {reason}")]
    assert not ref.extra.get("annotated", False)


def test_a_reading_inside_another_document_sets_its_scan_aside(tmp_path):
    root = archive(tmp_path, [ONE])
    path = root / "p" / "s" / "1.xml"
    path.write_text(path.read_text().replace("<LidcReadMessage", "<all><LidcReadMessage") + "</all>")
    made = open_reader({"reader": "scans", "path": "lidc"}, tmp_path)
    (ref,) = made.list()
    assert ref.extra["annotated"]
    with pytest.raises(DataError, match="no XML of the readers for its series"):
        made.read(ref)


def test_boxes_are_found_whatever_the_letters_and_prefixes(tmp_path):
    hu = np.random.default_rng(0).integers(-1000, 1000, SHAPE)
    sops = write_dicom(tmp_path / "d", hu)
    numbers = "".join(f"<v:{n}>{v}</v:{n}>" for n, v in (("xmin", 4.5), ("ymin", 6), ("xmax", "8e0"), ("ymax", 10)))
    text = f"<v:annotation xmlns:v='urn:voc'><v:object><v:bndbox>{numbers}</v:bndbox></v:object></v:annotation>"
    (tmp_path / "d" / f"{sops[4]}.XML").write_text(text)
    made = open_reader({"reader": "dicom", "path": "d"}, tmp_path)
    (ref,) = made.list()
    assert [mark.note for mark in made.read(ref).marks] == ["box"]


def points(form):
    return [(form.format(row), form.format(column)) for row, column in square(10, 20, 3)]


@pytest.mark.parametrize("form", ["{}.0", "{}.", "{}e0", " {} ", "{}.4", "+{}"])
def test_a_coordinate_is_a_number_however_it_is_written(tmp_path, form):
    plain = read(archive(tmp_path / "a", [ONE])).nodules
    assert np.array_equal(read(archive(tmp_path / "b", [nodule(roi(sop(3), points(form)))])).nodules, plain)


def test_a_coordinate_between_two_pixels_is_rounded_up(tmp_path):
    path = archive(tmp_path, [nodule(roi(sop(3), [("10.5", "20.5"), ("11.5", "20.49")]))]) / "p" / "s" / "1.xml"
    (reading,) = read_readings(path)
    assert reading.contours[0].points == ((11, 21), (12, 20))


@pytest.mark.parametrize("bad", ["", " ", "3,5", "nan", "inf", "x"])
def test_a_coordinate_that_is_no_number_is_refused(tmp_path, bad):
    root = archive(tmp_path, [nodule(roi(sop(3), [*square(10, 20, 3), (bad, 4)]))])
    with pytest.raises(DataError, match="nodule 1 of reader 1 has a coordinate or rating that is no number"):
        read(root)


@pytest.mark.parametrize(
    ("rating", "texture"),
    [
        ("0", ""),
        (" ", ""),
        ("6", ""),
        ("-1", ""),
        ("nan", ""),
        ("5.0", "solid"),
        ("1", "ground_glass"),
        ("3", "part_solid"),
    ],
)
def test_a_rating_outside_its_scale_is_none(tmp_path, rating, texture):
    rated = nodule(roi(sop(3), square(10, 20, 3)), texture=rating)
    (mark,) = read(archive(tmp_path, [rated])).marks
    assert mark.texture == texture


def test_no_rating_counts_in_no_mean(tmp_path):
    rated = [nodule(roi(sop(3), square(10, 20, 3)), texture=t) for t in ("0", "5")]
    (mark,) = read(archive(tmp_path, [rated[0]], [rated[1]])).marks
    assert mark.texture == "solid"
    assert [texture_of_rating(rating) for rating in (0, 5.5, np.nan, 1)] == ["", "", "", "ground_glass"]
