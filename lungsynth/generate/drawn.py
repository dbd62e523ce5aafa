"""A bank of images from the networks that draw for a target."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lungsynth.generate.sample import as_nodules, as_slices, draw
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
    images, source = draw(generator_of(runs), modules, count, seed, stream), f"{run.label}:{run.seed}"
    if nodules:
        return as_nodules(images, image.window_hu, banks.mm_per_px, banks.margin_mm, source)
    return as_slices(images, image.window_hu, image.mm_per_px, source)
