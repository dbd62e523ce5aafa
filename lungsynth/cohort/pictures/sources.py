"""Where single pictures lie: a folder with one sub-folder a class, or a zip of equal squares with labels."""

import io
from abc import abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from lungsynth.cohort.images.pictures import (
    SUFFIXES,
    Colour,
    Picture,
    decode,
    file_kind,
    person_of,
    read_dicom,
    read_tags,
)
from lungsynth.cohort.names import entries, link_fault, quoted, under_root
from lungsynth.sets.gist_zip import GistZip
from lungsynth.study.errors import DataError, StudyError
from lungsynth.study.expressions import first_in
from lungsynth.study.stages.pictures import Pictures

FAR_OUT = 0.5
"""Levels that a DICOM picture may lie outside its BitsStored, which rounding explains."""


class Source(AbstractContextManager):
    """Pictures by the name of their file relative to the root; use it as a context.

    Attributes:
        root: the folder or the zip.
        classes: file -> the name of its class, for all that may be pictures; names are `quoted`.
        faults: (file, reason) of what is none at first sight.
    """

    root: Path
    classes: Mapping[str, str]
    faults: list[tuple[str, str]]

    @abstractmethod
    def read(self, file: str, colour: Colour) -> tuple[np.ndarray, int]:
        """The upright pixels of a picture and the bits of a level, as `images.pictures.decode` gives them.

        Raises:
            DataError: why not, without the file's name.
        """

    def person(self, file: str) -> str:
        """What the picture itself says of whose it is; empty where it says nothing."""
        return ""

    def patient(self, file: str, expression: str) -> str:
        """What names the patient of a picture: the expression's find in CLASS/NAME, else what the picture says, else
        the file itself.

        Raises:
            DataError: the expression finds nothing.
        """
        name = str(PurePosixPath(file).with_suffix("")) if file.lower().endswith(SUFFIXES) else file
        known = first_in(name, expression) if expression else self.person(file) or name
        if not known:
            raise DataError(f"its name does not match patient: {expression}")
        return known

    @abstractmethod
    def check(self, table: pd.DataFrame) -> None:
        """Raise DataError where the pictures (rows file, width, height) are together not what such a source holds."""


class Folder(Source):
    """CLASS/NAME.png, .jpg or .dcm; folders inside a class belong to it; what begins with a dot is passed over."""

    def __init__(self, root: Path, wanted: tuple[str, ...] = ()):
        self.root, self.classes, self.faults = root, {}, []
        for relative in sorted(entries(root)):
            group = relative.parts[0]
            if any(part.startswith(".") for part in relative.parts) or self._is_folder(relative):
                continue
            if len(relative.parts) > 1 and wanted and group not in wanted:
                continue
            if fault := self._fault(relative):
                self.faults.append((relative.as_posix(), fault))
            else:
                self.classes[relative.as_posix()] = quoted(group)
        self._tell_empty(wanted)

    def __exit__(self, *caught: object) -> None:
        """Nothing is open."""

    def check(self, table: pd.DataFrame) -> None:
        """Any sizes do."""

    def read(self, file: str, colour: Colour) -> tuple[np.ndarray, int]:
        """From the file."""
        path = self.root / file
        try:
            if file_kind(path) == "dicom":
                return _spread(read_dicom(path), colour)
            with path.open("rb") as opened:
                return decode(opened, path, colour)
        except OSError as error:
            raise DataError(f"cannot be read ({error.strerror})") from None
        except DataError as error:
            raise DataError(str(error).removeprefix(f"{path}: ")) from None

    def person(self, file: str) -> str:
        """DICOM's PatientID, or what stands for it."""
        path = self.root / file
        return person_of(read_tags(path)) if file_kind(path) == "dicom" else ""

    def _is_folder(self, relative: Path) -> bool:
        path = self.root / relative
        return path.is_dir() and not path.is_symlink()

    def _fault(self, relative: Path) -> str:
        """Why an entry is no picture, as far as its name tells."""
        path = self.root / relative
        if fault := link_fault(path, self.root):
            return fault
        if path.is_dir():
            return "is a link to a folder, which is not followed"
        if not file_kind(path):
            return "is no PNG, JPEG or DICOM file"
        return "" if len(relative.parts) > 1 else "lies in no class folder"

    def _tell_empty(self, wanted: tuple[str, ...]) -> None:
        """Name the sub-folders that hold nothing that may be a picture."""
        full = set(self.classes.values())
        for name in sorted(path.name for path in self.root.iterdir()):
            asked = name in wanted if wanted else not name.startswith(".")
            if asked and self._is_folder(Path(name)) and quoted(name) not in full:
                self.faults.append((name, "is a folder without a picture"))


