"""NIfTI folders: masks are found and lie on their scan, and a file that lies about itself is refused in one line."""

import gzip
import os
import struct

import numpy as np
import pytest
import SimpleITK as sitk
from chest_samples import chest, image

from lungsynth.cohort.listing import from_row, list_scans, open_reader, to_row
from lungsynth.cohort.masks import split_sides
from lungsynth.cohort.prepare import prepare_batch, upright
from lungsynth.ct.volume import Volume
from lungsynth.study.errors import DataError
from lungsynth.study.stages.cohort import Split

SHAPE = (14, 24, 26)
SPACING = (2.0, 0.8, 0.8)
GRID = {"spacing_mm": SPACING}


def noise(seed=0, shape=SHAPE):
    return np.random.default_rng(seed).integers(-1000, 400, shape).astype(np.int16)


def save(path, array, oriented="LPS", **options):
    """An array [z, y, x] along L, P, S as a file whose axes point elsewhere."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made = image(array, **{**GRID, **options})
    sitk.WriteImage(sitk.DICOMOrient(made, oriented), str(path.with_name(path.name.lower())))
    return path.with_name(path.name.lower()).rename(path)


def reader(root, **own):
    return open_reader({"reader": "nifti", "path": root.name, **own}, root.parent)


def only_scan(root, **own):
    """The scan as it is prepared: upright."""
    made = reader(root, **own)
    (ref,) = made.list()
    return upright(made.read(ref))


def fails(root, pattern, **own):
    with pytest.raises(DataError, match=pattern) as caught:
        only_scan(root, **own)
    assert "\n" not in str(caught.value)


def edit(path, form, at, *values):
    """Changes a field of an unpacked file's header."""
    raw = bytearray(path.read_bytes())
    struct.pack_into(form, raw, at, *values)
    path.write_bytes(raw)


@pytest.fixture
def plain(tmp_path):
    """One scan, not packed."""
    return save(tmp_path / "n" / "a.nii", noise())


def ball(at, radius=3, shape=SHAPE):
    grid = np.moveaxis(np.indices(shape), 0, -1)
    return np.linalg.norm((grid - at) * np.array(SPACING), axis=-1) <= radius


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "Müller Ä 1/b c.nii.gz", "A.NII.GZ"])
def test_hu_and_place_are_kept(tmp_path, name):
    save(tmp_path / "n" / name, noise())
    scan = only_scan(tmp_path / "n")
    assert np.array_equal(scan.volume.hu, noise())
    assert scan.volume.hu.dtype == np.int16
    assert scan.volume.spacing_mm == pytest.approx(SPACING)
    assert scan.volume.origin_mm == pytest.approx((-100, -90, -200))
    assert (scan.lungs, scan.nodules, scan.marks) == (None, None, ())


@pytest.mark.parametrize("where", ["_nodules", "labels/", "labels/_n"])
@pytest.mark.parametrize("oriented", ["LPS", "RAS", "SRP"])
def test_masks_are_found_and_turned_with_or_without_their_scan(tmp_path, where, oriented):
    folder, _, ending = where.rpartition("/")
    hu, labels = noise(), np.zeros(SHAPE, np.uint8)
    labels[ball((4, 8, 6))], labels[ball((9, 15, 20), 2)] = 3, 7
    hu[labels == 3], hu[labels == 7] = 30, -700
    save(tmp_path / "n" / "sub" / "a.nii.gz", hu, "RAS")
    save(tmp_path / "n" / folder / "sub" / f"a{ending}.nii.gz", labels, oriented)
    scan = only_scan(tmp_path / "n", nodules=where)
    assert np.array_equal(scan.nodules, labels)
    first = scan.marks[0]
    assert first.centre_mm == pytest.approx((-100 + 6 * 0.8, -90 + 8 * 0.8, -200 + 4 * 2))
    assert first.diameter_mm == pytest.approx((6 * (labels == 3).sum() * 2 * 0.64 / np.pi) ** (1 / 3))
    assert [(m.label, m.texture, m.note) for m in scan.marks] == [(3, "solid", "label"), (7, "ground_glass", "label")]


def test_a_mask_of_one_value_falls_into_its_components(tmp_path):
    mask = (ball((4, 8, 6)) | ball((9, 15, 20), 2)).astype(np.uint8) * 255
    save(tmp_path / "n" / "a.nii.gz", noise())
    save(tmp_path / "n" / "a_nodules.nii.gz", mask)
    scan = only_scan(tmp_path / "n")
    assert [(m.label, m.note) for m in scan.marks] == [(1, "component"), (2, "component")]
    assert np.array_equal(scan.nodules == 2, ball((9, 15, 20), 2))
    assert [m.label for m in only_scan(tmp_path / "n", nodule_values="labels").marks] == [255]


