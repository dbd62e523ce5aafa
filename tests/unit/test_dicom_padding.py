"""What lies outside the scanner's circle is -1024 HU, however a file says so; what is no CT number is never tissue."""

import numpy as np
import pydicom
import pytest
from chest_samples import write_dicom
from pydicom.dataelem import DataElement

from lungsynth.cohort.base import to_hu
from lungsynth.cohort.listing import open_reader
from lungsynth.study.errors import DataError

SHAPE = (11, 20, 24)
OUTSIDE = np.hypot(*np.ogrid[-9.5:10, -11.5:12]) > 8


def hounsfield():
    return np.random.default_rng(3).integers(-1000, 1000, SHAPE)


def write(root, value, kind="u2", own=(), **tags):
    """A series of unsigned pixels, with 16 bits of `value` outside the circle."""
    bits = tags.get("BitsStored", 16)
    signed = int(kind[0] == "i")
    stored = hounsfield() + (0 if signed else 1024)
    stored[:, OUTSIDE] = value
    intercept = 0 if signed else -1024
    write_dicom(root, hounsfield(), PixelRepresentation=signed, RescaleIntercept=intercept, HighBit=bits - 1, **tags)
    for path in root.iterdir():
        data = pydicom.dcmread(path)
        plane = stored[int(data.SOPInstanceUID.rpartition(".")[2]) - 1]
        data.PixelData = plane.astype(np.int64).astype(f"<{kind}").tobytes()
        for name, number in own:
            data.add(DataElement(name, "US", number))
        data.save_as(path)


def read(root):
    made = open_reader({"reader": "dicom", "path": root.name}, root.parent)
    (ref,) = made.list()
    return made.read(ref).volume.hu


TAGGED = (("PixelPaddingValue", 63536),)


@pytest.mark.parametrize(
    ("value", "own", "tags"),
    [
        (63536, TAGGED, {}),
        (63536, (), {}),
        (63536, (("PixelPaddingValue", 63000), ("PixelPaddingRangeLimit", 65535)), {}),
        (4096, (("PixelPaddingValue", 4096),), {}),
        (4096, (("PixelPaddingValue", 4096),), {"BitsStored": 12}),
        (63536, TAGGED, {"BitsStored": 12}),
        (63536, (), {"BitsStored": 12}),
        (63536, (), {"BitsStored": 15}),
        (32768, (), {}),
        (0, (("PixelPaddingValue", 0),), {}),
    ],
)
def test_padding_without_a_sign_is_padding(tmp_path, value, own, tags):
    write(tmp_path / "d", value, own=own, **tags)
    expected = hounsfield()
    expected[:, OUTSIDE] = -1024
    assert np.array_equal(read(tmp_path / "d"), expected)


@pytest.mark.parametrize(("value", "bits"), [(-2000, 16), (-2000, 12), (-3024, 12), (-32768, 16), (-32768, 12)])
def test_padding_with_a_sign_is_padding_whatever_bits_are_said_to_be_stored(tmp_path, value, bits):
    write(tmp_path / "d", value, "i2", BitsStored=bits)
    expected = hounsfield()
    expected[:, OUTSIDE] = -1024
    assert np.array_equal(read(tmp_path / "d"), expected)


def test_pixels_that_do_not_fit_into_their_bits_and_are_no_padding_are_refused(tmp_path):
    write(tmp_path / "d", 5000, BitsStored=12)
    with pytest.raises(DataError, match=r"has pixels of more bits than BitsStored \(12\)"):
        read(tmp_path / "d")


def test_an_overlay_in_the_unused_bits_is_no_pixel(tmp_path):
    write(tmp_path / "d", 1024, BitsStored=12)
    for path in (tmp_path / "d").iterdir():
        data = pydicom.dcmread(path)
        data.add(DataElement(0x60000102, "US", 12))
        data.PixelData = (np.frombuffer(data.PixelData, "<u2") | 1 << 12).tobytes()
        data.save_as(path)
    expected = hounsfield()
    expected[:, OUTSIDE] = 0
    assert np.array_equal(read(tmp_path / "d"), expected)


def test_values_below_zero_that_lost_their_sign_are_refused(tmp_path):
    write(tmp_path / "d", 0)
    for path in (tmp_path / "d").iterdir():
        data = pydicom.dcmread(path)
        data.RescaleIntercept = 0
        data.PixelData = (np.frombuffer(data.PixelData, "<u2") - np.uint16(1024)).tobytes()
        data.save_as(path)
    with pytest.raises(DataError, match="HU are no CT numbers"):
        read(tmp_path / "d")


def test_metal_is_bright_and_what_no_scanner_can_measure_is_refused():
    assert to_hu(np.array([31743.0, 30000, -3024]), "x").tolist() == [3071, 3071, -1024]
    for kind in (np.uint16, np.int32, np.float32):
        with pytest.raises(DataError, match="x: pixels of up to 62512 HU are no CT numbers"):
            to_hu(np.array([0, 62512], kind), "x")
