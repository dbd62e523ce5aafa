"""Tags of DICOM files: which files may be CT slices, and what speaks against one."""

import math
import os
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from pydicom.charset import convert_encodings
from pydicom.datadict import keyword_for_tag
from pydicom.dataelem import DataElement, RawDataElement, convert_raw_data_element
from pydicom.filereader import read_partial
from pydicom.tag import BaseTag, Tag

from lungsynth.cohort.names import link_fault
from lungsynth.study.errors import DataError

TAGS = (
    "PatientID", "Modality", "ImageType", "SOPClassUID", "SeriesInstanceUID", "SOPInstanceUID", "AcquisitionNumber",
    "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Rows", "Columns", "GantryDetectorTilt",
    "RescaleSlope", "RescaleIntercept", "PixelPaddingValue", "PixelPaddingRangeLimit", "PixelRepresentation",
    "BitsAllocated", "BitsStored", "HighBit", "ConvolutionKernel", "NumberOfFrames", "SamplesPerPixel",
    "PhotometricInterpretation",
)  # fmt: skip
CHARSET = Tag("SpecificCharacterSet")
TAG_NUMBERS = tuple(Tag(name) for name in TAGS)
SUFFIXES = (".dcm", ".dicom", ".ima", "")
PIXEL_DATA = (0x7FE00010, 0x7FE00009, 0x7FE00008)
PIXEL_BYTES = "pixel bytes"
"""No tag of the standard: the length of the pixels as the file states it, kept among the tags."""
PACKED = 0xFFFFFFFF
"""The length that compressed pixels have."""
CT_CLASSES = ("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2")
BARE = (b"\x02\0", b"\x08\0")
"""The groups of tags that a file without a preamble begins with."""
LEAST_BITS = 9
CODE = re.compile("[A-Z]{2,9}")
KERNEL = re.compile("[A-Za-z0-9_+./ -]{1,16}")


class Tags(dict[str, Any]):
    """The tags that matter, by keyword and decoded; also as attributes."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


class Header(NamedTuple):
    """A file with the tags that matter; identities other than the patient's id are not even read.

    `damaged` names the tags whose values cannot be decoded; they are left out of `tags`.
    """

    path: Path
    tags: Tags
    damaged: tuple[str, ...] = ()

    @property
    def series(self) -> str:
        return str(self.tags.SeriesInstanceUID)

    @property
    def sop(self) -> str:
        return str(self.tags.get("SOPInstanceUID", ""))


def read_header(path: Path, wanted: Sequence[BaseTag] = TAG_NUMBERS) -> Header:
    """The tags of one file that are `wanted`, without pixels.

    Raises:
        DataError: it is no DICOM file.
    """
    # Warnings quote the value that they are about, and it may be a name; they would stand in a log.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            pixels = _AtPixels()
            with path.open("rb") as file:
                data = read_partial(file, pixels, specific_tags=list(wanted))
            charset = data.get("SpecificCharacterSet", None) or "" if CHARSET in data else ""
            encodings = tuple(convert_encodings([charset] if isinstance(charset, str) else list(charset)))
            raw = {keyword_for_tag(tag): data.get_item(tag) for tag in data.keys()}  # noqa: SIM118
        except Exception as error:  # a damaged file provokes errors of every kind in a parser
            raise DataError(f"{path}: is no DICOM file ({type(error).__name__})") from None
        tags, damaged = Tags(), []
        for name, item in raw.items():
            try:
                tags[name] = _value(item, encodings)
            except Exception:
                damaged.append(name)
    if pixels.length is not None:
        tags[PIXEL_BYTES] = pixels.length
    return Header(path, tags, tuple(damaged))


class _AtPixels:
    """Stops the parser at the pixels, and keeps their length in the file: None until there."""

    length: int | None = None

    def __call__(self, tag: BaseTag, _: str | None, length: int) -> bool:
        if tag in PIXEL_DATA:
            self.length = length
        return tag in PIXEL_DATA


def _value(item: RawDataElement | DataElement, encodings: tuple[str, ...]) -> Any:
    if isinstance(item, DataElement):
        return item.value
    return _decoded(item._replace(value_tell=0), encodings)


@lru_cache(maxsize=4096)
def _decoded(raw: RawDataElement, encodings: tuple[str, ...]) -> Any:
    """A tag's value. The slices of a series have most of theirs in common, and decoding takes most of the time."""
    return convert_raw_data_element(raw, encoding=list(encodings)).value


def refusal(header: Header) -> str:
    """Why a file is no CT slice, by its tags; empty if it is one."""
    try:
        reason = _refusal(header.tags)
        return f"the tag {header.damaged[0]} is damaged" if reason and header.damaged else reason
    except (ValueError, TypeError, AttributeError):
        return "a tag cannot be understood"


def accepted(path: Path, root: Path, skipped: list[tuple[str, str]]) -> Header | None:
    """The header of a CT slice; else None, and a line in `skipped` unless the file never looked like DICOM."""
    try:
        header = read_header(path)
        reason = refusal(header)
    except DataError:
        header, reason = None, _stranger(path)
    if reason:
        skipped.append((str(path.relative_to(root)), reason))
        return None
    return header


def _stranger(path: Path) -> str:
    """Why a file that could not be read as DICOM is passed over; empty if it never looked like DICOM."""
    try:
        with path.open("rb") as file:
            first = file.read(2)
    except OSError:
        return "cannot be opened"
    if first in BARE:
        return "is a DICOM file of the old form, without a preamble; convert it"
    return "is no DICOM file" if path.suffix else ""


