"""A CT volume in HU with its place in the patient, and how it is read and written (SimpleITK)."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import SimpleITK as sitk

from lungsynth.ct.files import whole
from lungsynth.ct.proof import write_image
from lungsynth.study.errors import DataError

IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
UPRIGHT = "LPS"
"""Where the axes x, y, z of an upright array point to: columns to the patient's left, rows to the back, slices up."""


@dataclass(frozen=True)
class Volume:
    """An image on a regular grid.

    Attributes:
        hu: array [z, y, x]; int16 HU for scans, an unsigned type for masks and labels.
        spacing_mm: (dz, dy, dx), the order of the array's axes.
        origin_mm: (x, y, z) of the centre of the first voxel, LPS.
        direction: ITK's direction cosines, row by row; columns are the axes x, y, z of the array.
    """

    hu: np.ndarray
    spacing_mm: tuple[float, float, float]
    origin_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    direction: tuple[float, ...] = IDENTITY

    def like(self, array: np.ndarray) -> "Volume":
        """Another array on the same grid."""
        if array.shape != self.hu.shape:
            raise ValueError(f"an array of shape {array.shape} is not on the grid {self.hu.shape}")
        return replace(self, hu=array)

    def _axes(self) -> np.ndarray:
        return np.asarray(self.direction, float).reshape(3, 3) * np.asarray(self.spacing_mm[::-1])

    def to_mm(self, zyx: np.ndarray) -> np.ndarray:
        """Array positions [..., 3] (z, y, x; fractions allowed) to LPS mm [..., 3] (x, y, z)."""
        return np.asarray(zyx, float)[..., ::-1] @ self._axes().T + np.asarray(self.origin_mm)

    def to_index(self, xyz_mm: np.ndarray) -> np.ndarray:
        """LPS mm [..., 3] (x, y, z) to fractional array positions [..., 3] (z, y, x)."""
        inverse = np.linalg.inv(self._axes())
        return ((np.asarray(xyz_mm, float) - np.asarray(self.origin_mm)) @ inverse.T)[..., ::-1]

    def window_round(self, centre_mm, radius_mm: float) -> tuple[slice, slice, slice]:
        """The part of the array that holds a ball."""
        centre = self.to_index(centre_mm)
        reach = radius_mm / np.array(self.spacing_mm) + 1
        low = np.maximum(np.floor(centre - reach).astype(int), 0)
        high = np.minimum(np.ceil(centre + reach).astype(int) + 1, self.hu.shape)
        return tuple(slice(a, max(a, b)) for a, b in zip(low, high, strict=True))

    def ball(self, centre_mm, radius_mm: float) -> tuple[tuple[slice, slice, slice], np.ndarray]:
        """A window of the array, and which of its voxels have their centre in a ball, bool."""
        box = self.window_round(centre_mm, radius_mm)
        grid = np.stack(np.meshgrid(*(np.arange(s.start, s.stop) for s in box), indexing="ij"), axis=-1)
        return box, np.sum((self.to_mm(grid) - np.asarray(centre_mm)) ** 2, axis=-1) <= radius_mm**2

    def to_sitk(self) -> sitk.Image:
        """As a SimpleITK image with the same geometry."""
        image = sitk.GetImageFromArray(self.hu)
        image.SetSpacing(tuple(map(float, self.spacing_mm[::-1])))
        image.SetOrigin(tuple(map(float, self.origin_mm)))
        image.SetDirection(tuple(map(float, self.direction)))
        return image


def axes_of(volume: Volume) -> str:
    """Where the array's axes x, y, z point to, nearest: three letters of L, R, A, P, S, I."""
    return sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(tuple(map(float, volume.direction)))


def upright(volume: Volume) -> Volume:
    """The same voxels in the same places, with the array's axes flipped and exchanged until they are UPRIGHT.

    Nothing is resampled: a tilt of some degrees stays in the direction. `turned` with the `axes_of` the volume is the
    way back.
    """
    return turned(volume, UPRIGHT)


def turned(volume: Volume, axes: str) -> Volume:
    """The same with the axes pointing to `axes`, such as those of the file that an upright scan came from."""
    return volume if axes_of(volume) == axes else from_sitk(sitk.DICOMOrient(volume.to_sitk(), axes))


def from_sitk(image: sitk.Image) -> Volume:
    """A 3-D SimpleITK image as a Volume; the array is a copy."""
    return Volume(
        sitk.GetArrayFromImage(image),
        tuple(image.GetSpacing()[::-1]),
        tuple(image.GetOrigin()),
        tuple(image.GetDirection()),
    )


@contextmanager
def quiet() -> Iterator[None]:
    """ITK's warnings off: they tell the file's name, which may be a patient's, to the log."""
    before = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(before)


@contextmanager
def openable(path: Path, *beside: Path) -> Iterator[str]:
    """A name under which the library opens a file. At a name that is no UTF-8 it ends the process, so that a link
    stands for such a file, with links to the files `beside` it that its header names."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        ending = ".nii.gz" if path.name.lower().endswith(".nii.gz") else ascii(path.suffix)[1:-1]
        with TemporaryDirectory() as folder:
            link = Path(folder, f"link{ending}")
            for file, there in ((link, path), *((Path(folder, other.name), other) for other in beside)):
                file.symlink_to(there.absolute())
            yield str(link)
    else:
        yield str(path)


def read(path: str | Path, *beside: Path) -> Volume:
    """Read a volume (.nii.gz, .mhd); `beside`: the file of its pixels, where that is another one.

    Raises:
        DataError: the file is missing, unreadable, not 3-D or has several values a voxel.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    try:
        with quiet(), openable(path, *beside) as name:
            image = sitk.ReadImage(name)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise DataError(f"{path}: cannot be read as an image ({reason})") from None
    if image.GetDimension() != 3:
        raise DataError(f"{path}: has {image.GetDimension()} dimensions, a scan has 3")
    if image.GetNumberOfComponentsPerPixel() != 1:
        raise DataError(f"{path}: has {image.GetNumberOfComponentsPerPixel()} values a voxel, a scan has 1")
    return from_sitk(image)


def write(path: str | Path, volume: Volume, compress: bool | None = None) -> None:
    """Write a volume whole; the suffix names the format. .nii.gz is always compressed, .mhd on request (.zraw).

    Raises:
        WriteError: the system does not let it be written, or what lies on the disk is not the volume.
    """
    path = Path(path)
    compress = path.name.endswith(".gz") if compress is None else compress
    with whole(path) as draft:
        write_image(draft, volume.to_sitk(), compress)