def test_labels_can_be_taken_for_one_mask(tmp_path):
    mask = ball((4, 8, 6)).astype(np.uint8) + 2 * ball((9, 15, 20), 2) + 3 * ball((9, 15, 22), 1)
    save(tmp_path / "n" / "a.nii.gz", noise())
    save(tmp_path / "n" / "a_nodules.nii.gz", mask.astype(np.uint16))
    assert len(only_scan(tmp_path / "n").marks) == 4
    assert len(only_scan(tmp_path / "n", nodule_values="binary").marks) == 2


def test_an_empty_mask_is_a_scan_without_nodules(tmp_path):
    save(tmp_path / "n" / "a.nii.gz", noise())
    save(tmp_path / "n" / "a_nodules.nii.gz", np.zeros(SHAPE, np.uint8))
    scan = only_scan(tmp_path / "n")
    assert (scan.marks, scan.nodules.any()) == ((), False)


@pytest.mark.parametrize("values", [(1, 1), (255, 255), (1, 2), (2, 1)])
def test_lungs_become_right_1_and_left_2(tmp_path, values):
    lungs = np.zeros(SHAPE, np.uint8)
    lungs[2:12, 5:20, 2:11], lungs[2:12, 5:20, 14:24] = values
    save(tmp_path / "n" / "a.nii.gz", noise(), "RAS")
    save(tmp_path / "n" / "a_lungs.nii.gz", lungs, "RAS")
    found = only_scan(tmp_path / "n").lungs
    assert np.array_equal(found, np.where(lungs > 0, np.where(np.arange(SHAPE[2]) < 12, 1, 2), 0))


@pytest.mark.parametrize("ending", ["_mask", "_seg", "_label", "_labels", "-segmentation", ".Lung_Mask"])
def test_masks_of_other_names_are_no_scans_and_the_names_that_are_read_are_told(tmp_path, ending):
    for name in ("a", f"a{ending}", "b_seg_of_mine", "seg"):
        save(tmp_path / "n" / f"{name}.nii.gz", noise())
    made = reader(tmp_path / "n", lungs="lungs/_l")
    assert len(made.list()) == 3
    ((_, reason),) = made.skipped
    assert f"mask ({ending}); masks are read as lungs/NAME_l (lungs) and NAME_nodules (nodules)" in reason
    assert len(reader(tmp_path / "n", nodules=ending).list()) == 3


def test_a_mask_without_its_scan_beside_is_called_one(tmp_path):
    lungs = chest()[1]
    save(tmp_path / "n" / "only_mask.nii.gz", lungs, spacing_mm=(5.0, 2.5, 2.5))
    save(tmp_path / "n" / "byte.nii.gz", lungs * 127, spacing_mm=(5.0, 2.5, 2.5))
    made = reader(tmp_path / "n")
    listed, _ = list_scans([made], [{"reader": "nifti"}], Split(fit=1, tune=0, domain=0, test=1), 1, seed=1)
    table = prepare_batch(listed.to_dict("records"), [made], tmp_path / "out")
    told = (
        r"looks like a mask and not like CT: whole numbers from 0 to (2|254), most of them 0; masks are read as NAME_lu"
    )
    assert table.reason.str.match(told).tolist() == [True, True]


def test_lungs_that_touch_are_cut_where_they_are_thinnest():
    z, y, x = np.indices((5, 40, 60))
    right, left = ((x - 18) ** 2 + (y - 20) ** 2 <= 15**2), ((x - 44) ** 2 + (y - 20) ** 2 <= 12**2)
    sides = split_sides(right | left, Volume(np.zeros(z.shape, np.int16), (1, 1, 1)))
    assert (sides[right & ~left] == 1).mean() > 0.99
    assert (sides[left & ~right] == 2).mean() > 0.99
    assert np.array_equal(sides > 0, right | left)
    assert not split_sides(np.zeros((2, 3, 4), bool), Volume(np.zeros((2, 3, 4)), (1, 1, 1))).any()


def test_other_values_of_a_lung_mask_are_refused_unless_named(tmp_path):
    lungs = np.zeros(SHAPE, np.uint8)
    lungs[2:12, 5:20, 2:11], lungs[2:12, 5:20, 14:24], lungs[0, 0, 0] = 3, 4, 5
    save(tmp_path / "n" / "a.nii.gz", noise())
    save(tmp_path / "n" / "a_lungs.nii.gz", lungs)
    fails(tmp_path / "n", r"values \[3, 4, 5\] are unknown")
    found = only_scan(tmp_path / "n", right_labels=[4], left_labels=[3], other_labels=[5]).lungs
    assert (found[5, 10, 5], found[5, 10, 20], found[0, 0, 0]) == (1, 2, 0)