def _refusal(tags: Tags) -> str:
    modality = tags.get("Modality", None)
    if modality and modality != "CT":
        # In a damaged file a value may run on into the next tags, the patient's name among them: only codes are quoted.
        return f"modality {modality}, not CT" if CODE.fullmatch(str(modality)) else "its modality is not CT"
    if not modality and tags.get("SOPClassUID", CT_CLASSES[0]) not in CT_CLASSES:
        return "the tag Modality is missing"
    if "LOCALIZER" in _words(tags.get("ImageType", None)):
        return "a localizer"
    if int(tags.get("NumberOfFrames", None) or 1) > 1:
        return "a multi-frame file"
    if int(tags.get("SamplesPerPixel", None) or 1) > 1:
        return "a colour picture"
    missing = [name for name in ("SeriesInstanceUID", "PixelSpacing", "Rows", "Columns") if not tags.get(name)]
    return f"the tag {missing[0]} is missing" if missing else ""


def _words(value: str | Iterable[str] | None) -> list[str]:
    """The values of a tag that may hold none, one or several."""
    values = [value] if isinstance(value, str) else value or []
    return [str(word).strip().upper() for word in values]


def fault(header: Header) -> str:
    """What is wrong with a CT slice, by its tags; empty if nothing is."""
    tags = header.tags
    if header.damaged:
        return f"the tag {header.damaged[0]} is damaged"
    spacing = [float(v) for v in tags.PixelSpacing]
    if len(spacing) != 2 or not all(0 < v < math.inf for v in spacing):
        return f"PixelSpacing is {' x '.join(f'{v:g}' for v in spacing)} mm, which no pixel can have"
    bits = int(tags.get("BitsStored", None) or tags.get("BitsAllocated", None) or 16)
    if bits < LEAST_BITS:
        return f"{bits}-bit pixels are no Hounsfield units; export the original series"
    if tags.get("PhotometricInterpretation", "MONOCHROME2") != "MONOCHROME2":
        return "its PhotometricInterpretation is not MONOCHROME2, as that of CT is"
    if not all(math.isfinite(float(tags.get(name, None) or 0)) for name in ("RescaleSlope", "RescaleIntercept")):
        return "RescaleSlope or RescaleIntercept is no number"
    return pixel_fault(tags)


def pixel_fault(tags: Tags) -> str:
    """Whether the file holds as many pixels as its tags say; the image library makes up what is not there."""
    length = tags.get(PIXEL_BYTES, None)
    if length in (None, PACKED):  # the decoder says what is wrong
        return ""
    row_bits = int(tags.Columns) * int(tags.get("BitsAllocated", None) or 16)
    row, need = math.ceil(row_bits / 8), math.ceil(int(tags.Rows) * row_bits / 8)
    if need <= length < need + max(row, 2):  # a length is even
        return ""
    return f"has {length} bytes of pixels where Rows, Columns and BitsAllocated ask for {need}; export it again"


def kernel(header: Header) -> str:
    """Name of the reconstruction kernel; empty where it is unknown or no such name."""
    value = header.tags.get("ConvolutionKernel", None) or ""
    names = [value] if isinstance(value, str) else [str(name) for name in value]
    return "/".join(names) if names and all(KERNEL.fullmatch(name) for name in names) else ""


def candidates(root: Path, skipped: list[tuple[str, str]] | None = None) -> Iterator[Path]:
    """Files that may be DICOM, sorted: .dcm, .dicom, .ima, a number, or no suffix.

    Links to folders are not entered, since what they lead to is found without them or lies outside; a link to a file
    counts where it leads to one that is not found by itself. Those that lead out are named in `skipped`.
    """
    skipped = [] if skipped is None else skipped
    for folder, folders, files in os.walk(root):
        links = [name for name in folders if Path(folder, name).is_symlink()]
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted([*files, *links]):
            path = Path(folder, name)
            if not _may_be_dicom(path) and (name not in links or name.startswith(".")):
                continue
            if path.is_symlink():
                reason = link_fault(path, root)
                if reason:
                    skipped.append((str(path.relative_to(root)), reason))
                if reason or path.is_dir() or _is_found(path.resolve(), root):
                    continue
            if path.is_file():  # opening a pipe would wait for ever
                yield path


def _may_be_dicom(path: Path) -> bool:
    known = path.suffix.lower() in SUFFIXES or path.suffix[1:].isdigit()
    return known and not path.name.upper().startswith("DICOMDIR") and not path.name.startswith(".")


def _is_found(target: Path, root: Path) -> bool:
    """Whether a file within the root is a candidate by its own name."""
    parts = target.relative_to(root.resolve()).parts
    return _may_be_dicom(target) and not any(part.startswith(".") for part in parts)


def in_brief(skipped: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """One line for all files of a folder that were skipped for one reason: the first file, and how many more."""
    pairs = list(skipped)
    counts = Counter((Path(name).parent, reason) for name, reason in pairs)
    first: dict[tuple[Path, str], str] = {}
    for name, reason in sorted(pairs):
        first.setdefault((Path(name).parent, reason), name)
    more = {key: f" (and {n - 1} more in its folder)" if n > 1 else "" for key, n in counts.items()}
    return [(name, key[1] + more[key]) for key, name in first.items()]
