"""Pixels of DICOM slices as HU: decoded by SimpleITK, padding taken away."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from pydicom.filereader import read_file_meta_info
from pydicom.uid import AllTransferSyntaxes

from lungsynth.cohort.base import HU_RANGE, to_hu
from lungsynth.cohort.dicom.headers import Header, Tags
from lungsynth.ct import volume as volumes
from lungsynth.study.errors import DataError

PADDING_BELOW_HU = -900
PIXEL_TAGS = (
    "RescaleSlope", "RescaleIntercept", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation",
    "PixelPaddingValue", "PixelPaddingRangeLimit",
)  # fmt: skip


def read_pixels(headers: Sequence[Header]) -> np.ndarray:
    """HU int16 [z, y, x] of files in order, padding at -1024.

    HU = stored * slope + intercept of each file. A series reader takes its pixel type from the first file and cuts off
    the fractions, or the signs, of the others; so it is used only where all files agree in what they do to pixels.

    Raises:
        DataError: pixels that cannot be decoded, or of another size than their tags say.
    """
    with volumes.quiet():
        if len({str([header.tags.get(name) for name in PIXEL_TAGS]) for header in headers}) == 1:
            planes = _read_series(headers)
            if planes is not None:
                return planes
        return np.concatenate([_read_plane(header) for header in headers])


def _read_series(headers: Sequence[Header]) -> np.ndarray | None:
    """All planes at once; None if one cannot be read."""
    reader = sitk.ImageSeriesReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileNames([str(header.path) for header in headers])
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
        hu[k] = _hu(plane, headers[0])
    return hu


def _read_plane(header: Header) -> np.ndarray:
    try:
        plane = sitk.GetArrayFromImage(sitk.ReadImage(str(header.path), imageIO="GDCMImageIO"))
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
        syntax = read_file_meta_info(path).get("TransferSyntaxUID", None)
    if syntax in AllTransferSyntaxes and syntax.is_compressed:
        return f"the file is damaged, or its compression ({syntax.name}) is not supported: decompress it"
    return "the file is damaged or truncated"


def _hu(values: np.ndarray, header: Header) -> np.ndarray:
    hu = to_hu(values, header.path)
    low, high = _padding_hu(header.tags)
    if high + 0.25 > HU_RANGE[0]:  # what lies lower has been clipped to the same value
        np.copyto(hu, HU_RANGE[0], where=(values >= low - 0.25) & (values <= high + 0.25))
    return hu


def _padding_hu(tags: Tags) -> tuple[float, float]:
    """The range of padding in HU: stored values of PixelPaddingValue to PixelPaddingRangeLimit; empty without one.

    Padding is only believed where no tissue can be: a value above -900 HU marks pixels that may be real.
    """
    value = tags.get("PixelPaddingValue", None)
    if value is None or value == "":
        return np.inf, -np.inf
    limit = tags.get("PixelPaddingRangeLimit", None)
    ends = (_stored(v, tags) for v in (value, value if limit is None or limit == "" else limit))
    slope, intercept = float(tags.get("RescaleSlope", None) or 1), float(tags.get("RescaleIntercept", None) or 0)
    low, high = sorted(end * slope + intercept for end in ends)
    return (low, high) if high < PADDING_BELOW_HU else (np.inf, -np.inf)


def _stored(value: int | bytes, tags: Tags) -> int:
    """A padding value as the pixels hold it: files often write a signed one without its sign."""
    number = int.from_bytes(value[:2], "little") if isinstance(value, bytes) else int(value)
    signed = int(tags.get("PixelRepresentation", 0) or 0) == 1
    bits = int(tags.get("BitsAllocated", 16) or 16)
    return number - (1 << bits) if signed and number >= 1 << (bits - 1) else number
