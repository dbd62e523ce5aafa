"""Four voxels that no flip and no exchange of axes maps onto each other keep their LPS mm through readers and writers.

Files are made, and what was written is looked at, by a few lines of this file that follow the formats' own definitions.
"""

import gzip
import itertools
import re
import struct

import numpy as np
import pytest
import SimpleITK as sitk
from chest_samples import write_dicom
from PIL import Image
from scipy.spatial.transform import Rotation

from lungsynth.cohort import checks
from lungsynth.cohort.base import Scan, ScanRef
from lungsynth.cohort.listing import open_reader
from lungsynth.cohort.prepare import prepare_scan, upright
from lungsynth.ct import volume as volumes
from lungsynth.ct.volume import Volume
from lungsynth.release.exporter import About, PerImage
from lungsynth.release.registry import EXPORTERS
from lungsynth.study.errors import DataError

SHAPE, SPACING_MM, ORIGIN_MM = (14, 70, 66), (2.0, 0.8, 0.8), (-21.0, -35.5, 110.25)
AT = {900: (4, 20, 15), 700: (4, 20, 22), 500: (4, 31, 15), 300: (9, 20, 15)}
TRUTH = {hu: np.array(ORIGIN_MM) + np.multiply(at, SPACING_MM)[::-1] for hu, at in AT.items()}
ORIENTATIONS = [(o, s) for o in itertools.permutations(range(3)) for s in itertools.product((1, -1), repeat=3)]
RAS = np.diag([-1.0, -1.0, 1.0])


def name(orientation):
    order, signs = orientation
    return "".join(("LPS" if s > 0 else "RAI")[axis] for axis, s in zip(order, signs, strict=True))


def is_axial(orientation):
    return orientation[0][2] == 2


class Turned(Volume):
    """A volume that shows its direction as a matrix."""

    @property
    def direction_matrix(self):
        return np.reshape(self.direction, (3, 3))


def turned(orientation):
    """The scan with array axes x, y, z along LPS axes `order`, backwards where a sign is -1."""
    order, signs = orientation
    hu = np.full(SHAPE, -900, np.int16)
    for value, at in AT.items():
        hu[at] = value
    array = hu.transpose(2, 1, 0).transpose(order)[tuple(slice(None, None, s) for s in signs)]
    spacing, origin, direction = np.array(SPACING_MM)[::-1], np.array(ORIGIN_MM), np.zeros((3, 3))
    for i, (axis, sign) in enumerate(zip(order, signs, strict=True)):
        direction[axis, i] = sign
        origin[axis] += (array.shape[i] - 1) * spacing[axis] if sign < 0 else 0
    array = np.ascontiguousarray(array.transpose(2, 1, 0))
    return Turned(array, tuple(spacing[list(order)][::-1]), tuple(origin), tuple(direction.ravel()))


def assert_upright(volume):
    """Every voxel lies at its mm, there is one of each, and they lie in the array as in the truth."""
    assert_in_place(volume)
    assert volume.hu.shape == SHAPE
    assert all(volume.hu[at] == value for value, at in AT.items())
    assert np.allclose(volume.direction, volumes.IDENTITY, atol=1e-6)


def assert_in_place(volume):
    """Every voxel lies at its mm, and there is one of each."""
    for value, mm in TRUTH.items():
        found = np.argwhere(volume.hu == value)
        assert len(found) == 1
        np.testing.assert_allclose(volume.to_mm(found[0]), mm, atol=1e-3)


def only_scan(reader, root, **own):
    """The scan as it is prepared: upright."""
    made = open_reader({"reader": reader, "path": root.name, **own}, root.parent)
    (ref,) = made.list()
    return upright(made.read(ref))


