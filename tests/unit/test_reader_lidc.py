"""LIDC: four readers' outlines become lesions, by the rules of the archive."""

import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
from chest_samples import write_dicom

from lungsynth.cohort.lidc.consensus import fill
from lungsynth.cohort.lidc.xml_marks import Contour
from lungsynth.cohort.listing import open_reader
from lungsynth.study.errors import DataError

DATA = os.environ.get("LUNGSYNTH_DATA", "")
SERIES = "1.2.3.4"
SHAPE = (12, 40, 44)


def square(row, column, half):
    """Outline of a square round (row, column): its interior has (2 half - 1)^2 pixels."""
    steps = range(-half, half)
    return (
        [(row - half, column + s) for s in steps]
        + [(row + s, column + half) for s in steps]
        + [(row + half, column - s) for s in steps]
        + [(row - s, column - half) for s in steps]
    )


def roi(sop, points, z=0.0, inside=True):
    edges = "".join(f"<edgeMap><xCoord>{c}</xCoord><yCoord>{r}</yCoord></edgeMap>" for r, c in points)
    head = f"<imageZposition>{z}</imageZposition><imageSOP_UID>{sop}</imageSOP_UID>"
    return f"<roi>{head}<inclusion>{'TRUE' if inside else 'FALSE'}</inclusion>{edges}</roi>"


def nodule(*rois, texture=None):
    rated = f"<characteristics><texture>{texture}</texture></characteristics>" if texture else ""
    return f"<unblindedReadNodule><noduleID>n</noduleID>{rated}{''.join(rois)}</unblindedReadNodule>"


def archive(tmp_path, *sessions, series=SERIES, name="1.xml"):
    """A folder with one scan and the XML of the given reading sessions (lists of nodules)."""
    root = tmp_path / "lidc"
    hu = np.random.default_rng(0).integers(-1000, 1000, SHAPE)
    write_dicom(root / "p" / "s", hu, patient="LIDC-IDRI-0009", series=SERIES)
    read = "".join(f"<readingSession>{''.join(nodules)}</readingSession>" for nodules in sessions)
    head = f"<ResponseHeader><SeriesInstanceUid>{series}</SeriesInstanceUid></ResponseHeader>"
    text = f'<?xml version="1.0"?><LidcReadMessage xmlns="http://www.nih.gov">{head}{read}</LidcReadMessage>'
    (root / "p" / "s" / name).write_text(text)
    return root


def read(root, **own):
    made = open_reader({"reader": "lidc", "path": "lidc", **own}, root.parent)
    (ref,) = made.list()
    return made.read(ref)


def sop(k):
    return f"{SERIES}.{k + 1}"


def test_the_outline_lies_outside_the_nodule(tmp_path):
    scan = read(archive(tmp_path, [nodule(roi(sop(3), square(10, 20, 3)), texture=5)]))
    expected = np.zeros(SHAPE, bool)
    expected[3, 8:13, 18:23] = True
    assert np.array_equal(scan.nodules == 1, expected)
    (mark,) = scan.marks
    assert mark.centre_mm == pytest.approx((-100 + 20 * 2.5, -90 + 10 * 2.5, -185.0))
    assert mark.diameter_mm == pytest.approx((6 * 25 * 2.5 * 2.5 * 5 / np.pi) ** (1 / 3))
    assert (mark.readers, mark.texture) == (1, "solid")


def test_the_border_counts_where_asked(tmp_path):
    root = archive(tmp_path, [nodule(roi(sop(3), square(10, 20, 3)))])
    assert np.count_nonzero(read(root, include_border=True).nodules) == 49


def test_an_excluded_outline_is_a_hole(tmp_path):
    rois = roi(sop(3), square(20, 20, 6)), roi(sop(3), square(20, 20, 3), inside=False)
    scan = read(archive(tmp_path, [nodule(*rois)]))
    assert np.count_nonzero(scan.nodules) == 11**2 - 5**2
    assert scan.nodules[3, 20, 20] == 0


def test_half_of_those_who_marked_it_decide(tmp_path):
    sizes = (2, 4, 6, 8)
    root = archive(
        tmp_path,
        *[[nodule(roi(sop(3), square(20, 20, s)), texture=t)] for s, t in zip(sizes, (5, 5, 1, 1), strict=True)],
    )
    scan = read(root)
    assert np.count_nonzero(scan.nodules) == 11**2
    assert (scan.marks[0].readers, scan.marks[0].texture) == (4, "part_solid")
    assert np.count_nonzero(read(root, consensus=1.0).nodules) == 3**2
    values, counts = np.unique(scan.shares, return_counts=True)
    assert values.tolist() == [0, 64, 128, 191, 255]
    assert counts[1:].tolist() == [15**2 - 11**2, 11**2 - 7**2, 7**2 - 3**2, 3**2]
    np.testing.assert_array_equal(scan.shares >= 128, scan.nodules > 0)


