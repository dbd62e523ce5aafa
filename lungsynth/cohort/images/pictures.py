"""One picture from its file: grey levels or HU, and the size of a pixel where the file says it."""

import struct
import warnings
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple

import numpy as np
import SimpleITK as sitk
from PIL import Image, ImageOps
from pydicom.tag import Tag

from lungsynth.cohort.dicom import headers
from lungsynth.cohort.dicom.headers import Header, Tags, pixel_fault, read_header, rescale_fault
from lungsynth.cohort.dicom.patients import patient_id, stand_ins
from lungsynth.cohort.dicom.pixels import read_pixels
from lungsynth.ct import volume as volumes
from lungsynth.study.errors import DataError

PICTURES = (".png", ".jpg", ".jpeg")
DICOM = (".dcm", ".ima")
SUFFIXES = (*PICTURES, *DICOM)
TAG_NUMBERS = (*headers.TAG_NUMBERS, Tag("ImagerPixelSpacing"))
STAND_IN_MM = 1.0
"""Of a pixel whose size nobody knows: a volume or a bank has one, and it means nothing."""
LARGEST_PX = 64_000_000
DAMAGED = (OSError, SyntaxError, ValueError, TypeError, LookupError, ArithmeticError, EOFError, struct.error)
"""What the library raises on bytes that are wrong somewhere."""
GREY_MODES = ("L", "I;16", "I;16B", "I")
Colour = Literal["refuse", "convert", "keep"]
MANY = "is in colour or has several frames; one grey picture a file is read"
TRANSPARENT = "is transparent in places; save it as grey without transparency"
PNG = b"\x89PNG\r\n\x1a\n"
PNG_HEAD = 33
"""Bytes of its signature and its first chunk."""
GREY = 0
"""The colour type of one channel."""
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
        with path.open("rb") as file:
            levels, bits = decode(file, path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read as a PNG or JPEG ({error.strerror})") from None
    return Picture(levels.astype(np.float32), bits, None)


def decode(file: BinaryIO, where: str | Path, colour: Colour = "refuse") -> tuple[np.ndarray, int]:
    """The upright pixels of an open PNG or JPEG, and the bits of a level.

    Args:
        colour: `refuse` takes grey alone, and files of three channels that are equal up to what JPEG rounds; `convert`
            makes colour grey by ITU-R 601; `keep` takes three channels from every file of 8 bits.

    Returns:
        uint8 [h, w] or [h, w, 3], or uint16 [h, w].

    Raises:
        DataError: as `read_picture`; CMYK always, since what its colours are depends on a printer.
    """
    try:
        key = _transparent_grey(file, where)
        file.seek(0)
        with warnings.catch_warnings(action="ignore"), Image.open(file, formats=("PNG", "JPEG")) as picture:
            if picture.width * picture.height > LARGEST_PX:
                raise DataError(f"{where}: {picture.width} x {picture.height} pixels are more than {LARGEST_PX}")
            if getattr(picture, "n_frames", 1) > 1:
                raise DataError(f"{where}: holds {picture.n_frames} pictures; save them one a file")
            return _levels(ImageOps.exif_transpose(picture), key, where, colour)
    except Image.DecompressionBombError:
        raise DataError(f"{where}: has more than {LARGEST_PX} pixels") from None
    except Image.UnidentifiedImageError:  # whose words name the open file
        raise DataError(f"{where}: cannot be read as a PNG or JPEG (it is neither)") from None
    except DAMAGED as error:
        reason = str(error).replace(str(where), "the file").splitlines() or [type(error).__name__]
        raise DataError(f"{where}: cannot be read as a PNG or JPEG ({reason[0]})") from None


def _levels(picture: Image.Image, key: float | None, where: str | Path, colour: Colour) -> tuple[np.ndarray, int]:
    """The pixels of an opened picture as `decode` returns them; key: the grey level that is transparent."""
    if picture.mode not in GREY_MODES:
        return _channels(picture, where, colour), 8
    grey = np.asarray(picture)
    if key is not None and (grey == key).any():
        raise DataError(f"{where}: {TRANSPARENT}")
    if picture.mode != "L":
        return grey.astype(np.uint16), 16
    return (np.stack([grey] * 3, -1) if colour == "keep" else grey), 8


def _transparent_grey(file: BinaryIO, where: str | Path) -> float | None:
    """The grey level that a PNG without colours declares to be transparent (tRNS), on the scale that it is read with.

    Raises:
        DataError: a PNG of several channels with 16 bits each, which the library opens with 8.
    """
    head = file.read(PNG_HEAD)
    if not head.startswith(PNG) or len(head) < PNG_HEAD:
        return None
    bits, colours = head[24:26]
    if bits == 16 and colours != GREY:
        raise DataError(f"{where}: has several channels of 16 bits, of which 8 would be read; save it as 16-bit grey")
    while colours == GREY and len(start := file.read(8)) == 8 and start[4:] != b"IDAT":
        body = file.read(int.from_bytes(start[:4]) + 4)
        if start[4:] == b"tRNS":
            level = int.from_bytes(body[:2])
            return level if bits == 16 else level * 255 / (2**bits - 1)
    return None


def _channels(picture: Image.Image, where: str | Path, colour: Colour) -> np.ndarray:
    """A picture of a palette or of several channels, uint8 [h, w]; [h, w, 3] where colour is kept."""
    if picture.mode == "CMYK":
        raise DataError(f"{where}: is a colour picture (CMYK); save it as grey")
    channels = np.asarray(picture.convert("RGBA"))
    if channels[..., 3].min() < 255:
        raise DataError(f"{where}: {TRANSPARENT}")
    if colour == "keep":
        return channels[..., :3]
    red, green, blue = (channels[..., k] for k in range(3))
    spread = np.maximum(np.maximum(red, green), blue) - np.minimum(np.minimum(red, green), blue)
    if spread.max() <= COLOUR_LEVELS:
        return green
    if colour == "refuse":
        raise DataError(f"{where}: is a colour picture; save it as grey")
    return np.asarray(Image.fromarray(channels[..., :3]).convert("L"))


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


def person_of(tags: Tags) -> str:
    """What tells one patient from another: the PatientID, else the study or what comes next; empty without any."""
    return patient_id(tags) or next((uid.partition(" ")[2] for uid in stand_ins(tags)), "")


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
        is_ct = tags.get("Modality", "CT") == "CT"
        fault = (rescale_fault(tags) if is_ct else "") or pixel_fault(tags)
    except (TypeError, ValueError, AttributeError):  # whose words quote the value
        raise DataError(f"{path}: a tag cannot be understood") from None
    if fault:
        raise DataError(f"{path}: {fault}")
    if is_ct:
        if tags.get("PhotometricInterpretation", "") == "MONOCHROME1":
            raise DataError(f"{path}: is CT in MONOCHROME1 (0 is white), whose HU cannot be trusted; save it again")
        return Picture(read_pixels([Header(path, tags)])[0].astype(np.float32), 0, spacing_mm)
    try:
        with volumes.quiet(), volumes.openable(path) as name:
            values = sitk.GetArrayFromImage(sitk.ReadImage(name))
    except RuntimeError:
        raise DataError(f"{path}: the pixels cannot be decoded; the file is damaged or truncated") from None
    if values.shape[:-2] not in ((), (1,)):  # a palette becomes three channels
        raise DataError(f"{path}: {MANY}")
    values = values.reshape(values.shape[-2:]).astype(np.float32)
    levels = (values - intercept) / slope
    return Picture(levels + (1 << (bits - 1) if signed else 0), bits, spacing_mm)
