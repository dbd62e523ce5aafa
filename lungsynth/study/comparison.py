"""The trainings behind a comparison: every kind and seed at one budget, none of them from shipped weights."""

from typing import Any

from lungsynth.study.runs import Run, generator
from lungsynth.study.stages.compare import Compared

COMPARED = "compared"
"""Last part of the label of a run of a comparison; `rateFACTOR` that of one that tries a rate."""
SUBJECTS = {"nodules": "nodules", "lungs": "lesions"}
"""By comparison, a block of the settings: the subject of the catalogue that its runs learn from and draw."""
RATES = ("learning_rate", "critic_learning_rate")


def contenders(study: Any, name: str) -> list[Run]:
    """The runs that are compared, kind by kind and seed by seed, at the rates that stand in their settings.

    Where several rates are to be tried, the one that was found takes effect when they train: see `at_rate`.
    """
    block = _block(study, name)
    single = block.rates[0] if len(block.rates) == 1 else 1.0
    return [
        at_rate(_run(block, SUBJECTS[name], kind, study.seed + k, COMPARED), single)
        for kind in (*block.kinds, *block.others)
        for k in range(block.seeds if kind in block.kinds else 1)
    ]


def own(study: Any, name: str) -> list[Run]:
    """The chain's generator, where it draws what is compared: it stands beside the contenders as it is."""
    subject = SUBJECTS[name]
    return [generator(study, subject)] if hasattr(study.generate, subject) else []


def tried(study: Any, name: str, kind: str) -> dict[float, Run]:
    """The run of each rate that a kind is tried at, by factor; none where there is one rate."""
    block = _block(study, name)
    if len(block.rates) == 1:
        return {}
    training = {"training": block.searching}
    return {
        factor: at_rate(_run(block, SUBJECTS[name], kind, study.seed, f"rate{factor:g}"), factor).model_copy(
            update=training
        )
        for factor in block.rates
    }


def runs_of(study: Any) -> dict[str, Run]:
    """All runs of all comparisons by name."""
    found = []
    for name in SUBJECTS:
        block = _block(study, name)
        found += contenders(study, name)
        found += [run for kind in (*block.kinds, *block.others) for run in tried(study, name, kind).values()]
    return {run.name: run for run in found}


def name_of(run: Run) -> str:
    """The comparison that a run belongs to."""
    return next(name for name, subject in SUBJECTS.items() if subject == run.target)


def at_rate(run: Run, factor: float) -> Run:
    """The same run with all its learning rates times `factor`."""
    scaled = {name: run.settings[name] * factor for name in RATES if run.settings.get(name) is not None}
    return run.model_copy(update={"settings": run.settings | scaled})


def _block(study: Any, name: str) -> Compared:
    return getattr(study.compare, name)


def _run(block: Compared, target: str, kind: str, seed: int, variant: str) -> Run:
    return Run(
        stage="generate",
        target=target,
        label=f"{kind}.{variant}",
        seed=seed,
        kind=kind,
        settings=block.settings[kind],
        training=block.training,
        compared=True,
    )
