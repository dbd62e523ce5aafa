"""One picture from its file: grey levels or HU, and the size of a pixel where the file says it."""

import struct
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
import SimpleITK as sitk
from PIL import Image, ImageOps
from pydicom.tag import Tag

from lungsynth.cohort.dicom.headers import Tags, pixel_fault, read_header
from lungsynth.ct import volume as volumes
from lungsynth.study.errors import DataError

PICTURES = (".png", ".jpg", ".jpeg")
DICOM = (".dcm", ".ima")
SUFFIXES = (*PICTURES, *DICOM)
TAGS = (
    "PatientID", "Modality", "SOPInstanceUID", "PixelSpacing", "ImagerPixelSpacing", "NumberOfFrames",
    "SamplesPerPixel", "Rows", "Columns", "BitsAllocated", "BitsStored", "PixelRepresentation",
    "PhotometricInterpretation", "RescaleSlope", "RescaleIntercept",
)  # fmt: skip
TAG_NUMBERS = tuple(Tag(name) for name in TAGS)
LARGEST_PX = 64_000_000
MANY = "is in colour or has several frames; one grey picture a file is read"
COLOUR_LEVELS = 6
"""Channels of a grey picture differ by no more than this after JPEG has rounded them."""


class Picture(NamedTuple):
    """A picture as it is stored.

    Attributes:
        values: float32 [h, w], HU or grey levels.
        bits: of a grey level; 0: the values are HU.
        spacing_mm: (row, column), or None where the file does not say.
    """

    values: np.ndarray
    bits: int
    spacing_mm: tuple[float, float] | None


def file_kind(path: Path) -> str:
    """By the name: `picture` (PNG, JPEG), `dicom` (also without a suffix, or with a UID's number for one), or empty."""
    suffix = path.suffix.lower()
    if suffix in PICTURES:
        return "picture"
    return "dicom" if suffix in (*DICOM, "") or suffix[1:].isdigit() else ""


def read_picture(path: Path) -> Picture:
    """A grey PNG or JPEG of 8 or 16 bits; colour files whose three channels are equal count as grey.

    Raises:
        DataError: colour, transparency, several pictures in one file, too large, or damaged.
    """
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(path, formats=("PNG", "JPEG")) as file:
            if file.width * file.height > LARGEST_PX:
                raise DataError(f"{path}: {file.width} x {file.height} pixels are more than {LARGEST_PX}")
            if getattr(file, "n_frames", 1) > 1:
                raise DataError(f"{path}: holds {file.n_frames} pictures; save them one a file")
            upright = ImageOps.exif_transpose(file)
            if upright.mode in ("L", "I;16", "I;16B", "I"):
                return Picture(np.asarray(upright, np.float32), 8 if upright.mode == "L" else 16, None)
            return Picture(_grey(upright, path), 8, None)
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError) as error:
        reason = str(error).replace(str(path), "the file").splitlines() or [type(error).__name__]
        raise DataError(f"{path}: cannot be read as a PNG or JPEG ({reason[0]})") from None


def _grey(picture: Image.Image, path: Path) -> np.ndarray:
    """The grey of a colour or palette picture that has no colour in it, float32 [h, w]."""
    if picture.mode == "CMYK":
        raise DataError(f"{path}: is a colour picture (CMYK); save it as grey")
    channels = np.asarray(picture.convert("RGBA"), np.int16)
    if channels[..., 3].min() < 255:
        raise DataError(f"{path}: is transparent in places; save it as grey without an alpha channel")
    if np.ptp(channels[..., :3], axis=2).max() > COLOUR_LEVELS:
        raise DataError(f"{path}: is a colour picture; save it as grey")
    return channels[..., 1].astype(np.float32)


def read_tags(path: Path) -> Tags:
    """The tags of a DICOM file that matter, without pixels.

    Raises:
        DataError: it is no DICOM file, or one of these tags is damaged; the file is not named.
    """
    try:
        header = read_header(path, TAG_NUMBERS)
    except DataError as error:
        raise DataError(str(error).removeprefix(f"{path}: ")) from None
    if header.damaged:
        raise DataError(f"the tag {header.damaged[0]} is damaged")
    return header.tags


def read_dicom(path: Path) -> Picture:
    """A DICOM picture: HU for CT, grey levels (white is bright) for any other modality.

    The library turns MONOCHROME1 (0 is white) round by itself, before it applies slope and intercept.

    Raises:
        DataError: no single grey picture, or damaged.
    """
    try:
        tags = read_tags(path)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    try:
        if int(tags.get("NumberOfFrames", None) or 1) > 1 or int(tags.get("SamplesPerPixel", None) or 1) > 1:
            raise DataError(f"{path}: {MANY}")
        spacing = tags.get("PixelSpacing", None) or tags.get("ImagerPixelSpacing", None)
        spacing_mm = tuple(float(v) for v in spacing) if spacing else None
        bits, signed = int(tags.get("BitsStored", 16)), int(tags.get("PixelRepresentation", 0))
        slope, intercept = float(tags.get("RescaleSlope", 1) or 1), float(tags.get("RescaleIntercept", 0) or 0)
        if not (np.isfinite([slope, intercept]).all() and 1 <= bits <= 32):
            raise ValueError
        fault = pixel_fault(tags)
    except (TypeError, ValueError, AttributeError):  # whose words quote the value
        raise DataError(f"{path}: a tag cannot be understood") from None
    if fault:
        raise DataError(f"{path}: {fault}")
    try:
        with volumes.quiet():
            values = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    except RuntimeError:
        raise DataError(f"{path}: the pixels cannot be decoded; the file is damaged or truncated") from None
    if values.shape[:-2] not in ((), (1,)):  # a palette becomes three channels
        raise DataError(f"{path}: {MANY}")
    values = values.reshape(values.shape[-2:]).astype(np.float32)
    if tags.get("Modality", "CT") != "CT":
        levels = (values - intercept) / slope
        return Picture(levels + (1 << (bits - 1) if signed else 0), bits, spacing_mm)
    if tags.get("PhotometricInterpretation", "") == "MONOCHROME1":
        raise DataError(f"{path}: is CT in MONOCHROME1 (0 is white), whose HU cannot be trusted; save it again")
    return Picture(values, 0, spacing_mm)
