"""What a NIfTI file says of itself, looked at before the image library believes it.

The library takes a truncated file for whole and fills it up, takes a spacing of 0 or NaN for 1, turns NaN pixels to 0,
ignores voxel sizes in the sform that are not pixdim's, passes over a sheared sform, adds scl_inter where scl_slope is
0 (by the standard: no scaling), and reads the pixels of NAME.nii for NAME.nii.gz where both are there.
"""

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from lungsynth.study.errors import DataError

SUFFIXES = (".nii.gz", ".nii")
LENGTH = 348
LARGEST_COSINE = 0.01
"""Of two axes: half a degree off the right angle."""
LARGEST_SHIFT_MM = 1.0
"""By which sform and qform may differ: less than a voxel."""
HALF_TURN = 3 * float(np.finfo(np.float32).eps)
"""First number of a quaternion, squared, that is as good as 0: the file holds the other three in single precision."""
UNITS_MM = {1: 1000.0, 3: 0.001}
"""The codes of metres and micrometres."""
NUMBERS = {
    2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8",
}  # fmt: skip
"""The data types that can hold HU or labels, by NIfTI's codes."""


class Place(NamedTuple):
    """A grid in the patient, LPS.

    Attributes:
        axes: float64 [3, 3], unit vectors of i, j, k as columns. origin_mm: of the first voxel.
    """

    axes: np.ndarray
    origin_mm: np.ndarray


class NiftiHeader(NamedTuple):
    """The fields that matter.

    Attributes:
        size: voxels along i, j, k.
        start, stop: the bytes of the pixels. number: their numpy type.
        ignored_offset: scl_inter where scl_slope is 0: it must not be added.
        place: where the voxels lie, by the sform where its code is above 0, else by the qform; None without either.
        is_disputed: whether sform and qform put the voxels elsewhere.
    """

    size: tuple[int, int, int]
    start: int
    stop: int
    number: np.dtype
    ignored_offset: float
    place: Place | None
    is_disputed: bool


def stem(path: Path) -> str:
    """The file's name without .nii or .nii.gz, in small or capital letters."""
    for suffix in SUFFIXES:
        if path.name.lower().endswith(suffix):
            return path.name[: -len(suffix)]
    return path.name


def is_nifti(path: Path) -> bool:
    """By its name."""
    return path.name.lower().endswith(SUFFIXES)


def glance(path: Path) -> NiftiHeader | None:
    """The header, without a look at the pixels; None for files that `check` refuses."""
    try:
        with _opened(path) as file:
            return _parse(file.read(LENGTH), path)
    except (OSError, EOFError, zlib.error, DataError):
        return None


def check(path: Path) -> NiftiHeader:
    """Read the header and count the bytes that follow it.

    Raises:
        DataError: no NIfTI-1 file, not one 3-D image, impossible voxels, or not all there.
    """
    twins = [path.with_name(stem(path) + suffix) for suffix in SUFFIXES]
    if all(twin.is_file() for twin in twins):
        raise DataError(f"{path}: is there twice, packed and unpacked (.nii.gz and .nii); keep one of them")
    try:
        with _opened(path) as file:
            header = _parse(file.read(LENGTH), path)
            have, bad = _count(file, header)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: truncated or damaged ({error}); copy it again") from None
    if have < header.stop:
        raise DataError(f"{path}: truncated, {have} bytes where its header promises {header.stop}; copy it again")
    if have > header.stop:
        raise DataError(
            f"{path}: has {have} bytes where its header has room for {header.stop}; header and pixels are of two scans?"
        )
    if bad:
        raise DataError(f"{path}: {bad} pixels are not a number; convert the scan again")
    return header


def _opened(path: Path) -> BinaryIO:
    return gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb")


def _count(file: BinaryIO, header: NiftiHeader) -> tuple[int, int]:
    """Bytes of the file to its end, and how many of its pixels are no numbers; `file` stands behind the header."""
    have, bad = LENGTH + len(file.read(header.start - LENGTH)), 0
    while part := file.read(1 << 20):
        have += len(part)
        pixels = part[: max(len(part) - max(have - header.stop, 0), 0)]
        if header.number.kind == "f" and len(pixels) % header.number.itemsize == 0:
            bad += int(np.count_nonzero(~np.isfinite(np.frombuffer(pixels, header.number))))
    return have, bad