@pytest.mark.parametrize(
    ("array", "options"),
    [
        (np.zeros((14, 24, 25), np.uint8), {}),
        (np.zeros(SHAPE, np.uint8), {"spacing_mm": (2.0, 0.9, 0.9)}),
        (np.zeros(SHAPE, np.uint8), {"origin_mm": (-99.0, -90.0, -200.0)}),
    ],
)
def test_a_mask_on_another_grid_is_refused(tmp_path, array, options):
    save(tmp_path / "n" / "a.nii.gz", noise())
    save(tmp_path / "n" / "a_nodules.nii.gz", array, **options)
    fails(tmp_path / "n", "a_nodules.nii.gz: is not on the grid of its scan")


@pytest.mark.parametrize("value", [0.5, -1.0, np.nan, 1e6])
def test_a_mask_of_other_numbers_is_refused(tmp_path, value):
    save(tmp_path / "n" / "a.nii.gz", noise())
    save(tmp_path / "n" / "a_nodules.nii.gz", np.full(SHAPE, value, np.float32))
    fails(tmp_path / "n", "a_nodules.nii.gz: (is no mask|8736 pixels are not a number)")


def test_a_mask_without_its_scan_is_named_and_no_scan(tmp_path):
    save(tmp_path / "n" / "a.nii.gz", noise())
    save(tmp_path / "n" / "b_lungs.nii.gz", noise())
    made = reader(tmp_path / "n")
    assert len(made.list()) == 1
    assert made.skipped == [("b_lungs.nii.gz", "is named like a mask (_lungs), but its scan is missing")]


def test_patients_come_from_names_and_stay_unnamed(tmp_path):
    for name in ("Doe Jane-1", "Doe Jane-2", "Roe-1"):
        save(tmp_path / "n" / f"{name}.nii.gz", noise())
    whole = reader(tmp_path / "n").list()
    made = reader(tmp_path / "n", patient="^([^-]+)-")
    assert len({ref.patient for ref in whole}) == 3
    assert len({ref.patient for ref in made.list()}) == 2
    assert len({ref.scan for ref in made.list()}) == 3
    for ref in (*whole, *made.list()):
        assert ref.patient.startswith("P-")
        assert ref.scan.startswith(f"{ref.patient}-")
        assert from_row(to_row(ref)) == ref
    kept = reader(tmp_path / "n", patient="^([^-]+)-", keep_patient_ids=True).list()
    assert {ref.patient for ref in kept} == {"Doe_Jane", "Roe"}


def test_patients_can_be_folders_and_unmatched_names_are_skipped(tmp_path):
    for name in ("p1/ct", "p1/again", "p2/ct", "loose"):
        save(tmp_path / "n" / f"{name}.nii.gz", noise())
    made = reader(tmp_path / "n", patient="^(p[0-9])/", keep_patient_ids=True)
    assert sorted(ref.patient for ref in made.list()) == ["p1", "p1", "p2"]
    assert made.skipped == [("loose.nii.gz", "its name does not match patient: ^(p[0-9])/")]
    with pytest.raises(DataError, match=r"no scan.*loose\.nii\.gz its name does not match patient"):
        reader(tmp_path / "n", patient="^q").list()


def test_a_folder_of_links_out_of_it_says_so(tmp_path):
    save(tmp_path / "elsewhere" / "a.nii.gz", noise())
    save(tmp_path / "elsewhere" / "b.nii.gz", noise())
    (tmp_path / "n").mkdir()
    for name in ("a", "b"):
        (tmp_path / "n" / f"{name}.nii.gz").symlink_to(tmp_path / "elsewhere" / f"{name}.nii.gz")
    with pytest.raises(
        DataError, match=r"no scan.*a\.nii\.gz is a link that leads out .* \(and 1 more in its folder\)"
    ):
        reader(tmp_path / "n").list()


@pytest.mark.parametrize("own", [{"patient": "("}, {"lungs": "../masks/"}, {"nodules": "/etc/"}, {"axes": "LLS"}])
def test_impossible_settings_are_refused(tmp_path, own):
    (tmp_path / "n").mkdir()
    with pytest.raises(ValueError, match=next(iter(own))):
        reader(tmp_path / "n", **own)


def test_a_file_of_one_slice_is_a_slice(tmp_path):
    save(tmp_path / "n" / "a.nii.gz", noise(shape=(1, 24, 26)))
    (ref,) = reader(tmp_path / "n").list()
    assert ref.kind == "slice"


