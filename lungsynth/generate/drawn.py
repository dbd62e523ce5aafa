"""A bank of images from the networks that draw for a target."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lungsynth.generate.labels import how_many, labelled
from lungsynth.generate.sample import as_set, draw
from lungsynth.generate.trained import generator_of, load_all, shape_of
from lungsynth.sets.bank import ImageSet, concatenate
from lungsynth.sets.labels import Classes
from lungsynth.study.errors import DataError
from lungsynth.study.runs import CLASS, Run
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
    if runs[0].subset is not None and runs[0].subset.label is not None:
        return _class_by_class(runs, files, count, seed, image, banks, device, learnt)
    run, nodules = runs[0], runs[0].target == "nodules"
    known = None if learnt is None else labelled(run, learnt)
    shape = shape_of(run, banks.nodule_px if nodules else image.size_px, image.channels)
    modules = load_all(runs, files, shape, device, how_many(known))
    labels = None if known is None else known.classes.draw(count, seed, stream)
    images = draw(generator_of(runs), modules, count, seed, stream, labels)
    if not np.isfinite(images).all():
        raise DataError(f"{run.name}: draws numbers that are not finite; its training has gone astray")
    grid = {"window_hu": image.window_hu, "mm_per_px": banks.mm_per_px if nodules else image.mm_per_px}
    made = as_set(run.target, images, grid, banks.margin_mm, f"{run.label}:{run.seed}")
    return made if known is None else known.classes.marked(made, labels)


def _class_by_class(
    runs: Sequence[Run],
    files: Sequence[Path],
    count: int,
    seed: int,
    image: Image,
    banks: Banks,
    device: Any,
    learnt: pd.DataFrame,
) -> ImageSet:
    """Of generators that know one class each, as many images of each as its share of the real ones asks for."""
    names = [run.subset.label for run in runs]
    there = [int((learnt[CLASS] == name).sum()) for name in names]
    if not sum(there):
        raise DataError(f"{runs[0].name}: the bank holds no image of the class {', '.join(names)}")
    classes = Classes(names, [n / sum(there) for n in there]).draw(count, seed, f"{runs[0].stage}/{runs[0].target}")
    wanted = np.bincount(classes, minlength=len(names))
    parts = []
    for run, file, name, n in zip(runs, files, names, wanted, strict=True):
        if n:
            alone = run.model_copy(update={"subset": None})
            made = draw_bank([alone], [file], int(n), seed, run.name, image, banks, device)
            parts.append(replace(made, table=made.table.assign(label=name)))
    return concatenate(parts)
