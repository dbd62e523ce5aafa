"""Where a voxel lies in the patient: the same answer as ITK's, for any rotation, and unchanged by a file."""

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from lungsynth.ct.volume import Volume, axes_of, from_sitk, read, turned, upright, write
from lungsynth.study.errors import DataError

ANGLES = st.tuples(*[st.floats(-180, 180)] * 3)
SPACINGS = st.tuples(*[st.floats(0.3, 5)] * 3)
ORIGINS = st.tuples(*[st.floats(-500, 500)] * 3)


def placed(angles, spacing, origin, mirror=False):
    matrix = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    if mirror:
        matrix = matrix * [1, 1, -1]
    return Volume(np.zeros((4, 5, 6), np.int16), spacing, origin, tuple(matrix.ravel()))


@settings(deadline=None, max_examples=60)
@given(ANGLES, SPACINGS, ORIGINS, st.booleans())
def test_index_and_mm_are_inverse(angles, spacing, origin, mirror):
    volume = placed(angles, spacing, origin, mirror)
    zyx = np.array([[0, 0, 0], [3, 4, 5], [1.25, -2.5, 7.75]])
    np.testing.assert_allclose(volume.to_index(volume.to_mm(zyx)), zyx, atol=1e-8)


@settings(deadline=None, max_examples=60)
@given(ANGLES, SPACINGS, ORIGINS)
def test_mm_are_those_of_itk(angles, spacing, origin):
    volume = placed(angles, spacing, origin)
    image = volume.to_sitk()
    for zyx in ([0, 0, 0], [1, 2, 3], [3, 0, 5]):
        np.testing.assert_allclose(volume.to_mm(zyx), image.TransformIndexToPhysicalPoint(zyx[::-1]), atol=1e-6)


def test_the_table_of_negated_axes_is_not_taken_for_the_identity():
    """Some LUNA16 scans negate x and y: arithmetic without the direction puts nodules on the wrong side."""
    volume = Volume(np.zeros((3, 3, 3), np.int16), (2.5, 0.7, 0.6), (100, 90, -50), (-1, 0, 0, 0, -1, 0, 0, 0, 1))
    np.testing.assert_allclose(volume.to_mm([1, 2, 2]), [100 - 1.2, 90 - 1.4, -50 + 2.5])


@pytest.mark.parametrize("name", ["scan.nii.gz", "scan.mhd"])
def test_a_file_keeps_pixels_and_place(tmp_path, name):
    hu = np.random.default_rng(1).integers(-1024, 3071, (3, 4, 5)).astype(np.int16)
    volume = Volume(hu, (2.5, 0.7, 0.8), (-10, 20, 30.5), (0, -1, 0, 1, 0, 0, 0, 0, 1))
    write(tmp_path / name, volume)
    back = read(tmp_path / name)
    assert back.hu.dtype == np.int16
    np.testing.assert_array_equal(back.hu, hu)
    points = np.array([[0, 0, 0], [2, 3, 4]])
    np.testing.assert_allclose(back.to_mm(points), volume.to_mm(points), atol=1e-4)


@pytest.mark.parametrize("name", ["mask.nii.gz", "mask.mhd"])
def test_the_same_volume_gives_the_same_bytes(tmp_path, name):
    volume = Volume(np.arange(60, dtype=np.uint8).reshape(3, 4, 5), (1, 1, 1))
    made = []
    for folder in ("first", "second"):
        write(tmp_path / folder / name, volume)
        made.append({path.name: path.read_bytes() for path in sorted((tmp_path / folder).iterdir())})
    assert made[0] == made[1]


def test_like_keeps_the_grid_and_refuses_another():
    volume = placed((10, 20, 30), (1, 2, 3), (4, 5, 6))
    assert volume.like(np.ones((4, 5, 6), np.uint8)).to_mm([1, 1, 1]) == pytest.approx(volume.to_mm([1, 1, 1]))
    with pytest.raises(ValueError, match="not on the grid"):
        volume.like(np.ones((4, 5, 7), np.uint8))


def test_the_array_is_a_copy():
    image = sitk.GetImageFromArray(np.zeros((2, 2, 2), np.int16))
    volume = from_sitk(image)
    volume.hu[:] = 7
    assert sitk.GetArrayFromImage(image).max() == 0


def test_what_cannot_be_read_is_one_line_with_the_file(tmp_path):
    (tmp_path / "text.nii.gz").write_text("no image")
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((4, 4), np.int16)), str(tmp_path / "flat.mhd"))
    for name, reason in (("absent.nii.gz", "no such file"), ("text.nii.gz", "cannot be read"), ("flat.mhd", "2 dimen")):
        with pytest.raises(DataError, match=reason) as caught:
            read(tmp_path / name)
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("axes", ["RAS", "LPI", "PSR", "SLA"])
def test_a_turned_volume_keeps_every_voxel_in_its_place_and_turns_back(tmp_path, axes):
    pixels = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)
    volume = Volume(pixels, (3.0, 0.7, 0.8), (-10.0, 20.0, 5.0))
    there = turned(volume, axes)
    assert axes_of(there) == axes
    for value in (0, 17, 119):
        places = [one.to_mm(np.argwhere(one.hu == value)[0]) for one in (volume, there)]
        np.testing.assert_allclose(*places, atol=1e-9)
    write(tmp_path / "there.nii.gz", there)
    back = upright(read(tmp_path / "there.nii.gz"))
    np.testing.assert_array_equal(back.hu, pixels)
    np.testing.assert_allclose(back.origin_mm, volume.origin_mm, atol=1e-4)


def test_a_warning_of_itk_does_not_tell_the_files_name(tmp_path, capfd):
    path = tmp_path / "QUENBY_XERXES.nii"
    write(path, Volume(np.zeros((4, 5, 6), np.int16), (3.0, 0.7, 0.8)))
    content = bytearray(path.read_bytes())
    sform = np.frombuffer(content, "<f4", 12, 280) * np.float32(1.005)
    content[280:328] = sform.tobytes()
    path.write_bytes(content)
    sitk.ReadImage(str(path))
    assert "QUENBY" in capfd.readouterr().err
    read(path)
    assert capfd.readouterr().err == ""
