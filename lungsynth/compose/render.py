"""Composites on demand: the members of a group laid on a normal (C10), in any order with the same pixels."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import ndimage

from lungsynth.compose.clearance import Members
from lungsynth.compose.patches import Patches
from lungsynth.ct import nodule
from lungsynth.sets.bank import ImageSet, read_rows
from lungsynth.sets.tables import count_rows, read_parquet
from lungsynth.study.errors import DataError
from lungsynth.study.stages.compose import Render

LESION_COLUMNS = ("image", "lesion", *nodule.BOX, *nodule.MEASURES, "source_nodule", "composite", "normal", "group")
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

    Pools and groups may be parts of the study's; then the index of a pool's table tells the numbers of its images.
    """

    def __init__(self, normals: ImageSet, nodules: ImageSet, groups: pd.DataFrame, settings: Render):
        self.normals, self.settings = normals, settings
        self.patches = Patches(nodules, normals.mm_per_px, settings.feather_mm)
        self.place = {number: place for place, number in enumerate(normals.table.index)}
        here = groups.assign(nodule=nodules.table.index.get_indexer(groups["nodule"]))
        if (here["nodule"] < 0).any():
            raise ValueError("the groups name nodules that the pool does not hold")
        self.rows = dict(tuple(here.groupby("group", sort=False)))

    def render(self, normal: int, group: int) -> Composite:
        """Normal number `normal` with the members of group number `group`.

        Each lesion is blended softly in HU: out = (1 - a) background + a lesion. The lesion keeps the background's
        fine texture, and never darkens it: vessels show through ground glass, which is what tells it from
        consolidation (Hansell et al. 2008, Fleischner glossary), and tissue that is added cannot lower a density.
        Pixels that no lesion reaches are those of the normal.

        Raises:
            DataError: a member does not lie in a lung of this normal (the pair is not one of the plan).
        """
        members, place = self.rows[group], self.place[normal]
        background, lungs = self.normals.images[place], self.normals.masks[place]
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
            measured = nodule.describe(image, where, self.normals.mm_per_px)
            rows.append({"lesion": label, **measured, "source_nodule": source, "normal": normal, "group": group})
        return rows


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


def read_plan(path: Path, shard: int, settings: Render) -> pd.DataFrame:
    """The rows of the plan that make up a shard; the others are not read."""
    return read_parquet(path, only={"rank": shard_ranks(count_rows(path), shard, settings)})


def shard_ranks(n_plan: int, shard: int, settings: Render) -> np.ndarray:
    """Ranks of the composites of a shard, ascending; at least one.

    Of the plan's rows `count` are rendered: the best, or, where `pick` is spread, ranks at even steps through all of
    it, since the best alone are small single nodules in the middle of large lungs.

    Raises:
        ValueError: there is no such shard.
    """
    count = min(settings.count, n_plan)
    chosen = np.arange(count) * n_plan // count if settings.pick == "spread" else np.arange(count)
    ranks = chosen[shard * settings.shard_size : (shard + 1) * settings.shard_size]
    if not len(ranks):
        raise ValueError(f"shard {shard} is none of the {settings.shards} shards")
    return ranks


def renderer_of(plan: pd.DataFrame, normals: Path, nodules: Path, groups: Path, settings: Render) -> Renderer:
    """A renderer that holds the pools and groups which these rows of the plan need, and no more."""
    members = read_parquet(groups, only={"group": plan["group"]})
    used = (np.unique(numbers) for numbers in (plan["normal"], members["nodule"]))
    pools = (read_rows(path, rows) for path, rows in zip((normals, nodules), used, strict=True))
    return Renderer(*pools, members, settings)


def render_rows(renderer: Renderer, plan: Iterable, n: int) -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    """Images int16 [n, h, w], masks uint8 [n, h, w] and lesion rows (LESION_COLUMNS) of n rows of the plan.

    `plan` gives the rows as `itertuples` does. `image` is the place among them, `composite` the rank in the plan.
    """
    height, width = renderer.normals.images.shape[1:]
    images = np.empty((n, height, width), np.int16)
    masks = np.empty((n, height, width), np.uint8)
    lesions = []
    for place, row in enumerate(plan):
        made = renderer.render(int(row.normal), int(row.group))
        images[place], masks[place] = made.image, made.mask
        lesions += [{"image": place, "composite": int(row.rank), **lesion} for lesion in made.lesions]
    return images, masks, pd.DataFrame(lesions, columns=list(LESION_COLUMNS))
