"""Patches: one scan a series, the filters of the table, roles by the patient's hash."""

import hashlib
import os
import zipfile

import numpy as np
import pytest

from lungsynth.cohort.listing import list_scans, open_reader
from lungsynth.cohort.patches.reader import COLUMNS
from lungsynth.cohort.shapes import texture_of_rating
from lungsynth.study.errors import DataError
from lungsynth.study.stages.cohort import Split

DATA = os.environ.get("LUNGSYNTH_DATA", "")


def table(tmp_path, rows, side=9):
    """A patch folder; `rows` are (patient, series, readers, texture, duplicate)."""
    root = tmp_path / "patches"
    root.mkdir(exist_ok=True)
    lines = [",".join(COLUMNS)]
    for k, (patient, series, readers, texture, twin) in enumerate(rows):
        lines.append(f"{k},{patient},{series},5,6,-10.5,0.7,{readers},{texture},4.5,{twin}")
    (root / "nodules.csv").write_text("\n".join(lines) + "\n")
    image = np.full((len(rows), side, side), -850, np.int16)
    mask = np.zeros((len(rows), side, side), np.uint8)
    for k in range(len(rows)):
        image[k, 3:6, 2 : 5 + k % 2] = 40 + k
        mask[k, 3:6, 2 : 5 + k % 2] = 1
    image[0, 0, 0] = -3024
    np.savez_compressed(root / "nodules.npz", image=image, mask=mask)
    return root


def reader(root, **own):
    return open_reader({"reader": "patches", "path": root.name, **own}, root.parent)


ROWS = [
    ("A", "1.1", 4, 5, 0),
    ("B", "1.2", 2, 1, 0),
    ("A", "1.1", 3, 1.5, 0),
    ("A", "1.3", 3, "", 0),
    ("C", "1.4", 3, 3, 1),
]


def test_patches_of_a_series_are_one_scan(tmp_path):
    made = reader(table(tmp_path, ROWS))
    refs = sorted(made.list(), key=lambda ref: ref.uid)
    assert [(ref.patient, ref.uid, ref.kind) for ref in refs] == [("A", "1.1", "patch"), ("A", "1.3", "patch")]
    scan = made.read(refs[0])
    assert scan.volume.hu.shape == (2, 9, 9)
    assert scan.volume.spacing_mm == (1.0, 0.7, 0.7)
    assert scan.volume.hu.min() == -1024
    assert [(m.label, m.readers, m.texture) for m in scan.marks] == [(1, 4, "solid"), (2, 3, "ground_glass")]
    for mark in scan.marks:
        where = np.argwhere(scan.nodules == mark.label).mean(0)
        assert scan.volume.to_index(mark.centre_mm) == pytest.approx(where)
    assert made.read(refs[1]).marks[0].texture == ""


def test_the_filters_open_and_close(tmp_path):
    root = table(tmp_path, ROWS)
    assert {ref.patient for ref in reader(root, min_readers=2).list()} == {"A", "B"}
    assert {ref.patient for ref in reader(root, drop_near_duplicates=False).list()} == {"A", "C"}
    with pytest.raises(DataError, match="no row passes min_readers 3"):
        reader(root, exclude_patients=["A"]).list()


def test_the_hash_says_who_is_test_and_nobody_else_is(tmp_path):
    people = [f"LIDC-IDRI-{k:04d}" for k in range(60)]
    source = {"reader": "patches", "path": "patches"}
    made = reader(table(tmp_path, [(p, f"1.{k}", 4, 5, 0) for k, p in enumerate(people)]))
    scans, _ = list_scans([made], [source], Split(fit=5, tune=1, domain=1, test=3), 2, seed=1)
    expected = {p for p in people if int(hashlib.sha256(p.encode()).hexdigest(), 16) % 5 == 0}
    assert set(scans[scans.role == "test"].patient) == expected
    assert set(scans.role) == {"fit", "tune", "domain", "test"}
    fixed, _ = list_scans([made], [{**source, "role": "fit"}], Split(fit=1, tune=0, domain=0, test=1), 2, seed=1)
    assert set(fixed.role) == {"fit", "test"}


