"""Pixels of DICOM slices as HU: decoded by SimpleITK, padding taken away."""

import warnings
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from gzip import BadGzipFile, GzipFile
from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryDirectory

import numpy as np
import SimpleITK as sitk
from pydicom.filereader import dcmread
from pydicom.uid import AllTransferSyntaxes

from lungsynth.cohort.base import HIGHEST_HU, to_hu
from lungsynth.cohort.dicom.headers import PACKED, PIXEL_BYTES, Header, Tags, opened
from lungsynth.ct import volume as volumes
from lungsynth.ct.hu import HU_RANGE
from lungsynth.study.errors import DataError

PADDING_BELOW_HU = -900
PIXEL_TAGS = (
    "RescaleSlope", "RescaleIntercept", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation",
    "PixelPaddingValue", "PixelPaddingRangeLimit", "OverlayBitPosition",
)  # fmt: skip
WORD = 16


def read_pixels(headers: Sequence[Header]) -> np.ndarray:
    """HU int16 [z, y, x] of files in order, padding at -1024.

    HU = stored * slope + intercept of each file. A series reader takes its pixel type from the first file and cuts off
    the fractions, or the signs, of the others; so it is used only where all files agree in what they do to pixels.

    Raises:
        DataError: pixels that cannot be decoded, or of another size than their tags say.
    """
    with volumes.quiet(), _openable(headers) as names:
        if len({str([header.tags.get(name) for name in PIXEL_TAGS]) for header in headers}) == 1:
            planes = _read_series(headers, names)
            if planes is not None:
                return planes
        return np.concatenate([_read_plane(header, name) for header, name in zip(headers, names, strict=True)])


@contextmanager
def _openable(headers: Sequence[Header]) -> Iterator[list[str]]:
    """Names under which the library opens the files: packed ones are unpacked for the time being."""
    with ExitStack() as stack:
        folder, names = None, []
        for k, path in enumerate(header.path for header in headers):
            file = stack.enter_context(opened(path))
            if isinstance(file, GzipFile):
                folder = folder or stack.enter_context(TemporaryDirectory())
                path = _unpacked(file, path, Path(folder, f"{k}.dcm"))
            names.append(stack.enter_context(volumes.openable(path)))
        yield names


def _unpacked(file: GzipFile, path: Path, target: Path) -> Path:
    try:
        with target.open("wb") as plain:
            copyfileobj(file, plain)
    except (EOFError, BadGzipFile, zlib.error):
        raise DataError(f"{path}: is packed, and truncated or damaged; copy it again") from None
    return target


def _read_series(headers: Sequence[Header], names: Sequence[str]) -> np.ndarray | None:
    """All planes at once; None if one cannot be read."""
    reader = sitk.ImageSeriesReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileNames(names)
    try:
        image = reader.Execute()
    except RuntimeError:
        return None
    planes = sitk.GetArrayViewFromImage(image)
    tags = headers[0].tags
    if planes.shape != (len(headers), tags.Rows, tags.Columns):
        return None
    hu = np.empty(planes.shape, np.int16)
    for k, plane in enumerate(planes):  # one after the other, since a plane fits into the cache
        hu[k] = _hu(plane, headers[k])
    return hu


def _read_plane(header: Header, name: str) -> np.ndarray:
    try:
        plane = sitk.GetArrayFromImage(sitk.ReadImage(name, imageIO="GDCMImageIO"))
    except RuntimeError:
        raise DataError(f"{header.path}: the pixels cannot be decoded; {_cause(header.path)}") from None
    size = (1, header.tags.Rows, header.tags.Columns)
    if plane.size != np.prod(size):
        raise DataError(f"{header.path}: has {plane.shape} pixels, its tags say {size[1:]}")
    return _hu(plane.reshape(size), header)


