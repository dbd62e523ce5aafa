"""Composites on demand: the members of a group laid on a normal (C10), in any order with the same pixels."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import ndimage

from lungsynth.compose.clearance import Members
from lungsynth.compose.patches import Patches
from lungsynth.ct import shape
from lungsynth.sets.bank import ImageSet
from lungsynth.study.errors import DataError
from lungsynth.study.stages import Render

LESION_COLUMNS = (
    *("image", "lesion", "row", "column", "row_min", "column_min", "row_max", "column_max"),
    *("diameter_mm", "texture", "mean_hu", "source_nodule", "composite", "normal", "group"),
)
AERATED_HU = -700
"""Denser pixels of a lung are vessels, walls and lesions, no texture of the parenchyma."""
TEXTURE_MM = 3.0
"""What varies over less than this is texture; slower changes are replaced by the nodule."""
TEXTURE_LIMIT_HU = 60
"""Some 2.5 sd of the parenchyma between its vessels (FACTS 11.1)."""


@dataclass(frozen=True)
class Composite:
    """An image int16 HU [h, w], its mask uint8 (k-th lesion) and one row a lesion."""

    image: np.ndarray
    mask: np.ndarray
    lesions: list[dict]


class Renderer:
    """Renders any pair of normal and group.

    Args:
        normals: the pool of normals, masks = lungs; gives the image's grid.
        nodules: the pool of nodules.
        groups: the groups' table (`groups.draw_groups`).
        settings: feather and texture.
    """

    def __init__(self, normals: ImageSet, nodules: ImageSet, groups: pd.DataFrame, settings: Render):
        self.normals, self.settings = normals, settings
        self.patches = Patches(nodules, normals.mm_per_px, settings.feather_mm)
        self.rows = dict(tuple(groups.groupby("group", sort=False)))

    def render(self, normal: int, group: int) -> Composite:
        """Normal number `normal` with the members of group number `group`.

        Each lesion is blended softly in HU: out = (1 - a) background + a lesion. The lesion keeps the background's
        fine texture, and never darkens it: vessels show through ground glass, which is what tells it from
        consolidation (Hansell et al. 2008, Fleischner glossary), and tissue that is added cannot lower a density.
        Pixels that no lesion reaches are those of the normal.

        Raises:
            DataError: a member does not lie in a lung of this normal (the pair is not one of the plan).
        """
        members = self.rows[group]
        background, lungs = self.normals.images[normal], self.normals.masks[normal]
        row, column, there = Members(members, gap_mm=0).places(lungs)
        if not there.all():
            raise DataError(f"normal {normal} does not show the lung in which a member of group {group} lies")
        image = background.astype(np.float32)
        texture = _texture(image, lungs > 0, self.normals.mm_per_px) * self.settings.texture
        mask = np.zeros(background.shape, np.uint8)
        for label, (member, r, c) in enumerate(zip(members.itertuples(), row, column, strict=True), start=1):
            self._lay(image, mask, texture, member, (int(r), int(c)), label)
        image = np.rint(image).astype(np.int16)
        return Composite(image, mask, self._lesion_rows(image, mask, members, normal, group))

    def _lay(
        self, image: np.ndarray, mask: np.ndarray, texture: np.ndarray, member, centre: tuple[int, int], label: int
    ) -> None:
        """Lays one member on `image` and `mask` in place, its middle on the pixel `centre`."""
        patch_mask, alpha, weighted = self.patches.turned(member.nodule, member.turn)
        there, part = _overlap(image.shape, patch_mask.shape, centre)
        alpha, weighted, below = alpha[part], weighted[part], image[there]
        lesion = weighted / np.maximum(alpha, 1e-6) + texture[there]
        image[there] = np.where(alpha > 1e-3, below + alpha * np.maximum(lesion - below, 0), below)
        mask[there][patch_mask[part]] = label

    def _lesion_rows(
        self, image: np.ndarray, mask: np.ndarray, members: pd.DataFrame, normal: int, group: int
    ) -> list[dict]:
        rows = []
        for label, source in enumerate(members["source_nodule"], start=1):
            where = mask == label
            measured = measure(image, where, self.normals.mm_per_px)
            rows.append({"lesion": label, **measured, "source_nodule": source, "normal": normal, "group": group})
        return rows


def measure(image: np.ndarray, where: np.ndarray, mm_per_px: float) -> dict:
    """Centre, inclusive box (px), diameter 2 sqrt(area / pi) in mm, mean HU and texture of a lesion's mask."""
    row, column = shape.centroid_px(where)
    rows, columns = np.flatnonzero(where.any(1)), np.flatnonzero(where.any(0))
    mean_hu = float(image[where].mean())
    return {
        "row": row,
        "column": column,
        "row_min": int(rows[0]),
        "column_min": int(columns[0]),
        "row_max": int(rows[-1]),
        "column_max": int(columns[-1]),
        "diameter_mm": shape.equivalent_diameter_mm(where, mm_per_px),
        "texture": shape.texture_class(mean_hu),
        "mean_hu": mean_hu,
    }