def test_neighbours_link_by_their_centres_and_strangers_do_not(tmp_path):
    near = nodule(roi(sop(3), square(10, 10, 3))), nodule(roi(sop(4), square(10, 10, 3)))
    far = nodule(roi(sop(9), square(30, 30, 4)))
    scan = read(archive(tmp_path, [near[0]], [near[1]], [far]))
    assert sorted(mark.readers for mark in scan.marks) == [1, 2]
    assert len(read(archive(tmp_path, [near[0]], [near[1]], [far]), min_readers=2).marks) == 1


def test_points_are_no_nodules(tmp_path):
    small = nodule(roi(sop(3), [(5, 5)]))
    other = "<nonNodule><nonNoduleID>x</nonNoduleID></nonNodule>"
    assert read(archive(tmp_path, [small, other])).marks == ()


def test_the_slice_is_found_by_its_uid_and_not_by_z(tmp_path):
    scan = read(archive(tmp_path, [nodule(roi(sop(7), square(10, 20, 3), z=-999))]))
    assert np.flatnonzero(scan.nodules.any((1, 2))).tolist() == [7]


def test_an_unknown_uid_falls_back_to_z(tmp_path):
    scan = read(archive(tmp_path, [nodule(roi("9.9", square(10, 20, 3), z=-190.0))]))
    assert np.flatnonzero(scan.nodules.any((1, 2))).tolist() == [2]


@pytest.mark.parametrize(
    ("nodules", "pattern"),
    [
        (nodule(roi("9.9", square(10, 20, 3), z=-188.0)), "lies in no slice of the scan"),
        (nodule(roi(sop(3), square(10, 60, 3))), "an outline leaves the slice"),
        (nodule(roi(sop(3), [("a", 1), (2, 2)])), "no number"),
    ],
)
def test_bad_outlines_are_named_with_their_file(tmp_path, nodules, pattern):
    with pytest.raises(DataError, match=pattern) as caught:
        read(archive(tmp_path, [nodules]))
    assert "1.xml" in str(caught.value)


def test_the_xml_is_found_by_its_series_and_missed_with_a_message(tmp_path):
    root = archive(tmp_path, [nodule(roi(sop(3), square(10, 20, 3)))])
    (root / "elsewhere").mkdir()
    (root / "p" / "s" / "1.xml").rename(root / "elsewhere" / "1.xml")
    assert len(read(root).marks) == 1
    (root / "elsewhere" / "1.xml").unlink()
    with pytest.raises(DataError, match="no XML of the readers"):
        read(root)


def test_an_entity_bomb_is_refused(tmp_path):
    root = archive(tmp_path, [])
    path = root / "p" / "s" / "1.xml"
    path.write_text(path.read_text().replace("<LidcReadMessage", '<!DOCTYPE x [<!ENTITY a "aa">]><LidcReadMessage'))
    with pytest.raises(DataError, match="document type or entities"):
        read(root)


def test_a_line_of_pixels_stays_where_nothing_else_would(tmp_path):
    contour = Contour("", 0.0, True, ((5, 5), (5, 6), (5, 7)))
    assert np.count_nonzero(fill(contour, (12, 12), False)) == 3


@pytest.mark.skipif(not DATA, reason="LUNGSYNTH_DATA is not set: no real scans")
@pytest.mark.parametrize(
    ("patient", "readers", "texture"),
    [("0001", 4, "solid"), pytest.param("0002", 2, "ground_glass", marks=pytest.mark.slow)],
)
def test_real_scans_give_the_masks_of_the_patch_table(tmp_path, patient, readers, texture):
    import pandas as pd

    archive = Path(DATA) / "ct_scans" / f"LIDC-IDRI-{patient}.tar.xz"
    if not archive.is_file():
        pytest.skip(f"LUNGSYNTH_DATA holds no ct_scans/{archive.name}")
    with tarfile.open(archive) as packed:
        packed.extractall(tmp_path / "lidc", filter="data")
    scan = read(tmp_path / "lidc")
    assert [(m.readers, m.texture) for m in scan.marks] == [(readers, texture)]
    folder = Path(DATA) / "lidc_nodules"
    table = pd.read_csv(folder / "nodules.csv")
    row = table[table.patient_id == f"LIDC-IDRI-{patient}"].iloc[0]
    with np.load(folder / "nodules.npz") as data:
        image, mask = data["image"][row["index"]], data["mask"][row["index"]]
    plane = round(float(scan.volume.to_index((0, 0, row.z_mm))[0]))
    window = (plane, slice(row.row0, row.row0 + 71), slice(row.col0, row.col0 + 71))
    assert np.array_equal(scan.volume.hu[window], np.clip(image, -1024, 3071))
    assert np.array_equal(scan.nodules[window] > 0, mask > 0)
