"""DICOM CT from files to a volume: which files belong together, in which order, and what speaks against them."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pydicom
import SimpleITK as sitk

from lungsynth.cohort.base import HU_RANGE, to_hu
from lungsynth.ct.volume import Volume
from lungsynth.study.errors import DataError

TAGS = (
    "PatientID", "Modality", "ImageType", "SeriesInstanceUID", "SOPInstanceUID", "ImagePositionPatient",
    "ImageOrientationPatient", "PixelSpacing", "Rows", "Columns", "GantryDetectorTilt", "RescaleSlope",
    "RescaleIntercept", "PixelPaddingValue", "PixelPaddingRangeLimit", "PixelRepresentation", "BitsAllocated",
    "ConvolutionKernel", "NumberOfFrames", "SamplesPerPixel",
)  # fmt: skip
DUPLICATE_MM = 0.01
GAP = 1.5
"""Neighbours further apart than this many times the median have a slice missing between them."""


class Header(NamedTuple):
    """A file with the tags that matter; identities other than the patient's id are not even read."""

    path: Path
    tags: pydicom.Dataset

    @property
    def series(self) -> str:
        return str(self.tags.SeriesInstanceUID)

    @property
    def sop(self) -> str:
        return str(self.tags.get("SOPInstanceUID", ""))


def read_header(path: Path) -> Header:
    """The tags of one file, without pixels.

    Raises:
        DataError: it is no DICOM file.
    """
    try:
        return Header(path, pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(TAGS)))
    except (pydicom.errors.InvalidDicomError, OSError, EOFError, ValueError, AttributeError) as error:
        raise DataError(f"{path}: is no DICOM file ({type(error).__name__})") from None


def refusal(header: Header) -> str:
    """Why a file is no CT slice, by its tags; empty if it is one."""
    try:
        return _refusal(header.tags)
    except (ValueError, TypeError, AttributeError) as error:
        return f"a tag cannot be understood ({error})"


def _refusal(tags: pydicom.Dataset) -> str:
    if tags.get("Modality", "CT") != "CT":
        return f"modality {tags.Modality}, not CT"
    if "LOCALIZER" in [str(word).upper() for word in tags.get("ImageType", None) or []]:
        return "a localizer"
    if int(tags.get("NumberOfFrames", None) or 1) > 1:
        return "a multi-frame file"
    if int(tags.get("SamplesPerPixel", None) or 1) > 1:
        return "a colour picture"
    missing = [name for name in ("SeriesInstanceUID", "PixelSpacing", "Rows", "Columns") if not tags.get(name)]
    return f"the tag {missing[0]} is missing" if missing else ""


def candidates(root: Path) -> Iterable[Path]:
    """Files that may be DICOM, sorted: .dcm, .ima, or no suffix."""
    for path in sorted(root.rglob("*")):
        known = path.suffix.lower() in (".dcm", ".ima", "") or path.suffix[1:].isdigit()
        if known and path.is_file() and path.name != "DICOMDIR" and not path.name.startswith("."):
            yield path


def read_series(paths: Sequence[Path], max_tilt_deg: float) -> tuple[Volume, list[Header]]:
    """One series as a volume, slices in rising order along the normal.

    HU = stored * slope + intercept of each file (GDCM); PixelPaddingValue counts as -1024 HU.

    Returns:
        The volume and the headers in the order of its slices.

    Raises:
        DataError: mixed or oblique slices, a tilted gantry, doubles, gaps, or pixels that cannot be decoded.
    """
    try:
        return _assemble([read_header(path) for path in paths], max_tilt_deg)
    except (ValueError, TypeError, AttributeError, IndexError) as error:
        raise DataError(f"{paths[0].parent}: a tag of the series cannot be understood ({error})") from None


def _assemble(headers: list[Header], max_tilt_deg: float) -> tuple[Volume, list[Header]]:
    """The headers in order, once nothing speaks against them, and the volume of their pixels."""
    where = headers[0].path.parent
    if len({header.series for header in headers}) > 1:
        raise DataError(f"{where}: holds slices of more than one series; give each series its own folder")
    for header in headers:
        reason = refusal(header)
        if reason:
            raise DataError(f"{header.path}: {reason}")
    axes = _axes(headers, where)
    positions = np.array([[float(v) for v in header.tags.ImagePositionPatient] for header in headers])
    along = positions @ axes[2]
    order = np.argsort(along, kind="stable")
    headers, positions, along = [headers[i] for i in order], positions[order], along[order]
    step = _step(along, where)
    _check_tilt(headers, positions, axes[2], max_tilt_deg, where)
    dy, dx = (float(v) for v in headers[0].tags.PixelSpacing)
    direction = tuple(np.stack(axes, axis=1).ravel().round(9).tolist())
    volume = Volume(_pixels(headers), (step, dy, dx), tuple(positions[0].tolist()), direction)
    return volume, headers