def _overlap(size: tuple[int, int], patch: tuple[int, int], centre: tuple[int, int]) -> tuple[tuple, tuple]:
    """Slices of the image and of the patch where a patch centred on the pixel `centre` meets the image."""
    there, part = [], []
    for length, extent, middle in zip(size, patch, centre, strict=True):
        first = middle - extent // 2
        low, high = max(0, first), min(length, first + extent)
        there.append(slice(low, high))
        part.append(slice(low - first, high - first))
    return tuple(there), tuple(part)


def _texture(image: np.ndarray, lungs: np.ndarray, mm_per_px: float) -> np.ndarray:
    """Fine texture of aerated lung, HU float32 [h, w]: its difference to its local mean, 0 on vessels and elsewhere."""
    aerated = (lungs & (image < AERATED_HU)).astype(np.float32)
    sigma = TEXTURE_MM / mm_per_px
    weight = ndimage.gaussian_filter(aerated, sigma)
    mean = ndimage.gaussian_filter(image * aerated, sigma) / np.maximum(weight, 1e-3)
    return np.clip((image - mean) * aerated, -TEXTURE_LIMIT_HU, TEXTURE_LIMIT_HU)


def shard_rows(plan: pd.DataFrame, shard: int, settings: Render) -> pd.DataFrame:
    """The rows of the plan that make up a shard; at least one.

    Of the plan's rows `count` are rendered: the best, or, where `pick` is spread, ranks at even steps through all of
    it, since the best alone are small single nodules in the middle of large lungs.

    Raises:
        ValueError: there is no such shard.
    """
    count = min(settings.count, len(plan))
    chosen = np.arange(count) * len(plan) // count if settings.pick == "spread" else np.arange(count)
    rows = plan.iloc[chosen[shard * settings.shard_size : (shard + 1) * settings.shard_size]]
    if not len(rows):
        raise ValueError(f"shard {shard} is none of the {settings.shards} shards")
    return rows


def render_shard(renderer: Renderer, plan: pd.DataFrame, shard: int) -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    """Images int16 [n, h, w], masks uint8 [n, h, w] and lesion rows (LESION_COLUMNS) of one shard.

    `image` is the place in the shard, `composite` the rank in the plan.
    """
    chosen = shard_rows(plan, shard, renderer.settings)
    height, width = renderer.normals.images.shape[1:]
    images = np.empty((len(chosen), height, width), np.int16)
    masks = np.empty((len(chosen), height, width), np.uint8)
    lesions = []
    for place, row in enumerate(chosen.itertuples()):
        made = renderer.render(int(row.normal), int(row.group))
        images[place], masks[place] = made.image, made.mask
        lesions += [{"image": place, "composite": int(row.rank), **lesion} for lesion in made.lesions]
    return images, masks, pd.DataFrame(lesions, columns=list(LESION_COLUMNS))
