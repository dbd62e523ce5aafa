"""A release format at work: one shard, and the end of the set."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from lungsynth.ct.files import whole_folders
from lungsynth.release.exporter import About, Exporter, Item
from lungsynth.release.registry import EXPORTERS
from lungsynth.sets.tables import write_json

FORMAT_FILE = "format.json"


def export(name: str, about: About, items: Iterable[Item], release: Path, shard: str) -> pd.DataFrame:
    """Write images/NAME/SHARD and masks/NAME/SHARD of the folder `release`, with a sidecar .json beside each image.

    Returns:
        One row an image: name, file, mask; files are named relative to `release`.
    """
    exporter, place, names = EXPORTERS.get(name)(about), f"{name}/{shard}", []
    with whole_folders(release, f"images/{place}", f"masks/{place}") as folder:
        passed = _with_sidecar(items, folder, _facts(name, exporter, about), names)
        files = list(exporter.export(passed, folder))
    rows = [(one, *pair) for one, pair in zip(names, files, strict=True)]
    return pd.DataFrame(rows, columns=["name", "file", "mask"])


def finish(name: str, about: About, release: Path) -> None:
    """Write NAME/ of the folder `release`: what the format has for the whole set, and what its values mean."""
    exporter = EXPORTERS.get(name)(about)
    (release / name).mkdir(parents=True, exist_ok=True)
    exporter.finish(release)
    write_json(release / name / FORMAT_FILE, _facts(name, exporter, about))


def _facts(name: str, exporter: Exporter, about: About) -> dict[str, Any]:
    values = {"image": exporter.image_values, "mask": exporter.mask_values}
    return {**about.facts(), "values": {name: values}}


def _with_sidecar(items: Iterable[Item], folder: Path, facts: dict, names: list[str]) -> Iterator[Item]:
    """The same items; each leaves what it says about itself when it has lost its folder, and its name in `names`."""
    for item in items:
        sources = {str(lesion["label"]): lesion["source_nodule"] for lesion in item.lesions}
        write_json(folder / item.image_file(".json"), {**facts, **item.facts, "source_nodules": sources})
        names.append(item.name)
        yield item
