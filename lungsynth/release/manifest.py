"""What the gate kept, measured once for all formats, and the two tables that describe it: images and lesions."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from lungsynth.ct import nodule
from lungsynth.release.exporter import Item
from lungsynth.sets.shard import group_id
from lungsynth.study.errors import DataError

MANIFEST_COLUMNS = ("file", "mask", "normal", "group", "seed", "lesions")
LESION_COLUMNS = ("image", *nodule.BOX, "diameter_mm", "texture", "source_nodule", "label", "mean_hu")
FACTS = ("normal", "group", "seed", "rank")
KEPT_COLUMNS = ("at", "name", *FACTS, "lesions")


def lesion_rows(name: str, image: np.ndarray, mask: np.ndarray, sources: Mapping[int, str], mm_per_px: float) -> list:
    """One row a lesion (LESION_COLUMNS), measured on the released image int16 HU [h, w] and its mask.

    Args:
        sources: mask label -> id of the bank's nodule.

    Raises:
        DataError: a label of the mask has no source nodule, or a source nodule no pixel.
    """
    labels = sorted(int(label) for label in np.unique(mask) if label)
    if labels != sorted(sources):
        raise DataError(f"{name}: the mask holds lesions {labels}, its rows {sorted(sources)}")
    rows = []
    for label in labels:
        where = mask == label
        measured = nodule.describe(image, where, mm_per_px)
        rows.append({"image": name, "label": label, "source_nodule": sources[label], **measured})
    return rows


def measure_shard(
    images: np.ndarray,
    masks: np.ndarray,
    rows: pd.DataFrame,
    kept: Sequence[int],
    plan: pd.DataFrame,
    normal_ids: Sequence[str],
    mm_per_px: float,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What is released of one shard.

    Args:
        images, masks: of the shard, int16 HU and uint8 [n, h, w]; they may stay on disk.
        rows: one row a lesion laid, as the shard's table has them.
        kept: places in the shard of the images that the gate kept.
        plan: the plan's rows of the shard at least.
        normal_ids: ids of the pool's normals.

    Returns:
        One row an image (KEPT_COLUMNS; `at` is the place in the shard) and one a lesion (LESION_COLUMNS; `image` is
        the image's name), both without rows where nothing was kept.
    """
    seeds, of_image = plan.set_index("rank")["seed"], dict(tuple(rows.groupby("image")))
    released, lesions = [], []
    for at in kept:
        laid = of_image[at]
        rank, normal, group = (int(laid[name].iloc[0]) for name in ("composite", "normal", "group"))
        sources = dict(zip(laid["lesion"].astype(int), laid["source_nodule"].astype(str), strict=True))
        name = f"composite-{rank:07d}"
        found = lesion_rows(name, images[at], masks[at], sources, mm_per_px)
        facts = (normal_ids[normal], group_id(group), int(seeds[rank]), rank)
        released.append(dict(zip(KEPT_COLUMNS, (at, name, *facts, len(found)), strict=True)))
        lesions += found
    return pd.DataFrame(released, columns=list(KEPT_COLUMNS)), pd.DataFrame(lesions, columns=list(LESION_COLUMNS))


def items(
    images: np.ndarray, masks: np.ndarray, kept: pd.DataFrame, lesions: pd.DataFrame, place: str
) -> Iterator[Item]:
    """The images of a shard as `measure_shard` described them, one after the other, for the sub-folder `place`."""
    of_image = {name: rows.drop(columns="image").to_dict("records") for name, rows in lesions.groupby("image")}
    for row in kept.to_dict("records"):
        facts = {name: row[name] for name in FACTS}
        yield Item(row["name"], place, images[row["at"]], masks[row["at"]], facts, of_image.get(row["name"], []))


def joined(
    kept: pd.DataFrame, lesions: pd.DataFrame, files: Mapping[str, pd.DataFrame]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The release's two tables.

    Args:
        kept, lesions: of all shards, see `measure_shard`.
        files: format -> name, file and mask of every image, in the order of `kept`; the first format is the one
            that the tables point to.

    Returns:
        The manifest (MANIFEST_COLUMNS, then FORMAT_file and FORMAT_mask of each further format) and the lesions'
        rows, whose `image` equals the manifest's `file`.

    Raises:
        ValueError: a format has not written exactly these images.
    """
    for name, table in files.items():
        if table["name"].tolist() != kept["name"].tolist():
            raise ValueError(f"{name} has written {len(table)} images that are not the {len(kept)} released ones")
    first, *others = (table.reset_index(drop=True) for table in files.values())
    manifest = kept.reset_index(drop=True).assign(file=first["file"], mask=first["mask"])[list(MANIFEST_COLUMNS)]
    for name, table in zip(list(files)[1:], others, strict=True):
        manifest = manifest.assign(**{f"{name}_file": table["file"], f"{name}_mask": table["mask"]})
    file_of = dict(zip(first["name"], first["file"], strict=True))
    return manifest, lesions.assign(image=lesions["image"].map(file_of))
