"""A DICOM series from files to a volume: the order of its slices, and what speaks against them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lungsynth.cohort.dicom.acquisitions import alternation, difference, mixture
from lungsynth.cohort.dicom.headers import Header, fault, read_header, refusal
from lungsynth.cohort.dicom.pixels import read_pixels
from lungsynth.ct.volume import Volume
from lungsynth.study.errors import DataError

DUPLICATE_MM = 0.01
GAP = 1.5
"""Neighbours further apart than this many times the median have a slice missing between them."""
OFF_GRID = 0.5
"""A slice may lie off its place on a regular grid by less than this many times the distance of slices."""
SIDEWAYS_MM = 1.0
"""A slice may lie beside the line from the first to the last by this much; rounded positions do by a tenth."""


def read_series(paths: Sequence[Path], max_tilt_deg: float) -> tuple[Volume, list[Header]]:
    """One series as a volume, slices in rising order along the normal.

    HU = stored * slope + intercept of each file (GDCM); PixelPaddingValue counts as -1024 HU.

    Returns:
        The volume and the headers in the order of its slices.

    Raises:
        DataError: mixed or oblique slices, a tilted gantry, doubles, gaps, uneven distances, pixels that are no HU or
            cannot be decoded.
    """
    try:
        return _assemble([read_header(path) for path in paths], max_tilt_deg)
    except (ValueError, TypeError, AttributeError, IndexError) as error:
        name = type(error).__name__
        raise DataError(f"{paths[0].parent}: a tag of the series cannot be understood ({name})") from None


def _assemble(headers: list[Header], max_tilt_deg: float) -> tuple[Volume, list[Header]]:
    """The headers in order, once nothing speaks against them, and the volume of their pixels."""
    where = headers[0].path.parent
    for header in headers:
        reason = refusal(header) or fault(header)
        if reason:
            raise DataError(f"{header.path}: {reason}")
    if len({header.series for header in headers}) > 1:
        raise DataError(f"{where}: holds slices of more than one series; give each series its own folder")
    if mixed := mixture(headers):
        raise DataError(f"{where}: {mixed}")
    axes = _axes(headers, where)
    positions = np.array([[float(v) for v in header.tags.ImagePositionPatient] for header in headers])
    if not np.isfinite(positions).all():
        raise DataError(f"{where}: a slice has an ImagePositionPatient that is no number")
    along = positions @ axes[2]
    order = np.argsort(along, kind="stable")
    headers, positions, along = [headers[i] for i in order], positions[order], along[order]
    step = _step(headers, along, where)
    if mixed := alternation(headers):
        raise DataError(f"{where}: {mixed}")
    _check_tilt(headers, positions, axes[2], max_tilt_deg, where)
    _check_line(positions, along, where)
    dy, dx = (float(v) for v in headers[0].tags.PixelSpacing)
    direction = tuple(np.stack(axes, axis=1).ravel().round(9).tolist())
    volume = Volume(read_pixels(headers), (step, dy, dx), tuple(positions[0].tolist()), direction)
    return volume, headers


def _axes(headers: Sequence[Header], where: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Directions of columns, rows and slices, once all files agree in size, spacing and orientation."""
    for name, tolerance in (("ImageOrientationPatient", 1e-3), ("PixelSpacing", 1e-4)):
        absent = [h.path for h in headers if not h.tags.get(name)]
        if absent:
            raise DataError(f"{absent[0]}: the tag {name} is missing")
        values = np.array([[float(v) for v in header.tags[name]] for header in headers])
        if np.ptp(values, axis=0).max() > tolerance:
            raise DataError(f"{where}: the slices of the series differ in {name}; it is more than one scan")
    if len({(header.tags.Rows, header.tags.Columns) for header in headers}) > 1:
        raise DataError(f"{where}: the slices of the series differ in size; it is more than one scan")
    if any(not header.tags.get("ImagePositionPatient") for header in headers):
        raise DataError(f"{where}: a slice has no ImagePositionPatient")
    cosines = [float(v) for v in headers[0].tags.ImageOrientationPatient]
    x, y = np.array(cosines[:3]), np.array(cosines[3:])
    if not (abs(x @ x - 1) < 0.01 and abs(y @ y - 1) < 0.01 and abs(x @ y) < 0.01):
        raise DataError(f"{where}: ImageOrientationPatient is not two unit vectors at a right angle")
    normal = np.cross(x, y)
    if np.abs(normal).argmax() != 2:
        raise DataError(f"{where}: the slices are not axial")
    return x, y, normal


def _step(headers: Sequence[Header], along: np.ndarray, where: Path) -> float:
    """Distance of neighbouring slices: the mean, once no pair is far from the median and no slice off the grid.

    Positions are often rounded: the median of 0.6, 0.7, 0.6 would be wrong by a slice after thirty.
    """
    if len(along) == 1:
        return 1.0
    gaps = np.diff(along)
    usual = float(np.median(gaps))
    closest, widest = int(gaps.argmin()), int(gaps.argmax())
    if gaps[closest] < DUPLICATE_MM:
        of = difference(*headers[closest : closest + 2])
        what_to_do = f" {of}; make them two series" if of else "; keep one of them"
        raise DataError(f"{where}: two slices lie at {along[closest]:g} mm{what_to_do}")
    if gaps[widest] > GAP * usual:
        gap = f"{gaps[widest]:g} mm where {usual:g} mm are usual"
        raise DataError(f"{where}: slices are missing after {along[widest]:g} mm ({gap})")
    step = round(float(along[-1] - along[0]) / (len(along) - 1), 6)
    off = np.abs(along - along[0] - step * np.arange(len(along)))
    if off.max() > OFF_GRID * step or gaps[closest] < usual / GAP / 2:
        at = off.argmax() if off.max() > OFF_GRID * step else closest
        raise DataError(f"{where}: the slices are not evenly spaced, at {along[at]:g} mm; resample the series")
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


def _check_line(positions: np.ndarray, along: np.ndarray, where: Path) -> None:
    """A volume has one corner and one direction: a slice that was reconstructed elsewhere would be moved unseen."""
    way = along[-1] - along[0]
    share = (along - along[0]) / way if way else np.zeros(len(along))
    beside = np.linalg.norm(positions - positions[0] - np.outer(share, positions[-1] - positions[0]), axis=1)
    worst = int(beside.argmax())
    if beside[worst] > SIDEWAYS_MM:
        raise DataError(
            f"{where}: the slice at {along[worst]:g} mm lies {beside[worst]:.1f} mm beside the line of the others; "
            "it is more than one scan"
        )