@pytest.mark.parametrize(
    ("rating", "word"),
    [(1, "ground_glass"), (2.5, "part_solid"), (4.2, "part_solid"), (4.25, "solid"), (float("nan"), "")],
)
def test_ratings_become_words(rating, word):
    assert texture_of_rating(rating) == word


def fails(root, pattern):
    made = reader(root)
    with pytest.raises(DataError, match=pattern):
        made.read(made.list()[0])


def test_a_damaged_archive_is_named(tmp_path):
    root = table(tmp_path, ROWS)
    path = root / "nodules.npz"
    path.write_bytes(path.read_bytes()[:200])
    fails(root, "nodules.npz: cannot be read as patches")


def test_pickled_arrays_are_never_opened(tmp_path):
    root = table(tmp_path, ROWS)
    np.savez(root / "nodules.npz", image=np.array([{}], object), mask=np.zeros((1, 9, 9)))
    fails(root, "cannot be read as patches")


def test_a_table_that_names_more_than_there_is(tmp_path):
    root = table(tmp_path, ROWS)
    np.savez(root / "nodules.npz", image=np.zeros((1, 9, 9), np.int16), mask=np.zeros((1, 9, 9), np.uint8))
    fails(root, "holds 1 patches, nodules.csv names more")


def test_a_missing_column_is_named(tmp_path):
    root = table(tmp_path, ROWS)
    path = root / "nodules.csv"
    path.write_text(path.read_text().replace("eq_diam_mm", "size"))
    with pytest.raises(DataError, match="column eq_diam_mm is missing"):
        reader(root).list()


def edit(root, change):
    path = root / "nodules.csv"
    path.write_bytes(change(path.read_text()).encode())


@pytest.mark.parametrize("change", [lambda t: "\ufeff" + t, lambda t: t.replace("\n", "\r\n")])
def test_tables_from_a_spreadsheet_are_read(tmp_path, change):
    root = table(tmp_path, ROWS)
    plain = reader(root).list()
    edit(root, change)
    assert reader(root).list() == plain


