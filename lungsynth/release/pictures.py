"""What is handed over of generated pictures: a folder a class, the zip that StyleGAN's tools read, a row each."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from lungsynth.release.exporter import MARK
from lungsynth.release.png import write_png
from lungsynth.sets.bank import ImageSet
from lungsynth.sets.gist_zip import write_gist_zip
from lungsynth.study.errors import DataError

COLUMNS = ["file", "class", "seed", "source"]
UNTOLD = "pictures"
"""The folder of pictures whose classes were not told to the generator."""


def classes_of(made: ImageSet) -> pd.Series:
    """The class that each picture was drawn as; one for all where none was told."""
    return made.table.get("label", pd.Series(UNTOLD, index=made.table.index)).astype(str)


def folder_of(name: str, place: int) -> str:
    """A class's folder: its name where that may be one everywhere, else its number."""
    plain = name.isascii() and all(letter.isalnum() or letter in "-_." for letter in name) and name.strip(".")
    return name if plain else f"class{place}"


def write_pictures(folder: Path, made: ImageSet, names: Sequence[str], seed: int) -> pd.DataFrame:
    """Write CLASS/ID_synthetic.png of every picture, and return the rows of manifest.csv.

    Args:
        made: pictures in grey levels, uint8 (colour too) or uint16.
        names: of the classes, in order.

    Raises:
        DataError: there is none.
    """
    if not len(made):
        raise DataError("the release is empty: the selection kept no picture; see generate/pictures/selection.json")
    rows = []
    for name, label, source, image in zip(
        made.table["id"], classes_of(made), made.table["source"], made.images, strict=True
    ):
        file = Path(folder_of(label, list(names).index(label)), f"{name}{MARK}.png")
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        write_png(folder / file, image)
        rows.append((file.as_posix(), label, seed, source))
    return pd.DataFrame(rows, columns=COLUMNS)


def write_zip(path: Path, made: ImageSet, names: Sequence[str]) -> None:
    """Write the same pictures as the zip of equal squares with dataset.json."""
    labels = classes_of(made).map(list(names).index).to_numpy(np.int64)
    write_gist_zip(path, made.images, labels, names)
