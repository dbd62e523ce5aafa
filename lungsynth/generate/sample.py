"""Images from a trained generator: image i is a function of the state, the seed and i alone."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from lungsynth.ct import nodule, shape
from lungsynth.ct.hu import AIR_HU
from lungsynth.ct.lungs import segment_slice
from lungsynth.ct.window import to_hu, to_levels
from lungsynth.generate.generator import Generator
from lungsynth.sets.bank import ImageSet
from lungsynth.study.seeds import rng as named_rng

CHUNK = 8
"""Images that are computed together: always so many, since the size of a batch shows in the last bits."""


def draw(
    kind: Generator,
    modules: dict[str, nn.Module],
    n: int | np.ndarray,
    seed: int,
    name: str,
    labels: np.ndarray | None = None,
) -> np.ndarray:
    """n images float32 [n, c, h, w] in [-1, 1]; the random numbers of image i come from the stream (name, i).

    Asking for more images leaves the first ones as they are.

    Args:
        modules: in eval mode, as `train.state.load` gives them.
        n: how many, from the first on, or int [m]: the numbers of those that are wanted alone.
        labels: int64, the class of each image by its number; None: of any.
    """
    images, wanted = [], np.arange(n) if isinstance(n, int) else n
    with torch.no_grad():
        for start in range(0, len(wanted), CHUNK):
            places = wanted[start : start + CHUNK]
            places = np.pad(places, (0, CHUNK - len(places)), mode="edge")
            streams = [named_rng(seed, name, "z", int(k)) for k in places]
            classes = None if labels is None else torch.from_numpy(labels[places])
            images.append(kind.sample(modules, CHUNK, classes, streams).float().cpu().numpy())
    return np.ascontiguousarray(np.concatenate(images)[: len(wanted)])


def as_set(target: str, images: np.ndarray, grid: Mapping[str, Any], margin_mm: float, source: str) -> ImageSet:
    """What was drawn for a target, as banks hold it: see `as_nodules`, `as_slices` and `as_pictures`.

    Args:
        grid: of what the target's generator draws, see `sets.grid.grid_of`.
    """
    if target == "pictures":
        return as_pictures(images, tuple(grid["levels"]), source)
    window_hu, mm_per_px = tuple(grid["window_hu"]), grid["mm_per_px"]
    if target == "nodules":
        return as_nodules(images, window_hu, mm_per_px, margin_mm, source)
    return as_slices(images, window_hu, mm_per_px, source)


def as_nodules(
    images: np.ndarray, window_hu: tuple[float, float], mm_per_px: float, margin_mm: float, source: str
) -> ImageSet:
    """Cut-out nodules of a drawn batch: the mask's largest part, HU inside it grown by `margin_mm`, -1000 outside.

    Args:
        images: [n, 2, h, w]: HU, and a mask that is above 0 inside.
        source: "GENERATOR:SEED", to which each row adds its index.

    Returns:
        Rows: id, patient, scan (empty), diameter_mm, texture, mean_hu, source. A nodule without a mask stays in, with
        diameter 0: selection counts it.
    """
    hu, masks = to_hu(images[:, 0], window_hu), images[:, 1] > 0
    out, kept, rows = [], [], []
    for k, (image, mask) in enumerate(zip(hu, masks, strict=True)):
        mask = shape.largest_part(mask)
        inside = shape.grow_mm(mask, margin_mm, mm_per_px)
        image = np.where(inside, image, AIR_HU).astype(np.int16)
        rows.append(_identity(source, k) | nodule.measure(image, mask, mm_per_px))
        out.append(image)
        kept.append(mask.astype(np.uint8))
    return ImageSet(np.stack(out), np.stack(kept), mm_per_px, _with_source_last(rows))


def as_slices(images: np.ndarray, window_hu: tuple[float, float], mm_per_px: float, source: str) -> ImageSet:
    """Whole slices of a drawn batch [n, 1, h, w], with their lungs (1 right, 2 left) as masks; no lungs: all 0.

    Returns:
        Rows: id, patient, scan (empty), lung_area_mm2, lesions (0), source.
    """
    hu = to_hu(images[:, 0], window_hu)
    lungs = np.stack([segment_slice(image, mm_per_px).astype(np.uint8) for image in hu])
    rows = [
        _identity(source, k) | {"lung_area_mm2": float(shape.areas_mm2(mask, mm_per_px)), "lesions": 0}
        for k, mask in enumerate(lungs)
    ]
    return ImageSet(hu, lungs, mm_per_px, _with_source_last(rows))


def as_pictures(images: np.ndarray, levels: tuple[float, float], source: str) -> ImageSet:
    """Pictures of a drawn batch [n, c, h, w] in grey levels, uint8 or uint16 by the brightest; no masks (all 0).

    Returns:
        Images [n, h, w], or [n, h, w, 3] of three channels. Rows: id, patient, scan (empty), source.
    """
    grey = to_levels(images[:, 0] if images.shape[1] == 1 else np.moveaxis(images, 1, 3), levels)
    rows = [_identity(source, k) for k in range(len(grey))]
    return ImageSet(grey, np.zeros(grey.shape[:3], np.uint8), 1.0, _with_source_last(rows))


def _identity(source: str, index: int) -> dict[str, str]:
    return {"id": f"{source.replace(':', '-')}-{index}", "patient": "", "scan": "", "source": f"{source}:{index}"}


def _with_source_last(rows: list[dict]) -> pd.DataFrame:
    table = pd.DataFrame(rows)
    return table[[*(name for name in table.columns if name != "source"), "source"]]
