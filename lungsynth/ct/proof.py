"""Images written by SimpleITK, and read back before anybody may take them for whole.

ITK's NIfTI writer looks at no error of the system: where a disk is full, a quota used up or a file too large, it ends
as if all were well, and its reader fills what is missing with whatever lies in memory. So the bytes on the disk are
decoded here, by zlib with its own checksum, and compared with the voxels one by one: half a second for a scan of
133 slices, which takes two to three to write.
"""

import errno
import gzip
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from lungsynth.ct.files import why_not_whole

NIFTI_HEADER = 352
BLOCK = 1 << 22
KNOWN = (".nii", ".gz", ".mhd")
"""What this software writes, decoded here; other formats are compared as ITK reads them, which is a weaker proof."""
READ_ERRORS = (OSError, EOFError, RuntimeError, ValueError, zlib.error)


def write_image(path: Path, image: sitk.Image, compress: bool) -> None:
    """Write an image of one value a voxel and prove it: .nii, .nii.gz, .mhd with .raw or .zraw, or what else ITK reads.

    Raises:
        OSError: it is not whole on the disk; with the system's reason where that can be found out.
        RuntimeError: SimpleITK cannot write such a file at all, wherever.
    """
    voxels = sitk.GetArrayViewFromImage(image).reshape(-1).view(np.uint8)
    room = len(voxels) + BLOCK  # never less than what a compressed file with its header takes
    try:
        sitk.WriteImage(image, str(path), useCompression=compress, compressionLevel=1)
    except RuntimeError as error:
        reason = why_not_whole(path, room, str(error))
        if reason is None:
            raise
        raise reason from None
    if not is_whole(path, image, voxels):
        reason = why_not_whole(path, room)
        raise reason or OSError(errno.EIO, "what reads back is not what was written", str(path))


def is_whole(path: Path, image: sitk.Image, voxels: np.ndarray) -> bool:
    """Whether a file holds this grid and exactly these bytes, uint8 [n], behind its header; compressed or not."""
    place = 0
    try:
        if not _same_grid(path, image):
            return False
        if path.suffix not in KNOWN:
            return np.array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(path))).reshape(-1).view(np.uint8), voxels)
        with closing(_stored(path)) as blocks:
            for block in blocks:
                if not np.array_equal(block, voxels[place : place + len(block)]):
                    return False
                place += len(block)
    except READ_ERRORS:
        return False
    return place == len(voxels)


def _same_grid(path: Path, image: sitk.Image) -> bool:
    """Whether the header is there and says what it should; NIfTI keeps its numbers as float32."""
    header = sitk.ImageFileReader()
    header.SetFileName(str(path))
    header.ReadImageInformation()
    if (header.GetSize(), header.GetPixelID()) != (image.GetSize(), image.GetPixelID()):
        return False
    pairs = [(getattr(header, name)(), getattr(image, name)()) for name in ("GetSpacing", "GetOrigin", "GetDirection")]
    return all(np.allclose(read, given, rtol=1e-4, atol=1e-3) for read, given in pairs)


def _stored(path: Path) -> Iterator[np.ndarray]:
    """The voxels' bytes as they lie on the disk, in blocks of uint8."""
    skip = 0 if path.suffix == ".mhd" else NIFTI_HEADER
    if path.suffix == ".mhd":
        path = next(one for one in (path.with_suffix(".zraw"), path.with_suffix(".raw")) if one.is_file())
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        if len(file.read(skip)) < skip:
            raise EOFError(f"{path}: ends inside its header")
        blocks = _inflated(file) if path.suffix == ".zraw" else iter(lambda: file.read(BLOCK), b"")
        yield from (np.frombuffer(block, np.uint8) for block in blocks)


def _inflated(file) -> Iterator[bytes]:
    """A zlib stream decoded block by block.

    Raises:
        EOFError: it ends too early.
    """
    stream = zlib.decompressobj()
    while block := file.read(BLOCK):
        yield stream.decompress(block)
    if not stream.eof or stream.unused_data:
        raise EOFError("the stream ends too early")
