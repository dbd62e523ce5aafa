"""No scan is passed over in silence: DICOM is read whatever its name, other formats get a line that says what to do."""

import gzip
import os
import zipfile

import numpy as np
import pytest
import SimpleITK as sitk
from chest_samples import image, write_dicom

from lungsynth.cohort.listing import list_scans, open_reader
from lungsynth.cohort.names import token
from lungsynth.cohort.prepare import prepare_batch
from lungsynth.sets.tables import read_csv, write_csv
from lungsynth.study.errors import DataError
from lungsynth.study.stages.cohort import Split

SHAPE = (12, 20, 24)


def hounsfield(seed=0):
    return np.random.default_rng(seed).integers(-1000, 1000, SHAPE).astype(np.int16)


def reader(root, kind="scans", **own):
    return open_reader({"reader": kind, "path": root.name, **own}, root.parent)


@pytest.fixture
def root(tmp_path):
    """A folder with one good scan for each reader."""
    (tmp_path / "any").mkdir()
    sitk.WriteImage(image(hounsfield(8)), str(tmp_path / "any" / "good.nii.gz"))
    return tmp_path / "any"


def renamed(folder, ending, where=lambda k: True):
    for k, path in enumerate(sorted(folder.iterdir())):
        if where(k):
            os.rename(path, os.fsencode(path.with_suffix("")) + os.fsencode(ending))


@pytest.mark.parametrize("kind", ["scans", "dicom", "lidc"])
@pytest.mark.parametrize("ending", [".ct", ".img", ".v2", ".bin", ".txt", "", ".dcm.1", ".DCM", b".\xfc"])
def test_dicom_is_read_whatever_its_name(root, ending, kind):
    write_dicom(root / "d", hounsfield())
    renamed(root / "d", ending)
    made = reader(root, kind)
    scans = {len(ref.source_files): ref for ref in made.list()}
    lidc = kind == "lidc"  # has no readings beside it, which `read` says
    assert lidc or np.array_equal(made.read(scans[12]).volume.hu, hounsfield())


@pytest.mark.parametrize("ending", [".dic", ".dcm.gz"])
def test_a_series_of_which_half_has_another_name_is_whole(root, ending):
    write_dicom(root / "d", hounsfield())
    renamed(root / "d", ending, lambda k: k < 6)
    for path in (root / "d").glob("*.gz"):
        path.write_bytes(gzip.compress(path.read_bytes()))
    made = reader(root)
    (ref,) = (ref for ref in made.list() if ref.extra["reader"] == "dicom")
    assert made.skipped == []
    assert np.array_equal(made.read(ref).volume.hu, hounsfield())


def test_a_packed_slice_that_is_damaged_sets_its_series_aside(root):
    write_dicom(root / "d", hounsfield())
    renamed(root / "d", ".dcm.gz")
    for path in sorted((root / "d").iterdir()):
        path.write_bytes(gzip.compress(path.read_bytes())[: -200 if path.name == "0003.dcm.gz" else None])
    made = reader(root)
    (ref,) = (ref for ref in made.list() if ref.extra["reader"] == "dicom")
    with pytest.raises(DataError, match=r"0003\.dcm\.gz: is packed, and truncated or damaged"):
        made.read(ref)


def save(path, seed=1):
    path.parent.mkdir(exist_ok=True)
    sitk.WriteImage(image(hounsfield(seed)), str(path))
    return path


def zipped(root):
    with zipfile.ZipFile(root / "a.zip", "w") as packed:
        packed.writestr("1.dcm", "x")


OTHERS = {
    "NRRD": (lambda root: save(root / "a.nrrd"), "a.nrrd", "is an NRRD file"),
    "detached NRRD": (lambda root: save(root / "a.nhdr"), "a.nhdr", "is an NRRD file"),
    "NRRD under another name": (lambda root: save(root / "a.nrrd").rename(root / "a"), "a", "is an NRRD file"),
    "pair": (lambda root: save(root / "a.hdr"), "a.hdr", "is a header whose pixels lie in another file"),
    "zip": (zipped, "a.zip", "is packed; unpack it"),
    "tar.xz": (lambda root: (root / "a.tar.xz").write_bytes(b"\xfd7zXZ\0 "), "a.tar.xz", "is packed; unpack it"),
    "an archive without its name": (lambda root: (root / "a.x").write_bytes(b"7z\xbc\xaf\x27\x1c"), "a.x", "is packed"),
    "NIfTI under another name": (lambda root: save(root / "a.nii").rename(root / "a.vox"), "a.vox", "is a NIfTI file"),
    "NIfTI in a .gz": (lambda root: save(root / "a.nii.gz").rename(root / "a.gz"), "a.gz", "is a NIfTI file"),
    "MetaImage": (lambda root: save(root / "a.mha").rename(root / "a.meta"), "a.meta", "is a MetaImage file"),
    "MINC": (lambda root: (root / "a.mnc").write_bytes(b"\x89HDF"), "a.mnc", "is of a format that is not read"),
    "pixels alone": (lambda root: (root / "a.raw").write_bytes(bytes(99)), "a.raw", "holds pixels, and no header"),
}


@pytest.mark.parametrize("kind", ["scans", "nifti", "dicom"])
@pytest.mark.parametrize("what", OTHERS)
def test_another_format_gets_a_line(root, what, kind):
    make, name, reason = OTHERS[what]
    make(root)
    write_dicom(root / "d", hounsfield())
    made = reader(root, kind)
    assert made.list()
    assert [why for file, why in made.skipped if file == name and reason in why] != []


