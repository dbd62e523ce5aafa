"""The released images and the two tables that describe them: one row an image, one row a lesion."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lungsynth.ct import shape
from lungsynth.release.exporter import Exporter
from lungsynth.release.registry import EXPORTERS
from lungsynth.sets.tables import write_json
from lungsynth.study.errors import DataError

MANIFEST_COLUMNS = ("file", "mask", "normal", "group", "seed", "lesions")
LESION_COLUMNS = (
    *("image", "row", "column", "row_min", "column_min", "row_max", "column_max"),
    *("diameter_mm", "texture", "source_nodule", "label", "mean_hu"),
)
MARK = "_synthetic"
NOTICE = "SYNTHETIC - NOT FOR DIAGNOSTIC USE"


@dataclass(frozen=True)
class Item:
    """One image to be handed over.

    Attributes:
        name: of its files, without the mark and the suffix; unique.
        image: int16 HU [h, w].
        mask: uint8 [h, w], k in the pixels of the k-th lesion.
        normal, group: where its lung and its lesions come from.
        seed: of the plan's row.
        sources: mask label -> id of the bank's nodule.
        facts: more plain values for the sidecar (rank in the plan, clearance in mm).
    """

    name: str
    image: np.ndarray
    mask: np.ndarray
    normal: str
    group: str
    seed: int
    sources: dict[int, str]
    facts: dict[str, Any] = field(default_factory=dict)


def lesion_rows(item: Item, file: str, mm_per_px: float) -> list[dict[str, Any]]:
    """One row a lesion, measured on the released image and its mask; the box is in inclusive px.

    Raises:
        DataError: a label of the mask has no source nodule, or a source nodule no pixel.
    """
    labels = sorted(int(label) for label in np.unique(item.mask) if label)
    if labels != sorted(item.sources):
        raise DataError(f"{item.name}: the mask holds lesions {labels}, its rows {sorted(item.sources)}")
    rows = []
    for label in labels:
        where = item.mask == label
        row, column = shape.centroid_px(where)
        on_rows, on_columns = np.flatnonzero(where.any(1)), np.flatnonzero(where.any(0))
        mean_hu = float(item.image[where].mean())
        corners = (on_rows[0], on_columns[0], on_rows[-1], on_columns[-1])
        measures = (shape.equivalent_diameter_mm(where, mm_per_px), shape.texture_class(mean_hu))
        values = (file, row, column, *map(int, corners), *measures, item.sources[label], label, mean_hu)
        rows.append(dict(zip(LESION_COLUMNS, values, strict=True)))
    return rows


def _sidecar(item: Item, exporters: dict[str, Exporter], spacing_mm: tuple, info: dict[str, Any]) -> dict:
    """What a file says about itself when it has lost its folder."""
    values = {name: {"image": one.image_values, "mask": one.mask_values} for name, one in exporters.items()}
    about = {"synthetic": True, "notice": NOTICE, "modality": "CT, generated", "spacing_mm_zyx": list(spacing_mm)}
    made = {"normal": item.normal, "group": item.group, "seed": item.seed, "values": values}
    return {**info, **item.facts, **about, **made, "source_nodules": {str(k): v for k, v in item.sources.items()}}


def write_images(
    items: Iterable[Item],
    images: Path,
    masks: Path,
    formats: list[str],
    mm_per_px: float,
    slice_mm: float,
    info: dict[str, Any],
    root: str = "",
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Write every item in every format with a sidecar .json beside its image; every name ends in `_synthetic`.

    Args:
        items: streamed, so that only one is in memory.
        images, masks: folders, which exist.
        formats: names of `EXPORTERS`; the first is the one that the tables point to.
        mm_per_px, slice_mm: size of a pixel; thickness that a flat image states.
        info: plain values for every sidecar: study, version, licence, plan's digest.
        root: prefix of the tables' paths, for releases that are cut into sub-folders ("" or "0003/").

    Returns:
        The manifest's rows (file, mask, normal, group, seed, lesions, then file and mask of each further format) and
        the lesions' rows, both empty where there is no item; files are named relative to the release's folder, and
        `lesions.image` equals `manifest.file`.
    """
    exporters = {name: EXPORTERS.get(name)() for name in formats}
    spacing_mm = (float(slice_mm), float(mm_per_px), float(mm_per_px))
    manifest, lesions = [], []
    for item in items:
        files, mask_files = {}, {}
        for name, exporter in exporters.items():
            file, mask_file = f"{item.name}{MARK}{exporter.suffix}", f"{item.name}_mask{MARK}{exporter.suffix}"
            exporter.write_image(images / file, item.image, spacing_mm)
            exporter.write_mask(masks / mask_file, item.mask, spacing_mm)
            files[name], mask_files[name] = f"images/{root}{file}", f"masks/{root}{mask_file}"
        write_json(images / f"{item.name}{MARK}.json", _sidecar(item, exporters, spacing_mm, info))
        found = lesion_rows(item, files[formats[0]], mm_per_px)
        values = (files[formats[0]], mask_files[formats[0]], item.normal, item.group, item.seed, len(found))
        more = {f"{name}_file": files[name] for name in formats[1:]}
        more |= {f"{name}_mask": mask_files[name] for name in formats[1:]}
        manifest.append(dict(zip(MANIFEST_COLUMNS, values, strict=True)) | more)
        lesions += found
    more = [f"{name}_{what}" for name in formats[1:] for what in ("file", "mask")]
    return (
        pd.DataFrame(manifest, columns=[*MANIFEST_COLUMNS, *more]),
        pd.DataFrame(lesions, columns=list(LESION_COLUMNS)),
    )
