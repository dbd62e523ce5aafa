"""A bank of images from the networks that draw for a target."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from lungsynth.generate.detail.network import enlarge
from lungsynth.generate.labels import classes_of, how_many, labelled, of_one_class
from lungsynth.generate.sample import as_set, draw
from lungsynth.generate.trained import generator_of, load_all, shape_of
from lungsynth.sets.bank import ImageSet, concatenate
from lungsynth.sets.grid import grid_of
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
        learnt: the table of the bank that gives the classes, for runs that take some; None: no class is told.

    Raises:
        DataError: what is drawn is no finite number.
    """
    if learnt is not None and of_one_class(runs[0]):
        return _class_by_class(runs, files, count, seed, image, banks, device, learnt)
    run, grid = runs[0], grid_of(banks, image, runs[0].target)
    known = None if learnt is None else labelled(run, learnt)
    shape = shape_of(run, grid["size_px"], image.channels)
    modules = load_all(runs, files, shape, device, how_many(known))
    labels = None if known is None else known.classes.draw(count, seed, stream)
    images = draw(generator_of(runs), modules, count, seed, stream, labels)
    if not np.isfinite(images).all():
        raise DataError(f"{run.name}: draws numbers that are not finite; its training has gone astray")
    if len(runs) == 1 and run.factor > 1:  # no network details them
        images = enlarge(torch.from_numpy(images), run.factor).numpy()
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
    classes = classes_of(runs, learnt)
    drawn = classes.draw(count, seed, f"{runs[0].stage}/{runs[0].target}")
    wanted = np.bincount(drawn, minlength=len(runs))
    parts = []
    for run, file, name, n in zip(runs, files, classes.names, wanted, strict=True):
        if n:
            made = draw_bank([run], [file], int(n), seed, run.name, image, banks, device)
            parts.append(replace(made, table=made.table.assign(label=name)))
    return concatenate(parts)
