"""The trainings behind the target `evaluate`: every kind of classifier and seed, on real, on generated and on both."""

from typing import Any

from lungsynth.study.runs import Run, folders
from lungsynth.study.stages.generate import Labels

TRAINED_ON = ("real", "generated", "combined")
SUBJECTS = {"composites": "nodules", "pictures": "pictures"}
"""By chain, the subject of the catalogue whose classes are learnt."""


def subject(study: Any) -> str:
    """What the classifiers of a study look at."""
    return SUBJECTS[study.chain]


def labels(study: Any) -> Labels:
    """Where the classes of real images stand."""
    if study.chain == "pictures":
        return folders(study)
    return study.utility.classify.labels


def classifiers(study: Any) -> list[Run]:
    """The trainings, kind by kind, set by set and seed by seed; the part of a label after the point names the set."""
    block = study.utility.classify
    return [
        Run(
            stage="utility",
            target=subject(study),
            label=f"{kind}.{trained_on}",
            seed=study.seed + k,
            kind=kind,
            settings=block.settings.get(kind, {}),
            training=block.training,
            labels=labels(study),
        )
        for kind in block.kinds
        for trained_on in TRAINED_ON
        for k in range(block.seeds)
    ]


def runs_of(study: Any) -> dict[str, Run]:
    """They by name."""
    return {run.name: run for run in classifiers(study)}


def trained_on(run: Run) -> str:
    """The set that a run learns from."""
    return run.label.rpartition(".")[2]