def write_nifti(path, volume, form):
    """A NIfTI-1 file by the standard's definition; `form`: the one of sform and qform that is set."""
    matrix = RAS @ volume.direction_matrix
    spacing, offset = np.array(volume.spacing_mm)[::-1], RAS @ volume.origin_mm
    raw = bytearray(352)
    struct.pack_into("<i", raw, 0, 348)
    struct.pack_into("<8h", raw, 40, 3, *volume.hu.shape[::-1], 1, 1, 1, 1)
    struct.pack_into("<hh", raw, 70, 4, 16)
    handed = 1.0 if np.linalg.det(matrix) > 0 else -1.0
    struct.pack_into("<4f", raw, 76, handed, *spacing)
    struct.pack_into("<f", raw, 108, 352)
    raw[123], raw[344:348] = 2, b"n+1\0"
    if form == "qform":
        struct.pack_into("<h", raw, 252, 1)
        x, y, z, w = Rotation.from_matrix(matrix * [1, 1, handed]).as_quat()
        struct.pack_into("<6f", raw, 256, *(np.array([x, y, z]) * (1 if w >= 0 else -1)), *offset)
    else:
        struct.pack_into("<h", raw, 254, 1)
        struct.pack_into("<12f", raw, 280, *np.column_stack([matrix * spacing, offset]).ravel())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(raw) + volume.hu.astype("<i2").tobytes())


@pytest.mark.parametrize("form", ["sform", "qform"])
@pytest.mark.parametrize("orientation", ORIENTATIONS, ids=name)
def test_nifti_in_any_orientation_is_turned_to_axial_slices(tmp_path, orientation, form):
    write_nifti(tmp_path / "n" / "a.nii", turned(orientation), form)
    volume = only_scan("nifti", tmp_path / "n").volume
    assert_upright(volume)
    assert checks.geometry_fault(volume, "volume") == ""


def write_mhd(path, volume):
    """A MetaImage by its definition: the columns of the direction one after the other."""
    matrix = " ".join(f"{v:g}" for v in volume.direction_matrix.T.ravel())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".raw").write_bytes(volume.hu.astype("<i2").tobytes())
    path.write_text(
        "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\nCompressedData = False\n"
        f"TransformMatrix = {matrix}\nOffset = {' '.join(map(str, volume.origin_mm))}\n"
        f"ElementSpacing = {' '.join(map(str, volume.spacing_mm[::-1]))}\n"
        f"DimSize = {' '.join(map(str, volume.hu.shape[::-1]))}\nElementType = MET_SHORT\n"
        f"ElementDataFile = {path.stem}.raw\n"
    )


@pytest.mark.parametrize("orientation", ORIENTATIONS, ids=name)
def test_metaimages_in_any_orientation_are_turned_to_axial_slices(tmp_path, orientation):
    write_mhd(tmp_path / "l" / "subset0" / "1.2.mhd", turned(orientation))
    rows = [f"1.2,{','.join(map(str, TRUTH[900]))},3"]
    (tmp_path / "l" / "annotations.csv").write_text("\n".join(["seriesuid,coordX,coordY,coordZ,diameter_mm", *rows]))
    scan = only_scan("luna16", tmp_path / "l")
    assert_upright(scan.volume)
    assert scan.nodules[scan.volume.hu == 900].tolist() == [1]
    assert checks.geometry_fault(scan.volume, "volume") == ""


def write_series(folder, orientation, **tags):
    """A series whose rows, columns and slices run along the axes of `orientation`; `planes`: of them alone."""
    volume = turned(orientation)
    planes = tags.pop("planes", slice(None))
    matrix = volume.direction_matrix
    steps = np.arange(len(volume.hu))[:, None] * volume.spacing_mm[0] * matrix[:, 2]
    return write_dicom(
        folder,
        volume.hu[planes],
        volume.spacing_mm,
        positions=(np.array(volume.origin_mm) + steps)[planes].tolist(),
        ImageOrientationPatient=matrix.T.ravel()[:6].tolist(),
        **tags,
    )


