"""What a reader of scans promises.

Said once, for every reader: arrays are [z, y, x] on the grid of the file, along whatever axes it has (`prepare` turns
every scan upright); spacings are (dz, dy, dx) in mm; positions are (x, y, z) in mm, LPS (x to the patient's left, y to
the back, z to the head), by the scan's own origin and direction. Pixels are int16 HU in [-1024, 3071]; padding outside
the scanner's circle is -1024. A slice is a volume with one plane; a patch scan is a stack of planes that are no
neighbours. Ids are pseudonymous and safe as file names.
"""

import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from lungsynth.ct.hu import HU_RANGE
from lungsynth.ct.volume import Volume
from lungsynth.study.errors import DataError
from lungsynth.study.stages.cohort import Role

Kind = Literal["volume", "slice", "patch"]
ROLES: tuple[Role, ...] = ("fit", "tune", "domain", "test")
HIGHEST_HU = 31743
"""Of metal on an extended scale: the largest number of 16 bits with a sign, -1024. No CT number is above."""


@dataclass(frozen=True)
class ScanRef:
    """A scan that a reader has found and not yet read.

    Attributes:
        scan, patient: file-safe ids; two scans of one patient share `patient`.
        kind: volume, slice or patch.
        source_files: paths relative to the reader's root, in the order in which they are read.
        uid: what makes the image unique in the world (series or SOP UID), to find one scan in two sources.
        extra: plain values that the reader wants back at `read`.
    """

    scan: str
    patient: str
    kind: Kind
    source_files: tuple[Path, ...]
    uid: str = ""
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Mark:
    """A lesion that somebody marked.

    Attributes:
        centre_mm: (x, y, z), LPS.
        diameter_mm: of the equivalent sphere, or as annotated.
        texture: ground_glass, part_solid, solid, or empty where unknown.
        readers: how many people marked it; 0: not known.
        label: its value in `Scan.nodules`; 0: it has no mask.
        note: how the mask came about (sphere, consensus, box ...).
        boxes_mm: of a lesion that was marked by boxes, one a slice, LPS: x, y, z from and x, y, z to.
    """

    centre_mm: tuple[float, float, float]
    diameter_mm: float
    texture: str = ""
    readers: int = 0
    label: int = 0
    note: str = ""
    boxes_mm: tuple[tuple[float, ...], ...] = ()

    @property
    def box_mm(self) -> tuple[float, ...]:
        """The least box that holds all of them; empty without any."""
        if not self.boxes_mm:
            return ()
        ends = np.array(self.boxes_mm)
        return (*ends[:, :3].min(0).tolist(), *ends[:, 3:].max(0).tolist())


@dataclass(frozen=True)
class Scan:
    """A scan that was read.

    Attributes:
        volume: int16 HU on its grid.
        lungs: uint8 [z, y, x], 1 right, 2 left; None where the source brings none.
        nodules: uint8 or uint16 [z, y, x], label k for the mark with `label` k; None where there is none.
        marks: the lesions.
        kernel: the reconstruction kernel's name, empty where unknown.
        sized: whether it is known how large a pixel is; else the volume's spacing is a stand-in.
        shares: uint8 [z, y, x], the share of a nodule's readers who hold a voxel for it, 255 of all (`share_of`); None
            where no reader's own outline is known. They reach beyond `nodules`, which are the consensus.
    """

    volume: Volume
    lungs: np.ndarray | None = None
    nodules: np.ndarray | None = None
    marks: tuple[Mark, ...] = ()
    kernel: str = ""
    sized: bool = True
    shares: np.ndarray | None = None


class Reader(ABC):
    """A folder of scans. Subclasses register under their name and bring a `Settings` model.

    Args:
        settings: the reader's own settings.
        root: the folder; it must exist.

    Attributes:
        skipped: after `list`, (file, reason) of what looked like a scan and is none.
    """

    def __init__(self, settings: Any, root: str | Path):
        self.settings, self.root = settings, Path(root)
        self.skipped: list[tuple[str, str]] = []
        if not self.root.is_dir():
            raise DataError(f"{self.root}: no such folder; set LUNGSYNTH_DATA or the source's path")

    @abstractmethod
    def list(self) -> list[ScanRef]:
        """All scans, sorted by id; reads headers at most, gives the same list whatever the order of files.

        Raises:
            DataError: there is none.
        """

    @abstractmethod
    def read(self, ref: ScanRef) -> Scan:
        """One scan.

        Raises:
            DataError: one line that says what is wrong with which file.
        """

    def looks(self, refs: Sequence[ScanRef]) -> Mapping[str, np.ndarray]:
        """Scan -> its `copies.thumbnail`, where copies of the scans are to be found by their looks; else nothing."""
        return {}

    @property
    def public_names(self) -> bool:
        """Whether files, folders and UIDs may be named in tables and logs: not where they may name a patient."""
        return bool(getattr(self.settings, "keep_patient_ids", True))

    @property
    def mask_names(self) -> str:
        """In words, how masks beside the scans must be called to be read; empty where none are."""
        return ""

    @property
    def chest_ct(self) -> bool:
        """Whether the images are CT of the chest: in others no lungs are looked for, and none are missed."""
        return bool(getattr(self.settings, "chest_ct", True))

    def allowed_roles(self, ref: ScanRef) -> tuple[Role, ...]:
        """The roles that the data set leaves open to the scan's patient; one alone prescribes it."""
        return ROLES


def safe_id(text: str) -> str:
    """`text` as part of a file name: letters, digits, dot, dash and underscore."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", text.strip()).strip("._") or "unnamed"


def short_hash(text: str, digits: int = 10) -> str:
    """The first digits of the SHA-256 of `text`."""
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:digits]  # names may be no UTF-8


def to_hu(pixels: np.ndarray, where: str | Path) -> np.ndarray:
    """Pixels of any type as int16 HU within HU_RANGE.

    Raises:
        DataError: a pixel is not a number, or larger than a CT number can be.
    """
    if pixels.dtype.kind == "f":
        bad = int(np.count_nonzero(~np.isfinite(pixels)))
        if bad:
            raise DataError(f"{where}: {bad} pixels are not a number; convert the scan again")
        pixels = np.rint(pixels)
    if pixels.dtype.itemsize > 1 and pixels.dtype != np.int16 and pixels.size and pixels.max() > HIGHEST_HU:
        raise DataError(
            f"{where}: pixels of up to {pixels.max():g} HU are no CT numbers; values below 0 without their sign, or "
            "padding without its tag?"
        )
    return np.clip(pixels, *HU_RANGE).astype(np.int16)