def _cause(path: Path) -> str:
    """The likely reason why pixels cannot be decoded."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with opened(path) as file:
            syntax = dcmread(file, specific_tags=[], stop_before_pixels=True).file_meta.get("TransferSyntaxUID", None)
    if syntax in AllTransferSyntaxes and syntax.is_compressed:
        return f"the file is damaged, or its compression ({syntax.name}) is not supported: decompress it"
    return "the file is damaged or truncated"


def _hu(values: np.ndarray, header: Header) -> np.ndarray:
    """Decoded pixels as HU int16; padding is -1024, whether a tag names it or no CT number can be it."""
    padding = _beyond_bits(values, header)
    low, high = _padding_hu(header.tags)
    if low <= high:
        padding |= (values >= low - 0.25) & (values <= high + 0.25)
    if values.dtype != np.int16 and not _is_signed(header.tags):
        padding |= (values > HIGHEST_HU) & (_with_sign(values, header.tags) <= HU_RANGE[0])
    hu = to_hu(np.where(padding, 0, values) if padding.any() else values, header.path)
    hu[padding] = HU_RANGE[0]
    return hu


def _beyond_bits(values: np.ndarray, header: Header) -> np.ndarray:
    """Which pixels are padding that does not fit into BitsStored, where the library cuts it off to look like tissue.

    Old files keep an overlay in the unused bits, which is cut off rightly.

    Raises:
        DataError: pixels of more bits that are neither padding nor an overlay.
    """
    tags, none = header.tags, np.zeros(values.shape, bool)
    allocated, stored = (int(tags.get(name, None) or WORD) for name in ("BitsAllocated", "BitsStored"))
    is_plain = tags.get(PIXEL_BYTES, None) not in (None, PACKED)
    if not (allocated == WORD > stored and is_plain) or tags.get("OverlayBitPosition", None):
        return none
    words = _words(header)
    over = (words >= 1 << stored) | (words < -(1 << (stored - 1)))
    if not over.any():
        return none
    slope, intercept = _rescale(tags)
    found, (low, high) = words[over] * slope + intercept, _padding_hu(tags)
    named = (found >= low - 0.25) & (found <= high + 0.25)
    if not (named | (np.where(found > HIGHEST_HU, _with_sign(found, tags), found) <= HU_RANGE[0])).all():
        raise DataError(f"{header.path}: has pixels of more bits than BitsStored ({stored}); export it again")
    return over.reshape(values.shape)


def _words(header: Header) -> np.ndarray:
    """The pixels as the file holds them, 16 bits each, int32 [n]."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with opened(header.path) as file:
            data = dcmread(file, specific_tags=["PixelData"])
    order, kind = "<" if data.original_encoding[1] else ">", "i" if _is_signed(header.tags) else "u"
    return np.frombuffer(data.PixelData, f"{order}{kind}2", header.tags.Rows * header.tags.Columns).astype(np.int32)


def _is_signed(tags: Tags) -> bool:
    return int(tags.get("PixelRepresentation", None) or 0) == 1


def _with_sign(hu: np.ndarray, tags: Tags) -> np.ndarray:
    """The HU of values that were written without their sign."""
    return hu - _rescale(tags)[0] * (1 << WORD)


def _rescale(tags: Tags) -> tuple[float, float]:
    """Slope and intercept."""
    return float(tags.get("RescaleSlope", None) or 1), float(tags.get("RescaleIntercept", None) or 0)


def _padding_hu(tags: Tags) -> tuple[float, float]:
    """The range of padding in HU: stored values of PixelPaddingValue to PixelPaddingRangeLimit; empty without one.

    Padding is only believed where no tissue can be: a value from -900 HU to the top of the range may be a real pixel.
    """
    value = tags.get("PixelPaddingValue", None)
    if value is None or value == "":
        return np.inf, -np.inf
    limit = tags.get("PixelPaddingRangeLimit", None)
    slope, intercept = _rescale(tags)
    ends = (_stored(v, tags) for v in (value, value if limit is None or limit == "" else limit))
    low, high = sorted(end * slope + intercept for end in ends)
    return (low, high) if high < PADDING_BELOW_HU or low > HU_RANGE[1] else (np.inf, -np.inf)


def _stored(value: int | bytes, tags: Tags) -> int:
    """A padding value as the pixels hold it: files often write a signed one without its sign, or the reverse."""
    number = int.from_bytes(value[:2], "little") if isinstance(value, bytes) else int(value)
    bits = int(tags.get("BitsAllocated", None) or WORD)
    number %= 1 << bits
    return number - (1 << bits) if _is_signed(tags) and number >= 1 << (bits - 1) else number
