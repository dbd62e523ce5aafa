"""COCO instances: 8-bit PNG in the study's window and one JSON, as pycocotools, MMDetection and Detectron2 read them.

Outlines are run lengths, not polygons: they come back as the same pixels. A polygon does so only where its writer and
reader agree on half a pixel, which is much for a lesion of three.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from lungsynth.ct.files import whole, write_text
from lungsynth.ct.window import to_grey
from lungsynth.release.exporter import MARK, NOTICE, About, Item
from lungsynth.release.png import write_png
from lungsynth.release.registry import EXPORTERS
from lungsynth.sets.tables import read_json

NAME = "coco"
INSTANCES = f"instances{MARK}.json"
CATEGORY = {"id": 1, "name": "nodule", "supercategory": "lesion"}
LISTS = ("images", "annotations")


def run_lengths(where: np.ndarray) -> list[int]:
    """Lengths of the runs of a bool [h, w], read column by column: of pixels outside, inside, outside, ..."""
    flat = where.ravel(order="F")
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    runs = np.diff([0, *changes, flat.size]).tolist()
    return [0, *runs] if flat[0] else runs


@EXPORTERS.register(NAME)
class Coco:
    """Each shard leaves a COCO file of its own in masks/; the set's has their rows, numbered through.

    `file_name` is relative to the release's images/coco. Numbers of images and annotations start at 1.
    """

    def __init__(self, about: About):
        self.about = about
        low, high = about.window_hu
        self.image_values = f"uint8, {low:g} to {high:g} HU as 0 to 255, clipped outside"
        self.mask_values = (
            f"{NAME}/{INSTANCES}: bbox [x, y, width, height] and area in px, segmentation in run lengths by column"
        )

    def export(self, items: Iterable[Item], folder: Path) -> Iterator[tuple[str, str]]:
        """See `Exporter`."""
        images, annotations, place = [], [], ""
        for item in items:
            file, place = item.image_file(".png"), item.place
            write_png(folder / file, to_grey(item.image, self.about.window_hu))
            images.append(self._image(item, len(images) + 1, file))
            annotations += [_annotation(item, lesion, len(images)) for lesion in item.lesions]
            yield file, f"{NAME}/{INSTANCES}"
        if images:
            rows = {"images": images, "annotations": [{"id": k} | one for k, one in enumerate(annotations, start=1)]}
            write_text(folder / "masks" / place / INSTANCES, json.dumps(self._head() | rows, sort_keys=True) + "\n")

    def finish(self, folder: Path) -> None:
        """See `Exporter`; one shard's rows are in memory at a time."""
        shards = sorted((folder / "masks" / NAME).glob(f"*/{INSTANCES}"), key=lambda path: int(path.parent.name))
        with whole(folder / NAME / INSTANCES) as draft, draft.open("w", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps(self._head(), sort_keys=True)[:-1])
            for name in LISTS:
                file.write(f',\n"{name}": [')
                for number, row in enumerate(_numbered(shards, name)):
                    file.write((",\n" if number else "\n") + json.dumps(row, sort_keys=True))
                file.write("]")
            file.write("}\n")

    def _head(self) -> dict[str, Any]:
        info = {"description": f"lungsynth, study {self.about.study}. {NOTICE}", **self.about.facts()}
        licence = {"id": 1, "name": self.about.licence, "url": ""}
        return {"info": info, "licenses": [licence], "categories": [CATEGORY]}

    def _image(self, item: Item, number: int, file: str) -> dict[str, Any]:
        height, width = item.image.shape
        name = file.removeprefix(f"images/{NAME}/")
        return {"id": number, "file_name": name, "width": width, "height": height, "license": 1, **item.facts}


def _annotation(item: Item, lesion: dict[str, Any], image: int) -> dict[str, Any]:
    where = item.mask == lesion["label"]
    left, top = int(lesion["column_min"]), int(lesion["row_min"])
    more = {name: lesion[name] for name in ("label", "diameter_mm", "texture", "source_nodule")}
    return {
        "image_id": image,
        "category_id": CATEGORY["id"],
        "bbox": [left, top, int(lesion["column_max"]) - left + 1, int(lesion["row_max"]) - top + 1],
        "area": int(where.sum()),
        "iscrowd": 0,
        "segmentation": {"size": list(where.shape), "counts": run_lengths(where)},
        **more,
    }


def _numbered(shards: list[Path], name: str) -> Iterator[dict[str, Any]]:
    """The rows of all shards under numbers of the whole set."""
    images = annotations = 0
    for path in shards:
        shard = read_json(path)
        for row in shard[name]:
            if name == "images":
                yield row | {"id": row["id"] + images}
            else:
                yield row | {"id": row["id"] + annotations, "image_id": row["image_id"] + images}
        images, annotations = images + len(shard["images"]), annotations + len(shard["annotations"])
