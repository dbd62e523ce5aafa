"""What `lungsynth.cohort.base` asks of a reader, asked of every registered one and of nothing else."""

import re

import numpy as np
import pytest
import SimpleITK as sitk
from chest_samples import chest, image, write_dicom, write_luna
from PIL import Image
from test_reader_lidc import archive, nodule, roi, sop, square
from test_reader_patches import ROWS, table

from lungsynth.cohort.base import ROLES
from lungsynth.cohort.listing import open_reader
from lungsynth.cohort.registry import READERS
from lungsynth.study.base import Settings
from lungsynth.study.errors import DataError


def _luna(root):
    return write_luna(root / "data", {"1.2.3": chest()[0]}, [("1.2.3", -20.0, 30.0, -100.0, 12.0)])


def _nifti(root):
    (root / "data").mkdir()
    for name in ("one", "two"):
        sitk.WriteImage(image(chest()[0]), str(root / "data" / f"{name}.nii.gz"))
    return root / "data"


def _pictures(root):
    for k, name in enumerate(("normal", "ill")):
        (root / "data" / name).mkdir(parents=True)
        grey = np.random.default_rng(k).integers(0, 255, (128, 128)).astype(np.uint8)
        Image.fromarray(grey).save(root / "data" / name / "p.png")
    return root / "data"


def _dicom(root):
    write_dicom(root / "data", chest()[0])
    return root / "data"


# A folder of data for each reader; one that is added adds its own.
FOLDERS = {
    "phantom": _luna,
    "luna16": _luna,
    "scans": _nifti,
    "nifti": _nifti,
    "dicom": _dicom,
    "lidc": lambda root: archive(root, [nodule(roi(sop(2), square(10, 12, 4)))]),
    "patches": lambda root: table(root, ROWS),
    "images": _pictures,
}
every_reader = pytest.mark.parametrize("name", READERS.names())


def opened(name, root):
    source = {"reader": name} if name == "phantom" else {"reader": name, "path": root.name}
    return open_reader(source, root.parent, phantom=root)


@every_reader
def test_a_reader_has_settings_of_its_own_and_a_folder_in_this_test(name):
    assert issubclass(READERS.settings(name), Settings)
    assert name in FOLDERS


@every_reader
def test_a_list_is_sorted_equal_again_and_names_files_that_are_there(name, tmp_path):
    root = FOLDERS[name](tmp_path)
    refs, again = (opened(name, root).list() for _ in range(2))
    assert refs == again and refs == sorted(refs, key=lambda ref: ref.scan)
    assert len({ref.scan for ref in refs}) == len(refs) > 0
    for ref in refs:
        assert re.fullmatch(r"[A-Za-z0-9._-]+", ref.scan) and re.fullmatch(r"[A-Za-z0-9._-]+", ref.patient)
        assert ref.kind in ("volume", "slice", "patch")
        assert all((root / path).exists() for path in ref.source_files)


@every_reader
def test_a_scan_has_hu_on_its_grid_sides_of_lungs_and_marks_with_their_labels(name, tmp_path):
    reader = opened(name, FOLDERS[name](tmp_path))
    for ref in reader.list():
        scan = reader.read(ref)
        hu = scan.volume.hu
        assert hu.dtype == np.int16 and hu.ndim == 3 and hu.min() >= -1024 and hu.max() <= 3071
        assert ref.kind != "slice" or len(hu) == 1
        if scan.lungs is not None:
            assert scan.lungs.shape == hu.shape and set(np.unique(scan.lungs)) <= {0, 1, 2}
        labels = [mark.label for mark in scan.marks if mark.label]
        if scan.nodules is not None:
            assert scan.nodules.shape == hu.shape and set(np.unique(scan.nodules)) - {0} == set(labels)
        for mark in scan.marks:
            assert mark.diameter_mm > 0 and len(mark.centre_mm) == 3
            assert mark.texture in ("", "ground_glass", "part_solid", "solid")
        assert set(reader.allowed_roles(ref)) <= set(ROLES)


@every_reader
def test_reading_again_gives_the_same_scan(name, tmp_path):
    reader = opened(name, FOLDERS[name](tmp_path))
    ref = reader.list()[0]
    one, two = reader.read(ref), reader.read(ref)
    assert np.array_equal(one.volume.hu, two.volume.hu) and one.marks == two.marks


@every_reader
def test_a_folder_that_is_missing_or_holds_no_scan_is_one_line(name, tmp_path):
    with pytest.raises(DataError, match="no such folder") as caught:
        opened(name, tmp_path / "nowhere")
    assert "\n" not in str(caught.value)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("nothing here")
    with pytest.raises(DataError) as caught:
        opened(name, tmp_path / "empty").list()
    assert "\n" not in str(caught.value)
