"""What the networks of a study hold in numbers, beside what a publication states of its own."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import torch

from lungsynth.features.classes import classes_of
from lungsynth.features.training import ExtractorTraining, card_of
from lungsynth.generate.labels import how_many, labelled
from lungsynth.generate.registry import GENERATORS
from lungsynth.generate.trained import is_detail, shape_of, trainable
from lungsynth.nets.count import by_side, counts
from lungsynth.refine.network import CycleGan
from lungsynth.segment.apply import make_kind
from lungsynth.study.runs import Run
from lungsynth.study.stages.banks import Banks, Features
from lungsynth.study.stages.cohort import Image
from lungsynth.study.stages.refine import CycleGanSettings
from lungsynth.study.stages.segment import ChosenDetector
from lungsynth.train.data import Shape
from lungsynth.train.trainable import Trainable


def count(
    runs: Sequence[Run], banks: Banks, image: Image, features: Features, learnt: Mapping[str, pd.DataFrame]
) -> pd.DataFrame:
    """One row a network of every run, whether the study trains it or takes it as it is.

    They are built without memory for their weights, so that the largest costs nothing.

    Args:
        learnt: the bank's table by target, for runs that learn by class.

    Returns:
        Columns run, network, kind, preset, total = trainable + other, and paper: the published total of that preset,
        at the size that was published; empty where there is none.
    """
    rows = []
    for run in runs:
        kind, shape, classes = _kind_of(run, banks, image, features, learnt)
        with torch.device("meta"):
            modules = kind.build(shape, classes)
        preset = _preset_of(run)
        paper = _published(run).get(preset, {})
        for name, module in modules.items():
            trained, other = counts(module)
            if trained + other:
                about = {"run": run.name, "network": name, "kind": run.kind, "preset": preset}
                numbers = {"total": trained + other, "trainable": trained, "other": other, "paper": paper.get(name)}
                rows.append(about | numbers)
    return pd.DataFrame(rows).astype({"paper": "Int64"})


def sides(runs: Sequence[Run], banks: Banks, image: Image, learnt: Mapping[str, pd.DataFrame]) -> list[dict[str, int]]:
    """Trainable parameters of generators' and refiners' runs: `generator`, what makes images, and `critic`, all else.

    Args:
        learnt: as in `count`.
    """
    found = []
    for run in runs:
        kind, shape, classes = _kind_of(run, banks, image, None, learnt)
        with torch.device("meta"):
            found.append(by_side(kind.build(shape, classes), kind.averaged))
    return found


def _kind_of(
    run: Run, banks: Banks, image: Image, features: Features | None, learnt: Mapping[str, pd.DataFrame]
) -> tuple[Trainable, Shape, int]:
    """What a run trains, the shape of its images and the number of their classes."""
    if run.stage == "segment":
        detector = make_kind(ChosenDetector(kind=run.kind, **run.settings))
        return detector, detector.shape, 1
    if run.stage == "refine":
        settings = CycleGanSettings.model_validate(run.settings)
        return CycleGan(settings, image.window_hu), Shape(1, settings.objective.crop_px), 1
    nodules = run.target == "nodules"
    size = banks.nodule_px if nodules else image.size_px
    if run.stage == "features":
        pixel = banks.mm_per_px if nodules else image.mm_per_px
        classes = classes_of(run.target, learnt.get(run.target))
        card = card_of(run.target, features, image.window_hu, classes, size, pixel, image.channels)
        return ExtractorTraining(card), Shape((card.channels or 1) + card.with_mask, size), len(classes)
    return (
        trainable(run),
        shape_of(run, size, image.channels),
        how_many(labelled(run, learnt[run.target]) if run.labels else None),
    )


def _preset_of(run: Run) -> str:
    """The published sizes that a run's networks have; those of a detector stand with its architecture."""
    settings = run.settings["settings"].get("architecture", {}) if run.stage == "segment" else run.settings
    return settings.get("preset", "none")


def _published(run: Run) -> dict[str, Any]:
    """Published totals by preset and network, where the settings of a run's kind state any."""
    if run.stage != "generate" or is_detail(run):
        return {}
    return getattr(GENERATORS.settings(run.kind), "published", {})
