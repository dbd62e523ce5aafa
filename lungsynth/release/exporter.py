"""What is handed over, and what every release format is asked to do with it."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np

from lungsynth import __version__

MARK = "_synthetic"
NOTICE = "SYNTHETIC - NOT FOR DIAGNOSTIC USE"


@dataclass(frozen=True)
class About:
    """What holds for a whole release.

    Attributes:
        study, version, licence: plain words; `version` is lungsynth's.
        mm_per_px, slice_mm: size of a pixel; thickness that a flat image states.
        window_hu: grey scale for formats that cannot hold HU.
    """

    study: str
    version: str
    licence: str
    mm_per_px: float
    slice_mm: float
    window_hu: tuple[float, float]

    @classmethod
    def of(cls, settings: Callable[[str], Any]) -> "About":
        """From the settings at `study`, `image`, `release.licence` and `release.slice_mm`."""
        image = settings("image")
        words = (settings("study"), __version__, settings("release.licence"))
        return cls(*words, image.mm_per_px, settings("release.slice_mm"), image.window_hu)

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """(slice thickness, row, column)."""
        return float(self.slice_mm), float(self.mm_per_px), float(self.mm_per_px)

    def facts(self) -> dict[str, Any]:
        """What a file says about itself when it has lost its folder."""
        made = {"study": self.study, "lungsynth": self.version, "licence": self.licence}
        about = {"synthetic": True, "notice": NOTICE, "modality": "CT, generated"}
        return {**made, **about, "spacing_mm_zyx": list(self.spacing_mm)}


@dataclass(frozen=True)
class Item:
    """One image to be handed over.

    Attributes:
        name: of its files, without mark and suffix; unique in the release.
        place: FORMAT/SHARD, the sub-folder for its files.
        image: int16 HU [h, w].
        mask: uint8 [h, w], k in the pixels of the k-th lesion.
        facts: plain values: normal and group that it is made of, seed and rank of the plan's row.
        lesions: a row each, as `release/lesions.csv` has it but for the file's name.
    """

    name: str
    place: str
    image: np.ndarray
    mask: np.ndarray
    facts: dict[str, Any]
    lesions: list[dict[str, Any]]

    def image_file(self, suffix: str) -> str:
        """Where its picture goes, relative to the release's folder; marked as synthetic."""
        return f"images/{self.place}/{self.name}{MARK}{suffix}"

    def mask_file(self, suffix: str) -> str:
        """Where its mask goes."""
        return f"masks/{self.place}/{self.name}_mask{MARK}{suffix}"


class Exporter(Protocol):
    """A release format. This is all that is asked of one.

    It is made as `EXPORTER(about)` anew for every shard, each in a job of its own and in any order, and once more for
    the end of the set. So whatever the end needs from the shards has to lie in files. The same items give the same
    bytes, in whatever folder. Files under images/ and masks/ bear MARK in their names.

    Attributes:
        image_values, mask_values: a sentence each for datasheet and sidecars: what a stored value means, and where
            a lesion's outline is to be found.
    """

    image_values: str
    mask_values: str

    def __init__(self, about: About): ...

    def export(self, items: Iterable[Item], folder: Path) -> Iterator[tuple[str, str]]:
        """Write the images of one shard; there may be none.

        Args:
            items: each is in memory only until the next is asked for.
            folder: has the layout of the release; images/FORMAT/SHARD and masks/FORMAT/SHARD exist in it and are the
                only places to write to. `Item.image_file` and `Item.mask_file` name files there.

        Yields:
            For each item, in order, the names relative to `folder` of the file that holds the image and of the one
            that holds its lesions, which may be one that `finish` writes.
        """
        ...

    def finish(self, folder: Path) -> None:
        """Write what only the whole set can have, if there is such a thing.

        Args:
            folder: the release, with all shards exported. FORMAT/ exists in it and is the only place to write to.
        """
        ...


class PerImage(ABC):
    """A base for formats with one file an image and one a mask, and nothing for the whole set.

    Attributes:
        suffix: of both files, with its dot.
    """

    suffix: ClassVar[str]
    image_values: ClassVar[str]
    mask_values: ClassVar[str] = "uint8, 0 background, k the k-th lesion"

    def __init__(self, about: About):
        self.about = about

    @abstractmethod
    def write_image(self, path: Path, hu: np.ndarray) -> None:
        """Write int16 HU [h, w]."""

    @abstractmethod
    def write_mask(self, path: Path, mask: np.ndarray) -> None:
        """Write a uint8 mask [h, w]."""

    def export(self, items: Iterable[Item], folder: Path) -> Iterator[tuple[str, str]]:
        """See `Exporter`."""
        for item in items:
            image, mask = item.image_file(self.suffix), item.mask_file(self.suffix)
            self.write_image(folder / image, item.image)
            self.write_mask(folder / mask, item.mask)
            yield image, mask

    def finish(self, folder: Path) -> None:
        """See `Exporter`; every image stands for itself, so there is nothing to write."""
        return