def verdict(reader, root):
    """What is said against a series, after its voxels were looked at if it is read at all."""
    try:
        volume = only_scan(reader, root).volume
    except DataError as error:
        return str(error)
    assert_upright(volume)
    return checks.geometry_fault(volume, "volume")


@pytest.mark.parametrize("orientation", ORIENTATIONS, ids=name)
def test_dicom_is_turned_upright_and_only_axial_series_pass(tmp_path, orientation):
    """Head or feet first, on the back, the face or a side, mirrored; slices are sorted whatever their order."""
    write_series(tmp_path / "d", orientation)
    told = verdict("dicom", tmp_path / "d")
    assert told.endswith("the slices are not axial") if not is_axial(orientation) else told == ""


@pytest.mark.parametrize("orientation", [o for o in ORIENTATIONS if is_axial(o)], ids=name)
def test_a_single_slice_is_turned_in_its_plane(tmp_path, orientation):
    at = int(np.argwhere(turned(orientation).hu == 900)[0][0])
    write_series(tmp_path / "d", orientation, planes=slice(at, at + 1))
    volume = only_scan("dicom", tmp_path / "d").volume
    assert np.array_equal(volume.hu[0], turned(ORIENTATIONS[0]).hu[AT[900][0]])
    np.testing.assert_allclose(volume.to_mm([0, *AT[900][1:]]), TRUTH[900], atol=1e-3)
    assert checks.geometry_fault(volume, "slice") == ""


@pytest.mark.parametrize("orientation", ORIENTATIONS, ids=name)
def test_what_is_found_goes_back_onto_the_grid_of_the_file(tmp_path, orientation):
    stored = turned(orientation)
    ref = ScanRef("s", "p", "volume", ())
    row, _ = prepare_scan(ref, Scan(stored), tmp_path, chest_ct=False)
    prepared = volumes.read(tmp_path / "s.nii.gz")
    assert_upright(prepared)
    found = volumes.turned(prepared.like((prepared.hu > 0).astype(np.uint8)), row["axes"])
    assert np.array_equal(found.hu, stored.hu > 0)
    assert found.spacing_mm == pytest.approx(stored.spacing_mm)
    np.testing.assert_allclose(found.origin_mm, stored.origin_mm, atol=1e-3)
    np.testing.assert_allclose(found.direction, stored.direction, atol=1e-6)


@pytest.mark.parametrize("orientation", [o for o in ORIENTATIONS if is_axial(o)], ids=name)
def test_an_outline_of_lidc_lies_where_its_pixels_lie(tmp_path, orientation):
    stored = turned(orientation)
    k, row, column = np.argwhere(stored.hu == 900)[0].tolist()
    sops = write_series(tmp_path / "l" / "s", orientation, patient="LIDC-IDRI-0009")
    ring = [
        (r, c)
        for r in range(row - 2, row + 3)
        for c in range(column - 2, column + 3)
        if {r - row, c - column} & {-2, 2}
    ]
    ring.sort(key=lambda at: np.arctan2(at[0] - row, at[1] - column))
    edges = "".join(f"<edgeMap><xCoord>{c}</xCoord><yCoord>{r}</yCoord></edgeMap>" for r, c in ring)
    (tmp_path / "l" / "s" / "1.xml").write_text(
        '<LidcReadMessage xmlns="http://www.nih.gov"><ResponseHeader><SeriesInstanceUid>1.2.3.4</SeriesInstanceUid>'
        "</ResponseHeader><readingSession><unblindedReadNodule><noduleID>n</noduleID><roi>"
        f"<imageZposition>{TRUTH[900][2]}</imageZposition><imageSOP_UID>{sops[k]}</imageSOP_UID><inclusion>TRUE</inclusion>{edges}"
        "</roi></unblindedReadNodule></readingSession></LidcReadMessage>"
    )
    scan = only_scan("lidc", tmp_path / "l")
    assert_in_place(scan.volume)
    (mark,) = scan.marks
    np.testing.assert_allclose(mark.centre_mm, TRUTH[900], atol=1e-3)
    assert scan.nodules[scan.volume.hu == 900].tolist() == [1]


