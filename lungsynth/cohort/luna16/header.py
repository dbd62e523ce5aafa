"""What can be wrong with a MetaImage before its pixels are believed."""

import math
import os
import zlib
from pathlib import Path

import numpy as np

from lungsynth.study.errors import DataError

BYTES = {
    "CHAR": 1, "UCHAR": 1, "SHORT": 2, "USHORT": 2, "INT": 4, "UINT": 4, "LONG": 4, "ULONG": 4, "LONG_LONG": 8,
    "ULONG_LONG": 8, "FLOAT": 4, "DOUBLE": 8,
}  # fmt: skip
PLACES = {"Offset": 3, "Position": 3, "Origin": 3, "TransformMatrix": 9, "Rotation": 9, "Orientation": 9}
"""The names that the format has for the place of the first voxel and for the axes, and how many numbers each has."""
LARGEST_COSINE = 0.01
"""Of two axes: half a degree off the right angle."""
LARGEST_HEADER = 65536


def read_header(path: Path) -> dict[str, str]:
    """Key -> value of a .mhd file.

    Raises:
        DataError: it is no MetaImage header.
    """
    header = {}
    with path.open("rb") as file:
        for raw in file.read(LARGEST_HEADER).splitlines():
            key, equals, value = os.fsdecode(raw).partition("=")
            if not equals:
                break
            header[key.strip()] = value.strip()
            if key.strip() == "ElementDataFile":
                break
    if "ElementDataFile" not in header or "DimSize" not in header:
        raise DataError(f"{path}: is no MetaImage header (DimSize or ElementDataFile is missing)")
    return header


def dimensions(header: dict[str, str], path: Path) -> list[float]:
    """Voxels along x, y, z.

    Raises:
        DataError: not three numbers.
    """
    size = _numbers(header["DimSize"], path, "DimSize")
    if len(size) != 3 or not all(n.is_integer() and n >= 1 for n in size):
        raise DataError(f"{path}: DimSize is {header['DimSize']!r}; a scan has three dimensions")
    return size


def check_files(path: Path) -> Path:
    """See to it that the pixels lie beside the header and are as many as it says. What the header holds is not quoted:
    the names of files may name patients.

    Returns:
        The file of the pixels.

    Raises:
        DataError: the header points elsewhere, the data file is missing, damaged, too short or too long, the image is
            not 3-D or has no place, or the header says something of the pixels that is not read.
    """
    header = read_header(path)
    size = dimensions(header, path)
    spacing = _numbers(header.get("ElementSpacing", header.get("ElementSize", "")), path, "ElementSpacing")
    if len(spacing) != 3 or not all(math.isfinite(s) and s > 0 for s in spacing):
        raise DataError(f"{path}: ElementSpacing must be three numbers above 0")
    _check_place(header, path)
    _check_meaning(header, path)
    name, start = header["ElementDataFile"], 0
    if name == "LOCAL":
        name, start = path.name, _header_bytes(path)
    if name.startswith("LIST") or Path(name).name != name or name in ("..", ".") or "\\" in name:
        raise DataError(f"{path}: its ElementDataFile points outside its folder; it must be a plain file name")
    data = path.with_name(name)
    if not data.is_file():
        raise DataError(f"{path}: its data file (ElementDataFile) is missing; copy it beside the header")
    if data.resolve().parent != path.resolve().parent and not path.is_symlink():
        raise DataError(f"{path}: its data file is a link out of the folder")
    kind = header.get("ElementType", "").removeprefix("MET_")
    if kind not in BYTES:
        raise DataError(f"{path}: ElementType is not one of MET_SHORT, MET_FLOAT ...")
    skip = int(_one_number(header, "HeaderSize", 0, path))
    _check_length(header, data, start + max(skip, 0), int(math.prod(size)) * BYTES[kind], at_end=skip < 0)
    if _is_true(header.get("CompressedData", "False")):
        _check_packed_length(header, path, data.stat().st_size - start)
    return data


