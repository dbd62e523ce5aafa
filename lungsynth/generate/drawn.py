"""A bank of images from the networks that draw for a target."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lungsynth.generate.labels import how_many, labelled
from lungsynth.generate.sample import as_set, draw
from lungsynth.generate.trained import generator_of, load_all, shape_of
from lungsynth.sets.bank import ImageSet
from lungsynth.study.errors import DataError
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
    learnt: pd.DataFrame | None = None,
) -> ImageSet:
    """`count` images before any selection, as `as_set` gives them; with classes, their names as the column `label`.

    Args:
        runs: those that draw, in the order of `drawn_by`; files: the state or weights of each.
        stream: name of the random numbers, beside `seed`.
        learnt: the table of the bank that gives the classes, for runs that take some.

    Raises:
        DataError: what is drawn is no finite number.
    """
    run, nodules = runs[0], runs[0].target == "nodules"
    known = None if learnt is None else labelled(run, learnt)
    shape = shape_of(run, banks.nodule_px if nodules else image.size_px)
    modules = load_all(runs, files, shape, device, how_many(known))
    labels = None if known is None else known.classes.draw(count, seed, stream)
    images = draw(generator_of(runs), modules, count, seed, stream, labels)
    if not np.isfinite(images).all():
        raise DataError(f"{run.name}: draws numbers that are not finite; its training has gone astray")
    grid = {"window_hu": image.window_hu, "mm_per_px": banks.mm_per_px if nodules else image.mm_per_px}
    made = as_set(run.target, images, grid, banks.margin_mm, f"{run.label}:{run.seed}")
    return made if known is None else known.classes.marked(made, labels)