def test_scaling_is_applied_and_a_slope_of_zero_is_none(plain):
    edit(plain, "<2f", 112, 0.5, -100)
    assert np.array_equal(only_scan(plain.parent).volume.hu, np.rint(noise() * 0.5 - 100))
    for slope in (0.0, float("nan")):
        edit(plain, "<2f", 112, slope, 300)
        assert np.array_equal(only_scan(plain.parent).volume.hu, noise())


def test_the_sform_wins_over_the_qform(plain):
    edit(plain, "<12f", 280, 0.8, 0, 0, 5, 0, 0.8, 0, 6, 0, 0, 2, 7)  # RAS+
    volume = only_scan(plain.parent).volume
    assert np.array_equal(volume.hu, noise()[:, ::-1, ::-1])
    assert volume.to_mm([0, SHAPE[1] - 1, SHAPE[2] - 1]) == pytest.approx((-5, -6, 7))
    edit(plain, "<h", 254, 0)
    assert np.array_equal(only_scan(plain.parent).volume.hu, noise())


def test_a_file_without_orientation_is_refused_unless_it_is_named(plain):
    edit(plain, "<2h", 252, 0, 0)
    fails(plain.parent, "neither sform nor qform")
    assert np.array_equal(only_scan(plain.parent, axes="LPS").volume.hu, noise())
    assert np.array_equal(only_scan(plain.parent, axes="RAS").volume.hu, noise()[:, ::-1, ::-1])


NAN = float("nan")


@pytest.mark.parametrize(
    ("form", "at", "values", "pattern"),
    [
        ("<f", 80, (0,), "voxels of 0, 0.8, 2 mm .pixdim. are impossible"),
        ("<f", 88, (-2,), "voxels of 0.8, 0.8, -2 mm"),
        ("<f", 84, (NAN,), "voxels of 0.8, nan, 2 mm"),
        ("<f", 84, (float("inf"),), "voxels of 0.8, inf, 2 mm"),
        ("<f", 280, (1.5,), "the sform's voxels of 1.5, 0.8, 2 mm are not pixdim's 0.8, 0.8, 2 mm"),
        ("<f", 292, (NAN,), "the sform holds values that are no numbers"),
        ("<f", 268, (NAN,), "the qform holds values that are no numbers"),
        ("<4f", 280, (0.48, 0.0, 0.0, 0.0), "the sform's voxels"),
        ("<8h", 40, (4, 26, 24, 7, 2, 1, 1, 1), r"a.nii: has 4 dimensions \(26 x 24 x 7 x 2\), a scan has 3"),
        ("<8h", 40, (2, 26, 24, 1, 1, 1, 1, 1), "has 2 dimensions"),
        ("<8h", 40, (3, 26, 0, 1, 1, 1, 1, 1), "dim .* is impossible"),
        ("<8h", 40, (99, 26, 24, 1, 1, 1, 1, 1), "dim .* is impossible"),
        ("<8h", 40, (3, 26, 24, 15, 1, 1, 1, 1), "truncated, 17824 bytes where its header promises 19072"),
        ("<f", 108, (1e30,), "vox_offset 1e.30 is impossible"),
        ("<h", 70, (128,), "data type 128"),
        ("<4s", 344, (b"ni1\0",), "is no single NIfTI-1 file"),
        ("<i", 0, (540,), "is a NIfTI-2 file"),
        ("<i", 0, (7,), "is no NIfTI file"),
    ],
)
def test_a_damaged_header_is_refused(plain, form, at, values, pattern):
    edit(plain, form, at, *values)
    fails(plain.parent, pattern)


def test_a_sheared_grid_is_refused(plain):
    edit(plain, "<12f", 280, -0.48, 0, 0, 5, 0.64, -0.8, 0, 6, 0, 0, 2, 7)
    fails(plain.parent, "a.nii: the sform is sheared")


def test_a_trailing_dimension_of_one_is_no_dimension(plain):
    edit(plain, "<8h", 40, 5, 26, 24, 14, 1, 1, 1, 1)
    assert np.array_equal(only_scan(plain.parent).volume.hu, noise())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_pixels_that_are_no_numbers_are_refused(tmp_path, dtype):
    hu = noise().astype(dtype)
    hu[3, 4, 5], hu[3, 4, 6] = np.nan, np.inf
    save(tmp_path / "n" / "a.nii.gz", hu)
    fails(tmp_path / "n", "2 pixels are not a number")


