"""What goes with a generator's released weights: its recipe."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd

from lungsynth.generate.labels import labelled
from lungsynth.generate.registry import GENERATORS
from lungsynth.sets.labels import Labelled
from lungsynth.sets.seen import who_was_seen
from lungsynth.study.runs import DETAIL, Run


def recipe(
    runs: Sequence[Run], study: str, grid: Mapping[str, Any], learnt: pd.DataFrame, cohort: pd.DataFrame, sha256: str
) -> dict[str, Any]:
    """Everything that one must know to use the weights, and what made them; plain values for JSON.

    Args:
        runs: of the generator and, where it has one, of its detail network, in the order of `drawn_by`.
        study: its name; grid: size, pixel and window of what is drawn.
        learnt: the rows of the bank that they learnt from; cohort: the study's scans.
        sha256: of the weights' file.
    """
    generator = runs[0]
    known = labelled(generator, learnt)
    return {
        "generate": {generator.target: _what_they_are(runs, known)},
        "grid": dict(grid),
        "training": {"study": study, "seed": generator.seed, "runs": [run.model_dump(mode="json") for run in runs]},
        **who_was_seen(cohort[cohort["scan"].isin(learnt["scan"])], generator.seed),
        "images": len(learnt),
        "sha256": sha256,
        **({} if known is None else {"classes": asdict(known.classes)}),
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
    for run in rest:
        parts[DETAIL] = {"factor": run.settings["factor"], "network": run.settings["network"]}
    return parts
