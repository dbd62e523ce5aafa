"""What a file is by its first bytes, whatever its name says: so that no scan is passed over in silence."""

import gzip
import struct
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from lungsynth.cohort.names import entries, link_fault

HEAD = 352
"""Bytes that tell every format: as long as NIfTI's header with its magic."""
MAGIC = (
    (128, b"DICM", "dicom"),
    (344, b"n+1\0", "nifti"),
    (4, b"n+2\0", "nifti"),
    (344, b"ni1\0", "pair"),
    (4, b"ni2\0", "pair"),
    (0, b"NRRD000", "nrrd"),
    (0, b"ObjectType", "metaimage"),
    (0, b"NDims", "metaimage"),
    (0, b"\x1f\x8b", "gzip"),
    (257, b"ustar", "archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "archive"),
    (0, b"Rar!", "archive"),
    (0, b"\xfd7zXZ\0", "archive"),
    (0, b"BZh", "archive"),
    (0, b"\x28\xb5\x2f\xfd", "archive"),
)
BARE_GROUPS = (2, 8)
"""The groups of tags that a DICOM file without a preamble begins with."""
ENDINGS = {
    "pair": (".hdr",),
    "archive": (".zip", ".tar", ".tgz", ".7z", ".rar", ".bz2", ".xz", ".zst"),
    "other": (
        ".nrrd", ".nhdr", ".mgz", ".mgh", ".mnc", ".gipl", ".vtk", ".vti", ".h5", ".hdf5", ".mat", ".npy", ".npz",
        ".par", ".rec", ".tif", ".tiff", ".isq", ".vol",
    ),
    "pixels": (".raw", ".zraw", ".img", ".raw.gz", ".img.gz"),
}  # fmt: skip
"""Kinds by the name, where the bytes tell nothing."""
HEADERS = (".mhd", ".mha", ".nhdr", ".hdr")
WORDS = {
    "dicom": "is a DICOM file; `reader: dicom` or `scans` takes it",
    "bare": "is a DICOM file of the old form, without a preamble; convert it",
    "nifti": "is a NIfTI file; `reader: nifti` or `scans` takes it, where its name ends in .nii or .nii.gz",
    "metaimage": "is a MetaImage file; `reader: luna16` takes .mhd, `scans` takes .mhd and .mha",
    "nrrd": "is an NRRD file, which is not read; save the scan as .nii.gz",
    "pair": "is a header whose pixels lie in another file (.hdr, .img), which is not read; save the scan as .nii.gz",
    "archive": "is packed; unpack it",
    "other": "is of a format that is not read; save the scan as .nii.gz",
    "pixels": "holds pixels, and no header lies beside it",
}


def kind_of(path: Path) -> str:
    """A key of WORDS by the first bytes, behind "packed " for a gzip file; empty for what could be no scan.

    Raises:
        OSError: the file cannot be opened.
    """
    with path.open("rb") as file:
        kind = _kind(file.read(HEAD))
    if kind != "gzip":
        return kind
    try:
        with gzip.open(path) as file:
            inside = _kind(file.read(HEAD))
    except (OSError, EOFError, zlib.error):
        return ""
    return f"packed {inside}" if inside else ""


def strange(path: Path) -> str:
    """Why a file that may be a scan is not read, by its bytes and its name; empty for what could be no scan."""
    try:
        kind = kind_of(path).removeprefix("packed ")
    except OSError:
        kind = ""
    name = path.name.lower()
    kind = kind or next((k for k, endings in ENDINGS.items() if name.endswith(endings)), "")
    if kind == "pixels" and any(other.suffix.lower() in HEADERS for other in path.parent.iterdir()):
        return ""
    return WORDS.get(kind, "")


def strangers(root: Path, is_known: Callable[[Path], bool]) -> Iterator[tuple[str, str]]:
    """(relative path, reason) of what may be a scan under a folder, but for the files that a reader knows."""
    for relative in entries(root):
        path = root / relative
        if is_known(relative) or any(part.startswith(".") for part in relative.parts) or not path.is_file():
            continue
        reason = link_fault(path, root) or strange(path)
        if reason:
            yield str(relative), reason


def in_brief(skipped: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """One line for all files of a folder that were skipped for one reason: the first file, and how many more."""
    pairs = list(skipped)
    counts = Counter((Path(name).parent, reason) for name, reason in pairs)
    first: dict[tuple[Path, str], str] = {}
    for name, reason in sorted(pairs):
        first.setdefault((Path(name).parent, reason), name)
    more = {key: f" (and {n - 1} more in its folder)" if n > 1 else "" for key, n in counts.items()}
    return [(name, key[1] + more[key]) for key, name in first.items()]


def _kind(head: bytes) -> str:
    found = next((kind for at, magic, kind in MAGIC if head[at : at + len(magic)] == magic), "")
    return found or ("bare" if _is_bare(head) else "")


def _is_bare(head: bytes) -> bool:
    """Whether a file begins with a tag of DICOM: its group, a low number, and two letters or a short length."""
    if len(head) < 8:
        return False
    group, element, length = struct.unpack("<HHI", head[:8])
    return group in BARE_GROUPS and element < 0x100 and (head[4:6].isupper() or length < HEAD)
