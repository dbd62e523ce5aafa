"""The trainings behind a comparison: every kind and seed at one budget, none of them from shipped weights."""

from collections.abc import Sequence
from itertools import product
from typing import Any

from lungsynth.study.runs import Run, Subset, drawn_by, generator, refiner
from lungsynth.study.stages.compare import Compared, Sizes, Sweep

COMPARED = "compared"
"""Last part of the label of a run of a comparison; `rateFACTOR` that of one that tries a rate."""
SUBJECTS = {
    "nodules": "nodules",
    "lungs": "lesions",
    **dict.fromkeys(("pictures", "sizes", "sweep"), "pictures"),
}
"""By comparison, a block of the settings: the subject of the catalogue that its runs learn from and draw."""
CHAINS = {"composites": ("nodules", "lungs"), "pictures": ("pictures", "sizes", "sweep")}
"""The comparisons of each chain."""
SWEPT = {"batch": "batch", "gamma": "gamma", "critic_learning_rate": "rate", "smooth": "smooth"}
"""What a sweep varies, with its word in a run's label."""
RATES = ("learning_rate", "critic_learning_rate")


def contenders(study: Any, name: str) -> list[Run]:
    """The runs that are compared, kind by kind and seed by seed, at the rates that stand in their settings.

    Where several rates are to be tried, the one that was found takes effect when they train: see `at_rate`.
    """
    block = _block(study, name)
    if not isinstance(block, Compared):
        return [
            variant.model_copy(update={"seed": study.seed + k, "compared": True})
            for variant in (_sizes(study, block) if isinstance(block, Sizes) else _combinations(study, block))
            for k in range(block.seeds)
        ]
    return [
        at_rate(_run(block, SUBJECTS[name], kind, study.seed + k, COMPARED), stated_rate(block.rates))
        for kind in (*block.kinds, *block.others)
        for k in range(block.seeds if kind in block.kinds else 1)
    ]


def stated_rate(rates: Sequence[float]) -> float:
    """The factor on the learning rates of a comparison's runs where no search finds one; none is given: 1."""
    return rates[0] if len(rates) == 1 else 1.0


def rates_of(study: Any, name: str) -> list[str]:
    """Where the factors of a comparison stand in the settings; nowhere where it tries none."""
    return [f"compare.{name}.rates"] if isinstance(_block(study, name), Compared) else []


def own(study: Any, name: str) -> list[Run]:
    """The chain's generator, where it draws what is compared: it stands beside the contenders as it is."""
    subject = SUBJECTS[name]
    if not isinstance(_block(study, name), Compared) or not hasattr(study.generate, subject):
        return []
    drawn = drawn_by(study, subject)
    one_draws_all = subject != "pictures" or len(drawn) == 1
    return drawn[:1] if one_draws_all else []


def tried(study: Any, name: str, kind: str) -> dict[float, Run]:
    """The run of each rate that a kind is tried at, by factor; none where there is one rate."""
    block = _block(study, name)
    if not isinstance(block, Compared) or len(block.rates) == 1:
        return {}
    training = {"training": block.searching}
    return {
        factor: at_rate(_run(block, SUBJECTS[name], kind, study.seed, f"rate{factor:g}"), factor).model_copy(
            update=training
        )
        for factor in block.rates
    }


NOTHING = "nothing"
"""Last part of the label of a network of the two stages that a comparison of whole slices trains from nothing."""


def from_nothing(study: Any) -> list[Run]:
    """The chain's generators of nodules and normals, its detail network and its refiner, each at the comparison's
    budget and from no weights; the refiner, the last of them, takes no more steps than the study's own.
    """
    block = study.compare.lungs
    refining = refiner(study)
    drawing = [*drawn_by(study, "nodules"), *drawn_by(study, "normals")]
    made = {run.name: block.spent(run.training) for run in (*drawing, refining)}
    if 0 < refining.training.steps < made[refining.name].steps:
        made[refining.name] = refining.training.model_copy(update={"checkpoints": block.checkpoints})
    return [
        run.model_copy(
            update={"label": f"{run.label}.{NOTHING}", "init_from": None, "compared": True, "training": made[run.name]}
        )
        for run in (*drawing, refining)
    ]


