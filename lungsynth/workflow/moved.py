"""Where the keys of older studies stand today."""

from collections.abc import Mapping
from typing import Any

from lungsynth.study.base import paths
from lungsynth.study.errors import StudyError


def _each(old: str, new: str, *keys: str) -> dict[str, str]:
    """Keys that moved from one block to another under their own names."""
    return {f"{old}.{key}": f"{new}.{key}" for key in keys}


def _of_a_target(target: str) -> dict[str, str]:
    block = f"generate.{target}"
    return {
        **_each(block, f"{block}.training", "steps", "points_every", "ema", "threads"),
        f"{block}.segments": f"{block}.training.checkpoints",
        **{f"{block}.{kind}.batch": f"{block}.training.batch" for kind in ("w_capsule", "dcgan", "wgan_gp")},
        f"{block}.count": f"{block}.sampling.count",
        f"{block}.keep": f"{block}.selection.keep",
    }


ARCHITECTURE = ("widths", "growth", "layers", "window_hu", "temperature")
OPERATING_POINT = ("threshold", "max_false_positives", "min_diameter_mm", "lung_margin_mm", "candidate_score")
NETWORK = ("filters", "blocks", "residual", "max_shift_hu", *(f"discriminator_{k}" for k in ("filters", "layers")))
DETAIL = ("discriminator_norm", "discriminator_detail")
OBJECTIVE = ("crop_px", "learning_rate", "discriminator_rate", "discriminator_batches", "cycle", "identity", "pool")
MOVED = {
    "threads": "segment.training.threads and refine.training.threads",
    "segment.start_from": "segment.init_from",
    "segment.segments": "segment.training.checkpoints",
    **_each("segment", "segment.training", "steps", "points_every", "precision"),
    **_each("segment.dense_unet", "segment.training", "batch", "ema"),
    **_each("segment.dense_unet", "segment.dense_unet.architecture", *ARCHITECTURE),
    **_each("segment", "segment.network", "slices", "spacing_mm", "native_mm"),
    **_each("segment", "segment.windows", "context_px", "pasted"),
    **{f"segment.windows_per.{kind}": f"segment.windows.per_{kind}" for kind in ("volume", "slice", "patch")},
    "segment.views": "segment.inference.views",
    **_each("segment", "segment.operating_point", *OPERATING_POINT),
    "segment.operating_point.outline_bodies": "segment.outlines.init_from",
    "segment.keep_nodules": "segment.patches.keep_nodules",
    **_each("features", "features.training", "steps", "batch"),
    "features.inception": "score.inception",
    **_of_a_target("nodules"),
    **_of_a_target("normals"),
    "generate.select": "generate.nodules.selection and generate.normals.selection",
    **_each("refine", "refine.training", "steps", "points_every", "batch", "ema"),
    "refine.segments": "refine.training.checkpoints",
    **_each("refine", "refine.network", *NETWORK, *DETAIL),
    **_each("refine", "refine.objective", *OBJECTIVE),
    "refine.protect_weight": "refine.protect.weight",
    "refine.hold": "refine.protect.hold",
}


def refuse_moved(config: Mapping[str, Any]) -> None:
    """Say where a key of an older study stands today.

    Raises:
        StudyError: for the first such key.
    """
    if isinstance(config.get("refine"), Mapping) and isinstance(config["refine"].get("protect"), bool):
        raise StudyError("refine.protect: true or false stands in refine.protect.lesions now")
    there = {path for path, _ in paths(config)}
    for old, new in MOVED.items():
        if old in there:
            raise StudyError(f"{old}: is {new} now")