def _axes(headers: Sequence[Header], where: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Directions of columns, rows and slices, once all files agree in size, spacing and orientation."""
    for name, tolerance in (("ImageOrientationPatient", 1e-3), ("PixelSpacing", 1e-4)):
        absent = [h.path for h in headers if not h.tags.get(name)]
        if absent:
            raise DataError(f"{absent[0]}: the tag {name} is missing")
        values = np.array([[float(v) for v in header.tags[name].value] for header in headers])
        if np.ptp(values, axis=0).max() > tolerance:
            raise DataError(f"{where}: the slices of the series differ in {name}; it is more than one scan")
    if len({(header.tags.Rows, header.tags.Columns) for header in headers}) > 1:
        raise DataError(f"{where}: the slices of the series differ in size; it is more than one scan")
    if any(not header.tags.get("ImagePositionPatient") for header in headers):
        raise DataError(f"{where}: a slice has no ImagePositionPatient")
    cosines = [float(v) for v in headers[0].tags.ImageOrientationPatient]
    x, y = np.array(cosines[:3]), np.array(cosines[3:])
    if abs(x @ x - 1) > 0.01 or abs(y @ y - 1) > 0.01 or abs(x @ y) > 0.01:
        raise DataError(f"{where}: ImageOrientationPatient is not two unit vectors at a right angle")
    return x, y, np.cross(x, y)


def _step(along: np.ndarray, where: Path) -> float:
    """Distance of neighbouring slices: the median, which no pair may double or exceed by half."""
    if len(along) == 1:
        return 1.0
    gaps = np.diff(along)
    step = float(np.median(gaps))
    if gaps.min() < DUPLICATE_MM:
        raise DataError(f"{where}: two slices lie at {along[gaps.argmin()]:g} mm; keep one of them")
    if gaps.max() > GAP * step:
        at = along[gaps.argmax()]
        raise DataError(f"{where}: slices are missing after {at:g} mm ({gaps.max():g} mm where {step:g} mm are usual)")
    return step


def _check_tilt(headers: Sequence[Header], positions: np.ndarray, normal: np.ndarray, most: float, where: Path) -> None:
    tilts = [abs(float(header.tags.get("GantryDetectorTilt", None) or 0)) for header in headers]
    if max(tilts) > most:
        raise DataError(f"{where}: the gantry was tilted by {max(tilts):g} degrees; such scans are refused")
    if len(positions) > 1:
        way = positions[-1] - positions[0]
        cosine = np.clip(abs(way @ normal) / np.linalg.norm(way), 0, 1)
        if np.degrees(np.arccos(cosine)) > most:
            raise DataError(f"{where}: the slices are sheared by {np.degrees(np.arccos(cosine)):.1f} degrees; refused")


def _pixels(headers: Sequence[Header]) -> np.ndarray:
    """HU [z, y, x] of files in order, padding at -1024."""
    planes = []
    for header in headers:
        try:
            plane = sitk.GetArrayFromImage(sitk.ReadImage(str(header.path)))
        except RuntimeError:
            raise DataError(f"{header.path}: the pixels cannot be decoded; the file is damaged or truncated") from None
        plane = plane.reshape(plane.shape[-2:])
        hu = to_hu(plane, header.path)
        low, high = _padding_hu(header.tags)
        hu[(plane >= low - 0.25) & (plane <= high + 0.25)] = HU_RANGE[0]
        planes.append(hu)
    return np.stack(planes)


def _padding_hu(tags: pydicom.Dataset) -> tuple[float, float]:
    """The range of padding in HU: stored values of PixelPaddingValue to PixelPaddingRangeLimit; empty without one.

    Padding is only believed where no tissue can be: a value above -900 HU marks pixels that may be real.
    """
    value = tags.get("PixelPaddingValue", None)
    if value is None:
        return np.inf, -np.inf
    limit = tags.get("PixelPaddingRangeLimit", None)
    ends = sorted(_stored(v, tags) for v in (value, value if limit is None else limit))
    slope, intercept = float(tags.get("RescaleSlope", 1) or 1), float(tags.get("RescaleIntercept", 0) or 0)
    low, high = (end * slope + intercept for end in ends)
    return (low, high) if high < -900 else (np.inf, -np.inf)


def _stored(value: int | bytes, tags: pydicom.Dataset) -> int:
    """A padding value as the pixels hold it: files often write a signed one without its sign."""
    number = int.from_bytes(value[:2], "little") if isinstance(value, bytes) else int(value)
    signed = int(tags.get("PixelRepresentation", 0) or 0) == 1
    bits = int(tags.get("BitsAllocated", 16) or 16)
    return number - (1 << bits) if signed and number >= 1 << (bits - 1) else number