def is_from_nothing(run: Run) -> bool:
    """Whether a run is one of `from_nothing`."""
    return run.label.endswith(f".{NOTHING}")


DETECTORS = "detectors"
"""The comparison of detectors, a block of the settings."""
BASELINE = "baseline"
"""What stands in place of a run's name where nothing is trained: threshold and opening."""


def detectors(study: Any) -> list[Run]:
    """The runs of detectors that are compared, kind by kind and seed by seed; all see what the study's own would."""
    block = study.compare.detectors
    return [
        Run(
            stage="segment",
            target="nodules",
            label=f"{kind}.{COMPARED}",
            seed=study.seed + k,
            kind=kind,
            settings={"settings": block.settings[kind], "network": study.segment.network.model_dump(mode="json")},
            training=block.training,
            compared=True,
        )
        for kind in block.kinds
        for k in range(block.seeds)
    ]


def runs_of(study: Any) -> dict[str, Run]:
    """All runs of all comparisons by name."""
    found = [*detectors(study), *from_nothing(study)] if study.chain == "composites" else []
    for name in CHAINS[study.chain]:
        block = _block(study, name)
        found += contenders(study, name)
        if isinstance(block, Compared):
            found += [run for kind in (*block.kinds, *block.others) for run in tried(study, name, kind).values()]
    return {run.name: run for run in found}


def subjects(study: Any) -> list[str]:
    """What the comparisons of a study's chain compare."""
    return [SUBJECTS[name] for name in CHAINS[study.chain]]


def name_of(run: Run) -> str:
    """The comparison that a run belongs to."""
    return next(name for name, subject in SUBJECTS.items() if subject == run.target)


def _sizes(study: Any, block: Sizes) -> list[Run]:
    """The study's generator of pictures on every number of them, from nothing and by transfer."""
    run = generator(study, "pictures")
    starts = {"": None, **({".transfer": block.init_from} if block.init_from else {})}
    changed = {"training": block.spent(run.training)}
    return [
        run.model_copy(
            update={**changed, "label": f"size{count}{end}", "subset": Subset(count=count), "init_from": start}
        )
        for count in block.counts
        for end, start in starts.items()
    ]


def _combinations(study: Any, block: Sweep) -> list[Run]:
    """The study's generator of pictures with every combination of what a sweep lists."""
    run, made = generator(study, "pictures"), []
    lists = {name: getattr(block, name) for name in SWEPT if getattr(block, name)}
    for values in product(*lists.values()):
        cell = dict(zip(lists, values, strict=True))
        batch = cell.pop("batch", run.training.batch)
        words = [f"batch{batch}"] * ("batch" in lists) + [f"{SWEPT[name]}{value:g}" for name, value in cell.items()]
        training = block.spent(run.training.model_copy(update={"batch": batch}))
        label = ".".join(words).replace("-", "m").replace("+", "p") or "as.it.is"
        made.append(run.model_copy(update={"label": label, "training": training, "settings": run.settings | cell}))
    return made


def at_rate(run: Run, factor: float) -> Run:
    """The same run with all its learning rates times `factor`."""
    scaled = {name: run.settings[name] * factor for name in RATES if run.settings.get(name) is not None}
    return run.model_copy(update={"settings": run.settings | scaled})


def _block(study: Any, name: str) -> Compared | Sizes | Sweep:
    return getattr(study.compare, name)


def _run(block: Compared, target: str, kind: str, seed: int, variant: str) -> Run:
    return Run(
        stage="generate",
        target=target,
        label=f"{kind}.{variant}",
        seed=seed,
        kind=kind,
        settings=block.settings[kind],
        factor=getattr(block, "coarse", {}).get(kind, 1),
        training=block.training,
        compared=True,
    )
