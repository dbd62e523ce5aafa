"""A bank of images from the networks that draw for a target."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lungsynth.generate.sample import as_set, draw
from lungsynth.generate.trained import generator_of, load_all, shape_of
from lungsynth.sets.bank import ImageSet
from lungsynth.study.runs import Run
from lungsynth.study.stages.banks import Banks
from lungsynth.study.stages.cohort import Image


def draw_bank(
    runs: Sequence[Run],
    files: Sequence[Path],
    count: int,
    seed: int,
    stream: str,
    image: Image,
    banks: Banks,
    device: Any = "cpu",
) -> ImageSet:
    """`count` images of a target before any selection, as `as_nodules` and `as_slices` give them.

    Args:
        runs: those that draw for the target, in the order of `drawn_by`; files: the state or weights of each.
        stream: name of the random numbers, beside `seed`.
    """
    run, nodules = runs[0], runs[0].target == "nodules"
    modules = load_all(runs, files, shape_of(run, banks.nodule_px if nodules else image.size_px), device)
    images = draw(generator_of(runs), modules, count, seed, stream)
    grid = {"window_hu": image.window_hu, "mm_per_px": banks.mm_per_px if nodules else image.mm_per_px}
    return as_set(run.target, images, grid, banks.margin_mm, f"{run.label}:{run.seed}")