def test_a_folder_of_luna16_tells_of_the_other_metaimages(root):
    for name in ("1.2.mhd", "1.3.mha", "1.4.MHD"):
        save(root / "subset0" / name.lower()).rename(root / "subset0" / name)
    made = reader(root, "luna16")
    assert [ref.uid for ref in made.list()] == ["1.2"]
    assert {name for name, _ in made.skipped} == {"good.nii.gz", "subset0/1.3.mha"}
    assert dict(made.skipped)["subset0/1.3.mha"].endswith("(and 1 more in its folder)")


def test_what_belongs_to_a_scan_is_not_told(root):
    save(root / "m" / "a.mhd")
    write_dicom(root / "d", hounsfield())
    for name in ("notes.txt", "table.csv", "reading.json", "logo.png", "cut.gz"):
        (root / name).write_bytes(b"\x1f\x8b" if name == "cut.gz" else b"words")
    (root / ".hidden.nrrd").write_bytes(b"NRRD0004")
    made = reader(root)
    assert len(made.list()) == 3
    assert made.skipped == []


@pytest.mark.parametrize("name", [b"J\xfcrgen", b"two\nlines", b"a 'quoted' \"name\"", b" b ", b"%s {0}", b"-rf"])
def test_no_name_stops_a_listing_or_a_scan(tmp_path, name):
    """Files and folders whose names are no UTF-8, or hold what a line cannot."""
    top = os.fsencode(tmp_path / "any")
    for kind, ending in (("nii", b".nii.gz"), ("mhd", b".mhd"), ("mha", b".mha"), ("both", b".nii")):
        os.makedirs(os.path.join(top, kind.encode(), name))
        plain = tmp_path / f"x{ending.decode()}"
        sitk.WriteImage(image(hounsfield()), str(plain))
        os.rename(plain, os.path.join(top, kind.encode(), name, name + ending))
        if kind == "mhd":
            (tmp_path / "x.raw").rename(os.fsdecode(os.path.join(top, b"mhd", name, b"x.raw")))
    write_dicom(tmp_path / "any" / "d", hounsfield())
    for path in list((tmp_path / "any" / "d").iterdir()):
        os.rename(path, os.path.join(top, b"d", name + os.fsencode(path.name)))
    bad = os.path.join(top, name + b".nii.gz")
    with open(bad, "wb") as file:
        file.write(b"no scan")
    made = reader(tmp_path / "any")
    source = {"reader": "scans", "path": "any", "role": "test"}
    listed, unread = list_scans([made], [source], Split(fit=0, tune=0, domain=0, test=1), 1, 1)
    for table in (listed, unread):
        write_csv(tmp_path / "table.csv", table)
        assert len(read_csv(tmp_path / "table.csv")) == len(table)
    found = prepare_batch(read_csv_of(listed, tmp_path), [made], tmp_path / "out")
    assert len(found) == 6
    reasons = [reason for reason in found.reason if "pixels; a slice needs" not in reason]
    assert reasons == [
        f"{token(os.fsdecode(name + b'.nii.gz'))}: truncated or damaged (Not a gzipped file (b'no'))"
        + ("; copy it again")
    ]
    assert "rgen" not in listed.to_csv() + unread.to_csv() + found.to_csv()


def read_csv_of(listed, folder):
    write_csv(folder / "listed.csv", listed)
    return read_csv(folder / "listed.csv").to_dict("records")


def test_a_data_file_may_have_a_name_that_is_no_text(root):
    save(root / "m" / "a.mhd")
    os.rename(root / "m" / "a.raw", os.fsencode(root / "m") + b"/\xe4.raw")
    header = (root / "m" / "a.mhd").read_bytes().replace(b"= a.raw", b"= \xe4.raw")
    os.rename(root / "m" / "a.mhd", os.fsencode(root / "m") + b"/\xfc.mhd")
    with open(os.fsencode(root / "m") + b"/\xfc.mhd", "wb") as file:
        file.write(header)
    made = reader(root)
    (ref,) = (ref for ref in made.list() if ref.extra["reader"] == "luna16")
    assert np.array_equal(made.read(ref).volume.hu, hounsfield(1))


@pytest.mark.parametrize(("kind", "ending"), [("luna16", ".mhd"), ("images", ".png"), ("nifti", ".nii.gz")])
@pytest.mark.parametrize("kept", [True, False])
def test_every_reader_lists_beside_a_name_that_is_no_text(tmp_path, kind, ending, kept):
    (tmp_path / "any" / "c").mkdir(parents=True)
    for name in ("1.2.3", b"\xe9"):
        if ending == ".png":
            sitk.WriteImage(sitk.GetImageFromArray(np.zeros((64, 64), np.uint8)), str(tmp_path / "x.png"))
        else:
            sitk.WriteImage(image(hounsfield()), str(tmp_path / f"x{ending}"), True)
        target = os.path.join(os.fsencode(tmp_path / "any" / "c"), os.fsencode(name) + ending.encode())
        os.rename(tmp_path / f"x{ending}", target)
    own = {} if kind == "luna16" else {"keep_patient_ids": kept}
    made = reader(tmp_path / "any", kind, **own)
    source = {"reader": kind, "path": "any", "role": "test", **own}
    listed, unread = list_scans([made], [source], Split(fit=0, tune=0, domain=0, test=1), 1, 1)
    write_csv(tmp_path / "table.csv", listed)
    write_csv(tmp_path / "unread.csv", unread)
    assert len(listed) == (1 if kind == "luna16" else 2)
    assert [reason for _, reason in made.skipped] == (
        ["its name is no UTF-8 text; rename it"] if kind == "luna16" else []
    )
