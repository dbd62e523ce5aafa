"""What goes with a generator's released weights: its recipe."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd

from lungsynth.generate.labels import classes_of, labelled
from lungsynth.generate.registry import GENERATORS
from lungsynth.generate.trained import is_detail, parts_of
from lungsynth.sets.labels import Labelled
from lungsynth.sets.parts import rows_learnt
from lungsynth.sets.seen import what_was_seen, who_was_seen, with_earlier
from lungsynth.study.runs import DETAIL, Run


def recipe(
    runs: Sequence[Run],
    study: str,
    grid: Mapping[str, Any],
    learnt: pd.DataFrame,
    cohort: pd.DataFrame,
    sha256: str,
    earlier: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Everything that one must know to use the weights, and what made them; plain values for JSON.

    Args:
        runs: those that draw, in the order of `drawn_by`: a generator, and its detail network where it has one; or the
            generators of one class each, whose networks the weights hold under the names of `parts`.
        study: its name; grid: of what is drawn, see `grid_of`.
        learnt: the rows of the bank that they learnt from; cohort: the study's scans, or pictures.
        sha256: of the weights' file.
        earlier: recipes of the networks that the runs started from, whose patients these weights have seen too.
    """
    generator = runs[0]
    known, classes, parts = labelled(generator, learnt), classes_of(runs, learnt), parts_of(runs)
    shown = learnt.iloc[rows_learnt(learnt, runs, generator.seed)]
    if generator.target == "pictures":
        seen = what_was_seen(cohort[cohort["id"].isin(shown["id"])])
    else:
        seen = who_was_seen(cohort[cohort["scan"].isin(shown["scan"])], generator.seed)
    return {
        "generate": {generator.target: _what_they_are(runs, known)},
        "grid": dict(grid),
        "training": {"study": study, "seed": generator.seed, "runs": [run.model_dump(mode="json") for run in runs]},
        **with_earlier(seen, earlier),
        "images": len(shown),
        "sha256": sha256,
        **({} if classes is None else {"classes": asdict(classes)}),
        **({"parts": parts} if parts else {}),
    }


def _what_they_are(runs: Sequence[Run], known: Labelled | None) -> dict[str, Any]:
    """The settings of `generate.TARGET` without which the weights fit nothing."""
    generator, *rest = runs
    model = GENERATORS.settings(generator.kind)
    names = getattr(model, "architecture", tuple(model.model_fields))
    settings = model.model_validate(generator.settings).model_dump(mode="json", include=set(names))
    parts: dict[str, Any] = {"kind": generator.kind, generator.kind: settings}
    if known is not None:
        labels = generator.labels.model_dump(mode="json")
        # Stated, so that a class of the weights stays the same one on a bank that has not all of them.
        parts["labels"] = labels | {"names": None if labels["cuts"] else list(known.names)}
    for run in filter(is_detail, rest):
        parts[DETAIL] = {"factor": run.settings["factor"], "network": run.settings["network"]}
    return parts
