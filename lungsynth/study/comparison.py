"""The trainings behind a comparison: every kind and seed at one budget, none of them from shipped weights."""

from typing import Any

from lungsynth.study.runs import Run, generator
from lungsynth.study.stages.compare import Compared

COMPARED = "compared"
"""Last part of the label of a run of a comparison; `rateFACTOR` that of one that tries a rate."""
RATES = ("learning_rate", "critic_learning_rate")


def contenders(study: Any, target: str) -> list[Run]:
    """The runs that are compared, kind by kind and seed by seed, at the rates that stand in their settings.

    Where several rates are to be tried, the one that was found takes effect when they train: see `at_rate`.
    """
    block = _block(study, target)
    single = block.rates[0] if len(block.rates) == 1 else 1.0
    return [
        at_rate(_run(block, target, kind, study.seed + k, COMPARED), single)
        for kind in (*block.kinds, *block.others)
        for k in range(block.seeds if kind in block.kinds else 1)
    ]


def own(study: Any, target: str) -> Run:
    """The chain's generator of a target, which stands beside the contenders as it is."""
    return generator(study, target)


def tried(study: Any, target: str, kind: str) -> dict[float, Run]:
    """The run of each rate that a kind is tried at, by factor; none where there is one rate."""
    block = _block(study, target)
    if len(block.rates) == 1:
        return {}
    training = {"training": block.searching}
    return {
        factor: at_rate(_run(block, target, kind, study.seed, f"rate{factor:g}"), factor).model_copy(update=training)
        for factor in block.rates
    }


def runs_of(study: Any) -> dict[str, Run]:
    """All runs of all comparisons by name."""
    found = []
    for target in type(study.compare).model_fields:
        block = _block(study, target)
        found += contenders(study, target)
        found += [run for kind in (*block.kinds, *block.others) for run in tried(study, target, kind).values()]
    return {run.name: run for run in found}


def at_rate(run: Run, factor: float) -> Run:
    """The same run with all its learning rates times `factor`."""
    scaled = {name: run.settings[name] * factor for name in RATES if run.settings.get(name) is not None}
    return run.model_copy(update={"settings": run.settings | scaled})


def _block(study: Any, target: str) -> Compared:
    return getattr(study.compare, target)


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
