"""A MetaImage means what its keys say; keys that are not read are refused for what they are."""

import zlib

import numpy as np
import pytest

from lungsynth.cohort.listing import open_reader
from lungsynth.study.errors import DataError

SHAPE = (11, 20, 24)
HU = np.random.default_rng(0).integers(-1000, 1000, SHAPE).astype("<i2")


def write(root, name="a.mhd", data=None, local=False, **keys):
    """A header as LUNA16 has them, and its pixels beside it or in it; None leaves a key out."""
    root.mkdir(exist_ok=True)
    lines = {
        "ObjectType": "Image", "NDims": 3, "BinaryData": "True", "BinaryDataByteOrderMSB": "False",
        "CompressedData": "False", "TransformMatrix": "1 0 0 0 1 0 0 0 1", "Offset": "-30 -25 -50",
        "CenterOfRotation": "0 0 0", "AnatomicalOrientation": "RAI", "ElementSpacing": "2.5 2.5 5",
        "DimSize": "24 20 11", "ElementType": "MET_SHORT",
    }  # fmt: skip
    lines = {**lines, **keys, "ElementDataFile": "LOCAL" if local else "a.raw"}
    text = "".join(f"{key} = {value}\n" for key, value in lines.items() if value is not None).encode()
    pixels = HU.tobytes() if data is None else data
    (root / name).write_bytes(text + (pixels if local else b""))
    if not local:
        (root / "a.raw").write_bytes(pixels)


def read(root, kind="scans", **own):
    made = open_reader({"reader": kind, "path": root.name, **own}, root.parent)
    (ref,) = made.list()
    return made.read(ref).volume.hu


def refused(root, pattern):
    with pytest.raises(DataError, match=pattern) as caught:
        read(root)
    assert "\n" not in str(caught.value)


PACKED = zlib.compress(HU.tobytes())
SQUEEZED = {"CompressedData": "True", "CompressedDataSize": len(PACKED)}


@pytest.mark.parametrize(
    ("data", "keys"),
    [
        (None, {}),
        (HU.astype(">i2").tobytes(), {"BinaryDataByteOrderMSB": "True"}),
        (HU.astype(">i2").tobytes(), {"BinaryDataByteOrderMSB": None, "ElementByteOrderMSB": "True"}),
        (PACKED, {"CompressedData": "True"}),
        (PACKED, {"CompressedData": "true", "CompressedDataSize": len(PACKED)}),
        (b"h" * 352 + HU.tobytes(), {"HeaderSize": 352}),
        (b"h" * 352 + HU.tobytes(), {"HeaderSize": -1}),
        (None, {"DistanceUnits": "mm"}),
        (None, {"ElementToIntensityFunctionSlope": "1.0", "ElementToIntensityFunctionOffset": "0"}),
        (None, {"ElementNumberOfChannels": 1}),
        (None, {"DimSize": "24.0 2e1 11"}),
        (HU.astype("<i4").tobytes(), {"ElementType": "MET_INT"}),
    ],
)
def test_what_is_understood_is_exact(tmp_path, data, keys):
    write(tmp_path / "m", data=data, **keys)
    assert np.array_equal(read(tmp_path / "m"), HU)


@pytest.mark.parametrize("packed", [False, True])
def test_pixels_may_lie_behind_their_header(tmp_path, packed):
    keys = {"CompressedData": "True", "CompressedDataSize": len(PACKED)} if packed else {}
    write(tmp_path / "m", "a.mha", PACKED if packed else None, local=True, **keys)
    assert np.array_equal(read(tmp_path / "m"), HU)


@pytest.mark.parametrize(("local", "size"), [(True, None), (True, 20), (True, 0), (False, len(PACKED) - 4), (False, 0)])
def test_packed_pixels_of_another_length_than_said_are_refused(tmp_path, local, size):
    write(tmp_path / "m", "a.mhd", PACKED, local, CompressedData="True", CompressedDataSize=size)
    refused(tmp_path / "m", "CompressedDataSize is missing or is not that of the pixels")


@pytest.mark.parametrize(("size", "count"), [("24 20 11 1", 4), ("24 220", 2), ("24 20 11 1 1", 5)])
def test_another_number_of_dimensions_is_told_and_not_called_a_slice(tmp_path, size, count):
    write(tmp_path / "m", NDims=count, DimSize=size)
    with pytest.raises(DataError, match=f"passed over: has {count} dimensions, a scan has 3"):
        open_reader({"reader": "scans", "path": "m"}, tmp_path).list()
    with pytest.raises(DataError, match="a scan has three dimensions"):
        read(tmp_path / "m", "luna16", annotations="")


@pytest.mark.parametrize("local", [False, True])
@pytest.mark.parametrize(
    ("data", "keys", "pattern"),
    [
        (None, {"DimSize": "24 20 10"}, "has 10560 bytes where DimSize and ElementType need 9600; header and pixels"),
        (None, {"DimSize": "24 20 12"}, "truncated, 10560 bytes where DimSize and ElementType need 11520"),
        (HU.tobytes() + b"\0\0", {}, "has 10562 bytes where .* need 10560"),
        (PACKED, {**SQUEEZED, "DimSize": "24 20 10"}, "has 10560 bytes where .* need 9600"),
        (HU.astype("<i8").tobytes(), {"ElementType": "MET_LONG"}, "has 42240 bytes where .* need 21120"),
        (b"h" * 10 + HU.tobytes(), {"HeaderSize": 4}, "has 10566 bytes where .* need 10560"),
        (b"h" * 10 + HU.tobytes(), {"HeaderSize": 20}, "truncated, 10550 bytes where .* need 10560"),
        (None, {"HeaderSize": ""}, "HeaderSize must be one number"),
        (None, {"NDims": 4}, "NDims is not the number of dimensions"),
        (None, {"DistanceUnits": "cm", "ElementSpacing": ".25 .25 .5"}, "its DistanceUnits are not mm"),
        (None, {"DistanceUnits": "um"}, "its DistanceUnits are not mm"),
        (None, {"ElementToIntensityFunctionOffset": -1024}, "asks for a scaling of its pixels"),
        (None, {"ElementToIntensityFunctionSlope": 2}, "asks for a scaling of its pixels"),
        (" ".join(map(str, HU.ravel())).encode(), {"BinaryData": "False"}, "its pixels are text"),
        (HU.tobytes() * 3, {"ElementNumberOfChannels": 3}, "has 3 values a voxel, a scan has 1"),
        (HU.astype("<u2").tobytes(), {"ElementType": "MET_USHORT"}, "HU are no CT numbers"),
    ],
)
def test_what_is_not_understood_is_refused_for_what_it_is(tmp_path, data, keys, pattern, local):
    write(tmp_path / "m", "a.mha" if local else "a.mhd", data, local, **keys)
    refused(tmp_path / "m", pattern)
