"""The zip of equal square pictures with labels that GIST, StyleGAN2-ADA and StyleGAN3 learn from.

As NVIDIA's dataset_tool.py writes it: members `00000/img00000000.png`, stored PNG, five digits of the picture's number
for the folder and eight for the file; and `dataset.json`: {"labels": [["00000/img00000000.png", 6], ...]}, or null for
the whole list. We add "classes", the names of the labels from 0 on, which those programs pass over. Nothing is
unpacked to disk.
"""

import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from lungsynth.ct.files import whole
from lungsynth.ct.picture import stored_png
from lungsynth.study.errors import DataError

LABELS = "dataset.json"
SUFFIXES = (".png", ".jpg", ".jpeg")
UNLABELLED = "all"
"""The class of every picture where the zip has no labels."""
MEMBER_BYTES = 2**28
"""A member that unpacks to more is no picture."""
BOMB_RATIO, BOMB_BYTES = 100, 2**30
"""An archive that unpacks to so many times its size, and to more than this, was made to fill memory."""
DAMAGED = (OSError, EOFError, ValueError, NotImplementedError, RuntimeError, zipfile.BadZipFile, zlib.error)
"""What unpacking a member may raise."""
ENCRYPTED = 1
"""The bit of a member's flags."""


class GistZip:
    """An open archive; use it as a context.

    Attributes:
        classes: member -> the name of its class, for every picture, in the archive's order of names.
        others: members that are neither pictures nor labels.

    Raises:
        DataError: one line: no zip, a member that could write outside a folder, is encrypted, doubled or a bomb; labels
            that are missing, double, of unknown pictures, or no whole numbers from 0.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        try:
            self._zip = zipfile.ZipFile(self.path)
        except FileNotFoundError:
            raise DataError(f"{self.path}: no such file") from None
        except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile) as error:
            raise DataError(f"{self.path}: cannot be read as a zip ({error})") from None
        try:
            self._check_members()
            names = self._names()
            self.others = [name for name in names if name != LABELS and not _is_picture(name)]
            self.classes = self._classes([name for name in names if _is_picture(name)])
        except BaseException:
            self._zip.close()
            raise

    def __enter__(self) -> "GistZip":
        return self

    def __exit__(self, *caught: object) -> None:
        self._zip.close()

    def read(self, name: str) -> bytes:
        """A member's bytes.

        Raises:
            DataError: damaged; the member is not named.
        """
        try:
            return self._zip.read(name)
        except (
            OSError,
            EOFError,
            ValueError,
            NotImplementedError,
            RuntimeError,
            zipfile.BadZipFile,
            zlib.error,
        ) as why:
            raise DataError(f"cannot be unpacked from the zip ({type(why).__name__})") from None

    def _names(self) -> list[str]:
        """Members by name, without folders and what is hidden."""
        names = sorted(one.filename for one in self._zip.infolist() if not one.is_dir())
        return [name for name in names if not any(part.startswith(".") for part in PurePosixPath(name).parts)]

    def _check_members(self) -> None:
        seen: set[str] = set()
        members = self._zip.infolist()
        for one in members:
            name = one.filename
            if name.startswith("/") or ".." in name.split("/") or "\\" in name or name[1:2] == ":":
                raise self._fault(f"the member {name!r} leads out of its folder; such an archive is not read")
            if one.flag_bits & ENCRYPTED:
                raise self._fault(f"the member {name!r} is encrypted; save it without a password")
            if name in seen:
                raise self._fault(f"the member {name!r} is there twice")
            if one.file_size > MEMBER_BYTES:
                raise self._fault(f"the member {name!r} unpacks to {one.file_size} bytes, more than a picture has")
            seen.add(name)
        unpacked = sum(one.file_size for one in members)
        if unpacked > max(BOMB_BYTES, BOMB_RATIO * self.path.stat().st_size):
            raise self._fault(f"unpacks to {unpacked} bytes, over {BOMB_RATIO} times its size; it is not read")

    def _classes(self, pictures: Sequence[str]) -> dict[str, str]:
        found = self._json()
        if not isinstance(found, Mapping) or "labels" not in found:
            raise self._fault(f'{LABELS} is no mapping with the key "labels"')
        if found["labels"] is None:
            return dict.fromkeys(pictures, UNLABELLED)
        labels, names = self._labels(found["labels"]), self._class_names(found.get("classes"))
        if unknown := sorted(set(labels) - set(pictures)):
            raise self._fault(f"{LABELS} labels {unknown[0]!r}, which is not there{_more(unknown)}")
        if missing := sorted(set(pictures) - set(labels)):
            raise self._fault(f"{LABELS} has no label for {missing[0]!r}{_more(missing)}")
        if names and max(labels.values(), default=0) >= len(names):
            raise self._fault(f"{LABELS} has the label {max(labels.values())}, but names of {len(names)} classes")
        return {name: names[labels[name]] if names else str(labels[name]) for name in pictures}

    def _json(self) -> Any:
        if LABELS not in self._zip.namelist():
            raise self._fault(f"has no {LABELS}, which says the label of every picture")
        try:
            return json.loads(self.read(LABELS))
        except (ValueError, RecursionError, DataError):
            raise self._fault(f"{LABELS} is no JSON") from None

    def _labels(self, pairs: Any) -> dict[str, int]:
        """Member -> label."""
        labels: dict[str, int] = {}
        for row, pair in enumerate(pairs if isinstance(pairs, list) else [None]):
            if not (isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str)):
                raise self._fault(f"{LABELS}: entry {row} of labels is no pair of a file and its label")
            name, label = pair
            if type(label) is not int or label < 0:
                raise self._fault(f"{LABELS}: the label of {name!r} is {label!r}; whole numbers from 0 on are read")
            if name in labels:
                raise self._fault(f"{LABELS} labels {name!r} twice")
            labels[name] = label
        return labels

    def _class_names(self, names: Any) -> list[str]:
        """Names of the labels from 0 on; empty where the archive has none."""
        if names is None:
            return []
        texts = isinstance(names, list) and all(isinstance(name, str) and name for name in names)
        if not texts or len(set(names)) < len(names):
            raise self._fault(f"{LABELS}: classes must be a list of different names")
        return names

    def _fault(self, what: str) -> DataError:
        return DataError(f"{self.path}: {what}")


def member(index: int) -> str:
    """The name of picture `index`, as dataset_tool.py gives it."""
    return f"{index // 1000:05d}/img{index:08d}.png"


def write_gist_zip(
    path: str | Path, images: np.ndarray, labels: Sequence[int] | None, class_names: Sequence[str] = ()
) -> None:
    """Write equal squares with their labels; the same pictures and labels give the same bytes.

    Args:
        images: uint8 [n, s, s] or [n, s, s, 3], s a power of two; or uint16 [n, s, s], not for StyleGAN.
        labels: of each picture, from 0 on; None: the zip has none.
        class_names: of the labels from 0 on; empty: not written.
    """
    size = images.shape[1]
    if images.dtype not in (np.uint8, np.uint16) or images.shape[2] != size or size & (size - 1):
        raise ValueError(f"{images.dtype} {images.shape} are no equal squares of a power of two")
    if labels is not None and (len(labels) != len(images) or (class_names and max(labels) >= len(class_names))):
        raise ValueError(f"{len(images)} images, {len(labels)} labels, {len(class_names)} classes")
    names = [member(index) for index in range(len(images))]
    pairs = None if labels is None else [[name, int(label)] for name, label in zip(names, labels, strict=True)]
    about = {"labels": pairs} | ({"classes": list(class_names)} if class_names else {})
    with whole(path) as draft, zipfile.ZipFile(draft, "w", zipfile.ZIP_STORED) as archive:
        for name, image in zip(names, images, strict=True):
            archive.writestr(zipfile.ZipInfo(name), stored_png(image))  # which gives a fixed date, not today's
        archive.writestr(zipfile.ZipInfo(LABELS), json.dumps(about))


def _is_picture(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)


def _more(names: Sequence[str]) -> str:
    return f" (and {len(names) - 1} more)" if len(names) > 1 else ""