@pytest.mark.parametrize("cut", [lambda b: b[:-12], lambda b: b[: len(b) // 2], lambda b: b[:20], lambda b: b""])
def test_a_truncated_archive_is_refused(tmp_path, cut):
    path = save(tmp_path / "n" / "a.nii.gz", noise())
    path.write_bytes(cut(path.read_bytes()))
    fails(tmp_path / "n", "a.nii.gz: (truncated|is no NIfTI file)")


def test_a_whole_archive_of_a_truncated_file_is_refused(plain):
    (plain.parent / "b.nii.gz").write_bytes(gzip.compress(plain.read_bytes()[:-20]))
    plain.unlink()
    fails(plain.parent, "b.nii.gz: truncated, 17804 bytes where its header promises 17824")


def test_text_under_the_name_of_a_scan_is_refused(tmp_path):
    (tmp_path / "n").mkdir()
    (tmp_path / "n" / "a.nii.gz").write_text("no image")
    fails(tmp_path / "n", "a.nii.gz: truncated or damaged")


def test_a_packed_and_an_unpacked_file_of_one_name_are_refused(plain):
    save(plain.with_name("a.nii.gz"), noise(1))
    fails(plain.parent, "a.nii.gz: is there twice, packed and unpacked")


def test_links_in_a_circle_and_to_nowhere_do_no_harm(plain):
    (plain.parent / "again").symlink_to(plain.parent)
    (plain.parent / "b.nii.gz").symlink_to("b.nii.gz")
    (plain.parent / "._a.nii").write_bytes(b"what a Mac leaves behind")
    made = reader(plain.parent)
    assert len(made.list()) == 1
    assert made.skipped == [("b.nii.gz", "is a link to nothing or to itself")]


def test_bad_scans_are_set_aside_and_the_run_goes_on(tmp_path):
    hu, lungs = chest()
    for name in ("good", "cut", "tilted"):
        save(tmp_path / "n" / f"{name}.nii.gz", hu, "RAS", spacing_mm=(5.0, 2.5, 2.5))
        save(tmp_path / "n" / f"{name}_lungs.nii.gz", lungs, "LPS", spacing_mm=(5.0, 2.5, 2.5))
    cut = tmp_path / "n" / "cut.nii.gz"
    cut.write_bytes(cut.read_bytes()[:-50])
    (tmp_path / "n" / "tilted_lungs.nii.gz").unlink()
    turn = np.array([[1, 0, 0], [0, 0.9, -np.sqrt(0.19)], [0, np.sqrt(0.19), 0.9]])
    save(tmp_path / "n" / "tilted.nii.gz", hu, spacing_mm=(5.0, 2.5, 2.5), direction=turn.ravel())
    made = reader(tmp_path / "n", keep_patient_ids=True)
    listed, _ = list_scans([made], [{"reader": "nifti"}], Split(fit=1, tune=0, domain=0, test=1), 1, seed=1)
    table = prepare_batch(listed.to_dict("records"), [made], tmp_path / "out").set_index("patient")
    assert table.verdict.to_dict() == {"good": "ok", "cut": "quarantined", "tilted": "quarantined"}
    assert table.reason["cut"].startswith("cut.nii.gz: truncated or damaged")
    assert table.reason["tilted"] == "the slices are not axial"


def test_names_in_headers_and_of_files_reach_no_output(tmp_path):
    hu = chest()[0]
    for name in ("Doe Jane", "Doe Jim"):
        path = save(tmp_path / "n" / "Doe family" / f"{name}.nii", hu, spacing_mm=(5.0, 2.5, 2.5))
        edit(path, "<18s", 14, b"DOE^JANE")
        edit(path, "<80s", 148, b"Doe, Jane 1970")
    edit(path, "<f", 80, NAN)
    (tmp_path / "n" / "Doe_lungs.nii").write_bytes(b"x")
    made = reader(tmp_path / "n")
    listed, unread = list_scans([made], [{"reader": "nifti"}], Split(fit=1, tune=0, domain=0, test=1), 1, seed=1)
    table = prepare_batch(listed.to_dict("records"), [made], tmp_path / "out")
    assert sorted(table.verdict) == ["ok", "quarantined"]
    assert len(unread) == 1
    texts = [listed.to_csv().encode(), unread.to_csv().encode()]
    for path in (tmp_path / "out").iterdir():
        raw = path.read_bytes()
        texts += [path.name.encode(), gzip.decompress(raw) if path.suffix == ".gz" else raw]
    assert not [text for text in texts if b"doe" in text.lower()]


def test_a_pipe_is_not_waited_for(plain):
    os.mkfifo(plain.parent / "pipe.nii.gz")
    made = reader(plain.parent)
    assert len(made.list()) == 1
    assert made.skipped == [("pipe.nii.gz", "is neither a file nor a folder")]
