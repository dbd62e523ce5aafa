"""What can be wrong with an image file before its pixels are believed: the header of a MetaImage, a cut-off archive."""

import gzip
import math
import zlib
from pathlib import Path

from lungsynth.study.errors import DataError

BYTES = {"CHAR": 1, "UCHAR": 1, "SHORT": 2, "USHORT": 2, "INT": 4, "UINT": 4, "FLOAT": 4, "DOUBLE": 8}


def read_header(path: Path) -> dict[str, str]:
    """Key -> value of a .mhd file.

    Raises:
        DataError: it is no MetaImage header.
    """
    header = {}
    with path.open("rb") as file:
        for raw in file.read(65536).splitlines():
            key, equals, value = raw.decode("latin-1").partition("=")
            if not equals:
                break
            header[key.strip()] = value.strip()
            if key.strip() == "ElementDataFile":
                break
    if "ElementDataFile" not in header or "DimSize" not in header:
        raise DataError(f"{path}: is no MetaImage header (DimSize or ElementDataFile is missing)")
    return header


def check_files(path: Path) -> None:
    """See to it that the pixels lie beside the header and are all there.

    Raises:
        DataError: the header points elsewhere, the data file is missing or too short, or the image is not 3-D.
    """
    header = read_header(path)
    name = header["ElementDataFile"]
    size = _numbers(header["DimSize"], path, "DimSize")
    if len(size) != 3 or min(size) < 1:
        raise DataError(f"{path}: DimSize is {header['DimSize']!r}; a scan has three dimensions")
    spacing = _numbers(header.get("ElementSpacing", header.get("ElementSize", "")), path, "ElementSpacing")
    if len(spacing) != 3 or not all(math.isfinite(s) and s > 0 for s in spacing):
        raise DataError(f"{path}: ElementSpacing must be three numbers above 0")
    if name == "LOCAL":
        name = path.name
    if name.startswith("LIST") or Path(name).name != name or name in ("..", ".") or "\\" in name:
        raise DataError(f"{path}: ElementDataFile {name!r} points outside its folder; it must be a plain file name")
    data = path.with_name(name)
    if not data.is_file():
        raise DataError(f"{path}: its data file {name} is missing")
    if data.resolve().parent != path.resolve().parent and not path.is_symlink():
        raise DataError(f"{path}: its data file {name} is a link out of the folder")
    if header.get("CompressedData", "False").lower() != "true":
        _check_length(path, data, header, size)


def check_gzip(path: Path) -> None:
    """Read a .gz file to its end: the image library takes a cut-off one for whole and makes up the rest.

    Raises:
        DataError: it is truncated or damaged.
    """
    try:
        with gzip.open(path) as file:
            while file.read(1 << 20):
                pass
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: truncated or damaged ({error}); copy it again") from None


def _check_length(path: Path, data: Path, header: dict[str, str], size: list[float]) -> None:
    kind = header.get("ElementType", "").removeprefix("MET_")
    if kind not in BYTES:
        raise DataError(f"{path}: ElementType {header.get('ElementType')!r} is not one of MET_SHORT, MET_FLOAT ...")
    need, have = int(math.prod(size)) * BYTES[kind], data.stat().st_size
    if have < need:
        raise DataError(f"{data}: truncated, {have} bytes where DimSize and ElementType need {need}; copy it again")


def _numbers(text: str, path: Path, key: str) -> list[float]:
    try:
        return [float(part) for part in text.split()]
    except ValueError:
        raise DataError(f"{path}: {key} {text!r} is not a list of numbers") from None