def _check_length(header: dict[str, str], data: Path, start: int, need: int, at_end: bool) -> None:
    """As many bytes as the header has room for: others are another scan's.

    Args:
        start: the first byte of the pixels. at_end: the pixels are the last bytes, whatever lies before them.
    """
    is_packed = _is_true(header.get("CompressedData", "False"))
    have = _unpacked_bytes(data, start) if is_packed else data.stat().st_size - start
    if have < need:
        raise DataError(f"{data}: truncated, {have} bytes where DimSize and ElementType need {need}; copy it again")
    if have > need and not (at_end and not is_packed):
        raise DataError(
            f"{data}: has {have} bytes where DimSize and ElementType need {need}; header and pixels are of two scans?"
        )


def _check_packed_length(header: dict[str, str], path: Path, have: int) -> None:
    """The library fills the image with anything where it unpacks another number of bytes than there are."""
    said = _one_number(header, "CompressedDataSize", 0 if header["ElementDataFile"] == "LOCAL" else have, path)
    if said != have:
        raise DataError(f"{path}: CompressedDataSize is missing or is not that of the pixels ({have}); save it again")


def _check_meaning(header: dict[str, str], path: Path) -> None:
    """Keys that the image library passes over, though they change what the numbers mean."""
    if int(_one_number(header, "NDims", 3, path)) != 3:
        raise DataError(f"{path}: NDims is not the number of dimensions in DimSize, three")
    channels = _one_number(header, "ElementNumberOfChannels", 1, path)
    if channels != 1:
        raise DataError(f"{path}: has {channels:g} values a voxel, a scan has 1")
    if header.get("DistanceUnits", "mm").lower() not in ("mm", "?", "millimeter", "millimeters"):
        raise DataError(f"{path}: its DistanceUnits are not mm; save it in mm")
    if not _is_true(header.get("BinaryData", "True")):
        raise DataError(f"{path}: its pixels are text (BinaryData = False); save them as binary numbers")
    scaling = [_one_number(header, f"ElementToIntensityFunction{n}", v, path) for n, v in (("Slope", 1), ("Offset", 0))]
    if scaling != [1, 0]:
        raise DataError(f"{path}: asks for a scaling of its pixels (ElementToIntensityFunction), not applied; save HU")


def _is_true(text: str) -> bool:
    """As the format's own library reads it: by the first letter."""
    return text[:1] in ("T", "t", "1")


def _one_number(header: dict[str, str], key: str, default: float, path: Path) -> float:
    numbers = _numbers(header.get(key, str(default)), path, key)
    if len(numbers) != 1 or not math.isfinite(numbers[0]):
        raise DataError(f"{path}: {key} must be one number")
    return numbers[0]


def _check_place(header: dict[str, str], path: Path) -> None:
    for key, count in PLACES.items():
        if key not in header:
            continue
        numbers = _numbers(header[key], path, key)
        if len(numbers) != count or not np.isfinite(numbers).all():
            raise DataError(f"{path}: {key} must be {count} numbers")
        if count == 9:
            axes = np.reshape(numbers, (3, 3))
            if np.abs(axes @ axes.T - np.eye(3)).max() > LARGEST_COSINE:
                raise DataError(f"{path}: {key} is not three unit vectors at right angles (a tilted gantry?); refused")


def _header_bytes(path: Path) -> int:
    """Length of the header that lies in one file with its pixels."""
    with path.open("rb") as file:
        head = file.read(LARGEST_HEADER)
    return head.find(b"\n", head.find(b"ElementDataFile")) + 1


def _unpacked_bytes(data: Path, start: int) -> int:
    """Length of packed pixels, unpacked to their end: the image library makes up what it cannot unpack."""
    unpacker, have = zlib.decompressobj(zlib.MAX_WBITS | 32), 0
    try:
        with data.open("rb") as file:
            file.seek(start)
            while part := file.read(1 << 20):
                while part:
                    have += len(unpacker.decompress(part, 1 << 24))
                    part = unpacker.unconsumed_tail
    except (OSError, zlib.error) as error:
        raise DataError(f"{data}: truncated or damaged ({error}); copy it again") from None
    return have


def _numbers(text: str, path: Path, key: str) -> list[float]:
    try:
        return [float(part) for part in text.split()]
    except ValueError:
        raise DataError(f"{path}: {key} is not a list of numbers") from None
