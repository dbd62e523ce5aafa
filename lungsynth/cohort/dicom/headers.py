"""Tags of DICOM files: which files may be CT slices, and what speaks against one."""

import filecmp
import gzip
import math
import os
import re
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple

from pydicom.charset import convert_encodings
from pydicom.datadict import keyword_for_tag
from pydicom.dataelem import DataElement, RawDataElement, convert_raw_data_element
from pydicom.filereader import read_partial
from pydicom.tag import BaseTag, Tag

from lungsynth.cohort.names import link_fault
from lungsynth.cohort.sniff import WORDS, kind_of, strange
from lungsynth.study.errors import DataError

TAGS = (
    "PatientID", "Modality", "ImageType", "SOPClassUID", "StudyInstanceUID", "FrameOfReferenceUID",
    "SeriesInstanceUID", "SOPInstanceUID", "AcquisitionNumber", "AcquisitionTime", "AcquisitionDateTime",
    "InstanceNumber", "ImagesInAcquisition", "NumberOfSeriesRelatedInstances", "ImagePositionPatient",
    "ImageOrientationPatient", "PixelSpacing", "Rows", "Columns", "GantryDetectorTilt", "RescaleSlope",
    "RescaleIntercept", "PixelPaddingValue", "PixelPaddingRangeLimit", "PixelRepresentation", "BitsAllocated",
    "BitsStored", "HighBit", "KVP", "ConvolutionKernel", "NumberOfFrames", "SamplesPerPixel",
    "PhotometricInterpretation",
)  # fmt: skip
CHARSET = Tag("SpecificCharacterSet")
TAG_NUMBERS = (*(Tag(name) for name in TAGS), Tag(0x6000, 0x0102))
"""The last one is OverlayBitPosition, one of those that are there many times, which have no tag by name."""
SUFFIXES = (".dcm", ".dicom", ".ima", "")
PIXEL_DATA = (0x7FE00010, 0x7FE00009, 0x7FE00008)
PIXEL_BYTES = "pixel bytes"
"""No tag of the standard: the length of the pixels as the file states it, kept among the tags."""
PACKED = 0xFFFFFFFF
"""The length that compressed pixels have."""
RESCALE = ("RescaleSlope", "RescaleIntercept")
CT_CLASSES = ("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2")
GZIP = b"\x1f\x8b"
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
            with opened(path) as file:
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


def opened(path: Path) -> BinaryIO:
    """The file for reading, unpacked where it is packed (gzip)."""
    file = path.open("rb")
    if file.read(2) == GZIP:
        file.close()
        return gzip.open(path)
    file.seek(0)
    return file


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
    """Why a file that could not be read as DICOM is passed over; empty if it never looked like a scan."""
    try:
        kind = kind_of(path)
    except OSError:
        return "cannot be opened"
    if kind and kind != "dicom":
        return WORDS[kind.removeprefix("packed ")]
    return "is no DICOM file" if kind or path.suffix else ""


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
    return rescale_fault(tags) or pixel_fault(tags)


def rescale_fault(tags: Tags) -> str:
    """Whether stored values can be turned into HU. Both tags are mandatory in CT; without them a stored value is taken
    for its HU, which values without a sign cannot be."""
    if not all(math.isfinite(float(tags.get(name, None) or 0)) for name in RESCALE):
        return "RescaleSlope or RescaleIntercept is no number"
    if is_blank(tags, "RescaleIntercept") and int(tags.get("PixelRepresentation", None) or 0) == 0:
        return "the tag RescaleIntercept is missing and the pixels have no sign; are these Hounsfield units?"
    if not is_blank(tags, "RescaleSlope") and float(tags.RescaleSlope) == 0:
        return "RescaleSlope is 0, which makes all pixels equal"
    return ""


def is_blank(tags: Tags, name: str) -> bool:
    """Whether a tag is missing or holds nothing; 0 is something."""
    value = tags.get(name, None)
    return value is None or (isinstance(value, str | bytes | list) and not value)


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


def grouped(
    root: Path,
    skipped: list[tuple[str, str]],
    by: Literal["series", "sop"],
    is_known: Callable[[Path], bool] = lambda path: False,
) -> dict[str, list[Header]]:
    """The CT slices under a folder by the UID of their series, or their own; arguments as `candidates` has them.

    A file that is another one's copy, byte for byte, is told in `skipped` and not taken: folders are copied.
    """
    groups: dict[str, list[Header]] = defaultdict(list)
    first: dict[str, list[Path]] = defaultdict(list)
    for path in candidates(root, skipped, is_known):
        header = accepted(path, root, skipped)
        if header is None:
            continue
        same = first[header.sop] if header.sop else []
        if any(filecmp.cmp(path, other, shallow=False) for other in same):
            skipped.append((str(path.relative_to(root)), "is another file of the folder once more"))
            continue
        same.append(path)
        groups[getattr(header, by)].append(header)
    return groups


def candidates(
    root: Path, skipped: list[tuple[str, str]] | None = None, is_known: Callable[[Path], bool] = lambda path: False
) -> Iterator[Path]:
    """Files that may be DICOM, sorted: .dcm, .dicom, .ima, a number, no suffix, or whatever begins as DICOM does.

    Links to folders are not entered, since what they lead to is found without them or lies outside; a link to a file
    counts where it leads to one that is not found by itself.

    Args:
        root: the folder.
        skipped: gets the links that lead out, and files that look like scans of another format.
        is_known: whether a file is another reader's, by its name.
    """
    skipped = [] if skipped is None else skipped
    for folder, folders, files in os.walk(root):
        links = [name for name in folders if Path(folder, name).is_symlink()]
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted([*files, *links]):
            path = Path(folder, name)
            by_name = _may_be_dicom(path)
            if name.startswith(".") or path.stem.upper() == "DICOMDIR" or (not by_name and is_known(path)):
                continue
            if path.is_symlink():
                reason = link_fault(path, root)
                if reason and (by_name or name in links):
                    skipped.append((str(path.relative_to(root)), reason))
                if reason or path.is_dir() or _is_found(path.resolve(), root):
                    continue
            if not path.is_file():  # opening a pipe would wait for ever
                continue
            if by_name or _begins_as_dicom(path):
                yield path
            elif reason := strange(path):
                skipped.append((str(path.relative_to(root)), reason))


def _may_be_dicom(path: Path) -> bool:
    """By its name."""
    return path.suffix.lower() in SUFFIXES or path.suffix[1:].isdigit()


def _begins_as_dicom(path: Path) -> bool:
    try:
        return kind_of(path) in ("dicom", "bare", "packed dicom")
    except OSError:
        return False


def _is_found(target: Path, root: Path) -> bool:
    """Whether a file within the root is a candidate by its own name."""
    parts = target.relative_to(root.resolve()).parts
    hidden = any(part.startswith(".") for part in parts)
    return not hidden and (_may_be_dicom(target) or _begins_as_dicom(target))