class Archive(Source):
    """A zip as `sets.gist_zip` says; a label's number, or its name where the zip has one, is the class."""

    def __init__(self, root: Path, wanted: tuple[str, ...] = ()):
        self.root, self._zip = root, GistZip(root)
        named = {name: quoted(group) for name, group in self._zip.classes.items()}
        self.classes = {name: group for name, group in named.items() if not wanted or group in map(quoted, wanted)}
        self.faults = [(name, "is no PNG or JPEG file") for name in self._zip.others]

    def __exit__(self, *caught: object) -> None:
        self._zip.__exit__(*caught)

    def read(self, file: str, colour: Colour) -> tuple[np.ndarray, int]:
        """From memory."""
        try:
            return decode(io.BytesIO(self._zip.read(file)), file, colour)
        except DataError as error:
            raise DataError(str(error).removeprefix(f"{file}: ")) from None

    def check(self, table: pd.DataFrame) -> None:
        """All must be squares of one size."""
        sizes = table.drop_duplicates(["width", "height"])
        for row in sizes.itertuples():
            if row.width != row.height:
                raise DataError(f"{self.root}: {quoted(row.file)} is {row.width} x {row.height} px and no square")
        if len(sizes) > 1:
            one, other = (f"{quoted(row.file)} is {row.width} px" for row in sizes.iloc[:2].itertuples())
            raise DataError(f"{self.root}: its pictures differ in size, {one} and {other} a side; save them alike")


def root_of(settings: Pictures, data_root: str | Path) -> Path:
    """The folder or the zip of a study.

    Raises:
        StudyError: the study names none, or one outside the data root.
    """
    if not settings.path:
        raise StudyError("pictures.path: name a folder with one sub-folder a class, or a .zip, under LUNGSYNTH_DATA")
    return under_root(data_root, settings.path, "pictures.path")


def open_source(root: Path, wanted: tuple[str, ...] = ()) -> Source:
    """The pictures under a folder or in a zip.

    Args:
        wanted: classes; empty: all.

    Raises:
        DataError: there is no such folder or zip, or the zip is refused (`GistZip`).
    """
    if root.is_dir():
        return Folder(root, wanted)
    if root.suffix.lower() == ".zip":
        return Archive(root, wanted)
    raise DataError(f"{root}: no such folder or .zip; set LUNGSYNTH_DATA or pictures.path")


def _spread(picture: Picture, colour: Colour) -> tuple[np.ndarray, int]:
    """A DICOM picture's levels over the whole of 8 bits, or of 16 where it has more than 8."""
    if not picture.bits:
        raise DataError("is CT, whose numbers are HU and no grey levels; chain: composites reads it")
    bits, top = 8 if picture.bits <= 8 else 16, 2**picture.bits - 1
    low, high = picture.values.min(), picture.values.max()
    if low < -FAR_OUT or high > top + FAR_OUT:
        raise DataError(f"has grey levels from {low:g} to {high:g}, outside its {picture.bits} bits")
    levels = np.rint(np.clip(picture.values, 0, top) * np.float64((2**bits - 1) / top))
    levels = levels.astype(np.uint8 if bits == 8 else np.uint16)
    return (np.stack([levels] * 3, -1) if colour == "keep" and bits == 8 else levels), bits