def placed_in_nifti(path):
    """HU -> LPS mm of the voxels above 0, by the sform in the file's bytes."""
    raw = gzip.decompress(path.read_bytes())
    size = struct.unpack_from("<3h", raw, 42)
    assert struct.unpack_from("<h", raw, 254)[0] > 0
    affine = np.reshape(struct.unpack_from("<12f", raw, 280), (3, 4))
    code, start = struct.unpack_from("<h", raw, 70)[0], int(struct.unpack_from("<f", raw, 108)[0])
    array = np.frombuffer(raw[start:], {2: "u1", 4: "<i2"}[code]).reshape(size, order="F")
    return {int(array[tuple(at)]): RAS @ (affine[:, :3] @ at + affine[:, 3]) for at in np.argwhere(array > 0)}


def placed_in_mhd(path):
    """The same by the keys of a MetaImage."""
    header = dict(re.findall(r"(\w+) = (.*)", path.read_text()))
    matrix, origin, spacing = (
        np.array(header[key].split(), float) for key in ("TransformMatrix", "Offset", "ElementSpacing")
    )
    size = [int(n) for n in header["DimSize"].split()]
    array = np.frombuffer(path.with_name(header["ElementDataFile"]).read_bytes(), "<i2").reshape(size, order="F")
    return {int(array[tuple(at)]): matrix.reshape(3, 3).T @ (at * spacing) + origin for at in np.argwhere(array > 0)}


@pytest.mark.parametrize(("file", "placed"), [("a.nii.gz", placed_in_nifti), ("a.mhd", placed_in_mhd)])
@pytest.mark.parametrize("orientation", ORIENTATIONS, ids=name)
def test_what_is_written_lies_where_it_lay(tmp_path, orientation, file, placed):
    volumes.write(tmp_path / file, turned(orientation))
    found = placed(tmp_path / file)
    assert found.keys() == TRUTH.keys()
    for value, mm in TRUTH.items():
        np.testing.assert_allclose(found[value], mm, atol=1e-3)
    assert_in_place(volumes.read(tmp_path / file))


ABOUT = About("test", "0.1.0", "CC0", mm_per_px=0.8, slice_mm=2.5, window_hu=(-1000, 1000))


def decoded(path):
    """The pixels of a released file [h, w], whatever its scale."""
    return (
        np.asarray(Image.open(path)) if path.suffix == ".png" else sitk.GetArrayFromImage(sitk.ReadImage(str(path)))[0]
    )


@pytest.mark.parametrize("form", [name for name in EXPORTERS.names() if issubclass(EXPORTERS.get(name), PerImage)])
def test_released_slices_keep_row_and_column(tmp_path, form):
    exporter = EXPORTERS.get(form)(ABOUT)
    hu = turned(ORIENTATIONS[0]).hu[4]
    path, mask = tmp_path / f"a{exporter.suffix}", tmp_path / f"m{exporter.suffix}"
    exporter.write_image(path, hu)
    exporter.write_mask(mask, (hu == 900).astype(np.uint8))
    values = decoded(path)
    assert np.argwhere(values == values.max()).tolist() == [list(AT[900][1:])]
    assert np.argwhere(decoded(mask)).tolist() == [list(AT[900][1:])]


def test_a_released_nifti_slice_has_its_pixels_at_their_millimetres(tmp_path):
    EXPORTERS.get("nifti")(ABOUT).write_image(tmp_path / "a.nii.gz", turned(ORIENTATIONS[0]).hu[4])
    found = placed_in_nifti(tmp_path / "a.nii.gz")
    assert found.keys() == {900, 700, 500}
    for value, mm in found.items():
        np.testing.assert_allclose(mm, (AT[value][2] * 0.8, AT[value][1] * 0.8, 0), atol=1e-4)