def _parse(raw: bytes, path: Path) -> NiftiHeader:
    """The header, once its numbers are seen to be possible."""
    order = next((o for o in "<>" if raw[:4] in (struct.pack(o + "i", 348), struct.pack(o + "i", 540))), None)
    if order is None or len(raw) < LENGTH:
        raise DataError(f"{path}: is no NIfTI file")
    if struct.unpack(order + "i", raw[:4])[0] == 540:
        raise DataError(f"{path}: is a NIfTI-2 file; save it as NIfTI-1")
    if raw[344:347] != b"n+1":
        raise DataError(f"{path}: is no single NIfTI-1 file (its magic is {raw[344:347]!r}); save it as .nii.gz")
    dim = struct.unpack_from(order + "8h", raw, 40)
    if not 1 <= dim[0] <= 7 or any(n < 1 for n in dim[1 : dim[0] + 1]):
        raise DataError(f"{path}: dim {list(dim)} is impossible; the header is damaged")
    if dim[0] < 3 or math.prod(dim[4 : dim[0] + 1]) > 1:
        held = [n for k, n in enumerate(dim[1 : dim[0] + 1]) if k < 3 or n > 1]
        raise DataError(f"{path}: has {len(held)} dimensions ({' x '.join(map(str, held))}), a scan has 3")
    code = struct.unpack_from(order + "h", raw, 70)[0]
    if code not in NUMBERS:
        raise DataError(f"{path}: data type {code} (colour, complex or unknown) is no HU and no mask")
    place, is_disputed = _place(raw, order, path)
    offset, slope, inter = struct.unpack_from(order + "3f", raw, 108)
    if not 0 <= offset < 2**31:
        raise DataError(f"{path}: vox_offset {offset:g} is impossible; the header is damaged")
    ignored = inter if not (math.isfinite(slope) and slope) and math.isfinite(inter) else 0.0
    start = max(int(offset), LENGTH)
    number = np.dtype(order + NUMBERS[code])
    stop = start + math.prod(dim[1:4]) * number.itemsize
    return NiftiHeader(tuple(dim[1:4]), start, stop, number, ignored, place, is_disputed)


def _place(raw: bytes, order: str, path: Path) -> tuple[Place | None, bool]:
    """Where the voxels lie, and whether the two forms differ in it, once they are seen to be possible.

    The image library takes the one or the other by rules of its own, most other programs the sform.
    """
    pixdim = np.array(struct.unpack_from(order + "3f", raw, 80))
    if not (np.isfinite(pixdim).all() and (pixdim > 0).all()):
        sizes = ", ".join(f"{v:g}" for v in pixdim)
        raise DataError(f"{path}: voxels of {sizes} mm (pixdim) are impossible; they must be above 0")
    scale = UNITS_MM.get(raw[123] & 7, 1.0)
    qform_code, sform_code = struct.unpack_from(order + "2h", raw, 252)
    qform = _qform(raw, order, scale, path) if qform_code > 0 else None
    sform = _sform(raw, order, scale, pixdim, path) if sform_code > 0 else None
    if sform is None or qform is None:
        return sform or qform, False
    near = np.abs(sform.axes - qform.axes).max() < 2 * LARGEST_COSINE
    return sform, not (near and np.abs(sform.origin_mm - qform.origin_mm).max() < LARGEST_SHIFT_MM)


def _sform(raw: bytes, order: str, scale: float, pixdim: np.ndarray, path: Path) -> Place:
    matrix = np.array(struct.unpack_from(order + "12f", raw, 280)).reshape(3, 4)
    if not np.isfinite(matrix).all():
        raise DataError(f"{path}: the sform holds values that are no numbers")
    sizes = np.linalg.norm(matrix[:, :3], axis=0)
    cosines = matrix[:, :3] / np.maximum(sizes, 1e-9)
    if np.abs(cosines.T @ cosines - np.eye(3)).max() > LARGEST_COSINE and sizes.all():
        raise DataError(f"{path}: the sform is sheared (a tilted gantry?); such scans are refused")
    if not np.allclose(sizes, pixdim, rtol=0.01):
        raise DataError(
            f"{path}: the sform's voxels of {', '.join(f'{v:g}' for v in sizes)} mm are not pixdim's "
            f"{', '.join(f'{v:g}' for v in pixdim)} mm; save the file again with one of them"
        )
    return _in_lps(cosines, matrix[:, 3] * scale)


def _qform(raw: bytes, order: str, scale: float, path: Path) -> Place:
    """Rotation by a unit quaternion of which the file holds three numbers (nifti1.h, method 2)."""
    numbers = np.array(struct.unpack_from(order + "6f", raw, 256))
    if not np.isfinite(numbers).all():
        raise DataError(f"{path}: the qform holds values that are no numbers")
    length = float(np.linalg.norm(numbers[:3]))
    # Half a turn: what single precision leaves of a zero would have a root of a thousandth, and tilt the scan by it.
    half_turn = 1 - length**2 < HALF_TURN
    b, c, d = numbers[:3] / (length if half_turn else 1)
    a = 0.0 if half_turn else math.sqrt(1 - length**2)
    turn = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
    turn[:, 2] *= -1 if struct.unpack_from(order + "f", raw, 76)[0] < 0 else 1
    return _in_lps(turn, numbers[3:] * scale)


def _in_lps(axes: np.ndarray, origin_mm: np.ndarray) -> Place:
    """From NIfTI's right, anterior, superior."""
    flip = np.array([-1.0, -1.0, 1.0])
    return Place(axes * flip[:, None], origin_mm * flip)