@pytest.mark.parametrize(
    ("old", "new", "pattern"),
    [
        (",", ";", "nodules.csv: column index is missing, since the columns are separated by semicolons"),
        (",", "\t", "nodules.csv: column index is missing, since the columns are separated by tabs"),
        ("0,A,", "x,A,", "nodules.csv: row 2, index: 'x' is not a number"),
        ("0,A,", "0.5,A,", "nodules.csv: row 2, index: '0.5' is not a whole number"),
        ("0,A,", "-1,A,", "nodules.csv: row 2, index: -1 is there twice, negative"),
        ("1,B,", "0,B,", "nodules.csv: row 3, index: 0 is there twice"),
        ("1,B,", "1,,", "nodules.csv: row 3, patient_id: "),
        ("-10.5,0.7,2", "-10.5,0,2", "nodules.csv: row 3, pixel_spacing_mm: 0.0 is there twice, negative, zero"),
        ("4.5,1", "4.5,maybe", "nodules.csv: row 6, near_duplicate: 'maybe' is none of 0, 1, true, false"),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused(tmp_path, old, new, pattern):
    root = table(tmp_path, ROWS)
    edit(root, lambda text: text.replace(old, new))
    with pytest.raises(DataError, match=pattern) as caught:
        reader(root).list()
    assert "\n" not in str(caught.value)


def archive(root):
    with np.load(root / "nodules.npz") as data:
        return data["image"], data["mask"]


def test_votes_come_beside_the_patches_and_are_no_more_than_the_readers(tmp_path):
    root = table(tmp_path, ROWS)
    images, masks = archive(root)
    made = reader(root, min_readers=1, drop_near_duplicates=False)
    made.patches()
    assert made.votes is None
    np.savez(root / "nodules.npz", image=images, mask=masks, votes=masks)
    made = reader(root, min_readers=1, drop_near_duplicates=False)
    made.patches()
    np.testing.assert_array_equal(made.votes, masks)
    np.savez(root / "nodules.npz", image=images, mask=masks, votes=masks * 9)
    with pytest.raises(DataError, match="are fewer readers than `votes` counts"):
        reader(root, min_readers=1, drop_near_duplicates=False).patches()


def test_patches_of_all_readers_come_with_hu_and_masks_of_ones(tmp_path):
    root = table(tmp_path, ROWS)
    images, masks = archive(root)
    np.savez(root / "nodules.npz", image=images.astype(np.float32), mask=masks * 255)
    rows, hu, found = reader(root, min_readers=1, drop_near_duplicates=False).patches()
    assert rows["index"].tolist() == [0, 1, 2, 3, 4]
    assert (hu.dtype, hu.min()) == (np.int16, -1024)
    np.testing.assert_array_equal(found, masks)


def test_a_patch_whose_mask_is_empty_is_left_out_and_named(tmp_path):
    root = table(tmp_path, ROWS)
    images, masks = archive(root)
    masks[2] = 0
    np.savez(root / "nodules.npz", image=images, mask=masks)
    made = reader(root)
    assert made.patches()[0]["index"].tolist() == [0, 3]
    assert made.skipped == [("row 4", "its mask is empty")]
    np.savez(root / "nodules.npz", image=images, mask=masks * 0)
    with pytest.raises(DataError, match="the masks of all 3 patches are empty"):
        reader(root).patches()


def test_patches_of_other_archives_may_lack_columns_and_sizes(tmp_path):
    root = table(tmp_path, ROWS)
    lines = ["index,patient_id,pixel_spacing_mm,n_readers_slice,eq_diam_mm", "0,A,0.7,4,", "1,B,0.5,3,0", "2,B,0.5,3,8"]
    (root / "nodules.csv").write_text("\n".join(lines) + "\n")
    rows, _, masks = reader(root, drop_near_duplicates=False).patches()
    of_mask = [2 * np.sqrt(masks[k].sum() / np.pi) * mm for k, mm in enumerate((0.7, 0.5))]
    assert rows["eq_diam_mm"].tolist() == pytest.approx([*of_mask, 8])
    assert rows["texture"].isna().all()
    with pytest.raises(DataError, match="column near_duplicate is missing"):
        reader(root).patches()
    with pytest.raises(DataError, match="column series_uid is missing"):
        reader(root).list()


@pytest.mark.parametrize("numbers", [None, (40, 7, 3, 2, 900)])
def test_row_i_is_patch_i_without_numbers_and_with_those_of_a_larger_set(tmp_path, numbers):
    root = table(tmp_path, ROWS)
    lines = (root / "nodules.csv").read_text().splitlines()
    rest = [line.partition(",")[2] for line in lines]
    if numbers is not None:
        rest = [f"{number},{line}" for number, line in zip(("index", *numbers), rest, strict=True)]
    (root / "nodules.csv").write_text("\n".join(rest) + "\n")
    rows, _, masks = reader(root, min_readers=1, drop_near_duplicates=False).patches()
    assert rows["index"].tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_array_equal(masks, archive(root)[1])


def test_a_place_that_is_not_known_stops_nothing(tmp_path):
    root = table(tmp_path, ROWS)
    edit(root, lambda text: text.replace(",5,6,-10.5,", ",,,,"))
    rows, _, _ = reader(root, min_readers=1, drop_near_duplicates=False).patches()
    assert (len(rows), rows[["row0", "col0", "z_mm"]].isna().all(axis=None)) == (5, True)


def test_a_table_without_numbers_and_of_another_length_is_refused(tmp_path):
    root = table(tmp_path, ROWS)
    lines = (root / "nodules.csv").read_text().splitlines()[:-1]
    (root / "nodules.csv").write_text("\n".join(line.partition(",")[2] for line in lines) + "\n")
    with pytest.raises(DataError, match="has 4 rows for 5 patches"):
        reader(root, min_readers=1, drop_near_duplicates=False).patches()


@pytest.mark.parametrize("mm", ["0.1", "5", "700"])
def test_pixels_that_cannot_be_are_refused_before_they_are_resampled(tmp_path, mm):
    root = table(tmp_path, ROWS)
    edit(root, lambda text: text.replace("0.7,4", f"{mm},4"))
    with pytest.raises(DataError, match=f"row 2, pixel_spacing_mm: {float(mm)} mm; 0.2 to 3 are possible"):
        reader(root).patches()


def test_stored_values_are_not_taken_for_hu(tmp_path):
    root = table(tmp_path, ROWS)
    images, masks = archive(root)
    np.savez(root / "nodules.npz", image=np.clip(images, -1024, None) + 1024, mask=masks)
    with pytest.raises(DataError, match="no air in any patch"):
        reader(root).patches()


def test_an_archive_with_damaged_pixels_is_named(tmp_path):
    root = table(tmp_path, ROWS, side=80)
    images, masks = archive(root)
    images += np.random.default_rng(0).integers(0, 99, images.shape, dtype=np.int16)
    np.savez_compressed(root / "nodules.npz", image=images, mask=masks)
    content = bytearray((root / "nodules.npz").read_bytes())
    content[2000:2100] = b"\xff" * 100
    (root / "nodules.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"nodules\.npz: cannot be read as patches"):
        reader(root).patches()


def test_a_series_of_more_patches_than_a_byte_counts_keeps_its_labels(tmp_path):
    made = reader(table(tmp_path, [("A", "1.1", 4, 5, 0)] * 300))
    scan = made.read(made.list()[0])
    assert [scan.nodules[k].max() for k in (0, 254, 255, 299)] == [1, 255, 256, 300]


@pytest.mark.skipif(not DATA, reason="LUNGSYNTH_DATA is not set: no real patches")
def test_the_real_table_gives_the_nodules_of_the_literature():
    made = open_reader({"reader": "patches", "path": "lidc_nodules"}, DATA)
    refs = sorted(made.list(), key=lambda ref: ref.uid)
    marks = [mark for ref in refs for mark in made.read(ref).marks]
    assert (len(marks), len({ref.patient for ref in refs})) == (1009, 523)
    shares = [np.mean([m.texture == word for m in marks]) for word in ("ground_glass", "part_solid", "solid")]
    assert shares == pytest.approx([0.05, 0.09, 0.85], abs=0.01)


def plain_array(path):
    with path.open("wb") as file:
        np.save(file, np.zeros((5, 9, 9), np.int16))


def encrypted(path):
    data = bytearray(path.read_bytes())
    data[data.find(b"PK\x03\x04") + 6] |= 1
    data[data.find(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)


def bad_header(path):
    with zipfile.ZipFile(path, "w") as packed:
        for name in ("image.npy", "mask.npy"):
            packed.writestr(name, b"\x93NUMPY\x01\x00\x0a\x00{'descr':((")


@pytest.mark.parametrize("spoil", [plain_array, encrypted, bad_header])
def test_what_is_no_archive_of_arrays_is_named(tmp_path, spoil):
    root = table(tmp_path, ROWS)
    spoil(root / "nodules.npz")
    fails(root, "nodules.npz: cannot be read as patches")


def test_an_index_that_no_array_has_spoils_its_own_scan_alone(tmp_path):
    root = table(tmp_path, ROWS)
    edit(root, lambda text: text.replace("3,A,1.3", "1e30,A,1.3"))
    made = reader(root)
    first, second = made.list()
    bad, good = (first, second) if first.uid == "1.3" else (second, first)
    assert len(made.read(good).volume.hu) == 2
    with pytest.raises(DataError, match="names more"):
        made.read(bad)


def test_a_scan_has_the_share_of_the_readers_who_hold_a_pixel(tmp_path):
    """Of the rows that pass; a reader's pixels outside the consensus are kept, and more votes than readers refused."""
    root = table(tmp_path, ROWS)
    images, masks = archive(root)
    made = reader(root)
    assert made.read(made.list()[0]).shares is None
    votes = masks * np.array([4, 2, 2, 1, 3], np.uint8)[:, None, None]
    votes[2, 8, 8] = 1
    np.savez(root / "nodules.npz", image=images, mask=masks, votes=votes)
    made = reader(root)
    (ref,) = [ref for ref in made.list() if ref.uid == "1.1"]
    scan = made.read(ref)
    assert [sorted(set(plane.ravel())) for plane in scan.shares] == [[0, 255], [0, 85, 170]]
    assert scan.shares[1, 8, 8] == 85 and scan.nodules[1, 8, 8] == 0
    np.savez(root / "nodules.npz", image=images, mask=masks, votes=votes * 2)
    made = reader(root)
    with pytest.raises(DataError, match="row 2, n_readers_slice: 4 are fewer readers than `votes` counts"):
        made.read(ref)
