"""What a comparison notes of each contender, as plain values."""

from collections.abc import Mapping, Sequence
from typing import Any

from lungsynth.study.comparison import COMPARED
from lungsynth.study.runs import Run


def facts(
    run: Run,
    verdict: Sequence[Mapping[str, Any]],
    rate: float,
    parameters: Mapping[str, int],
    scores: Sequence[Mapping[str, Any]],
    wrong: str = "",
) -> dict[str, Any]:
    """Of a run: kind, name, what it spent, its scores, and a note on what is special or wrong.

    Args:
        verdict: of its last checkpoint; none where the study does not train it.
        rate: the factor on its learning rates.
        parameters: `generator` and `critic`.
        wrong: why there are no scores.
    """
    told = verdict[0] if verdict else {"step": 0, "spoilt": False}
    note = told["verdict"] if told["spoilt"] else wrong
    if run.compared and run.factor > 1:
        small = f"draws one pixel for {run.factor} x {run.factor}, and is enlarged"
        note = f"{note}; {small}" if note else small
    return {
        "kind": run.label.removesuffix(f".{COMPARED}") if run.compared else f"{run.kind}, as the study draws",
        "run": f"{run.label}-{run.seed}",
        "steps": told["step"],
        "images": told["step"] * run.training.batch,
        "rate": rate,
        "verdict": told["verdict"] if verdict else "",
        "note": f"starts from {run.init_from}" if run.init_from and not note else note,
        **parameters,
        "scores": list(scores),
    }


def facts_of_composites(
    kind: str,
    run: str,
    real_backgrounds: float,
    scores: Sequence[Mapping[str, Any]],
    wrong: str = "",
    spent: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Of composites, which no single network draws: the share of them that lies on a real slice.

    Args:
        spent: `spent_by` their networks, where the comparison has trained them.
    """
    return {
        "kind": kind,
        "run": run,
        "steps": None,
        "images": None,
        "rate": None,
        "generator": None,
        "critic": None,
        "note": wrong,
        "real_backgrounds": real_backgrounds,
        "scores": list(scores),
        **(spent or {}),
    }


def spent_by(runs: Sequence[Run], sizes: Sequence[Mapping[str, int]]) -> dict[str, Any]:
    """What several networks have spent together: images, parameters, and the trainings whose times are to be added.

    Args:
        sizes: of each, `generator` and `critic`.
    """
    return {
        "images": sum(run.training.steps * run.training.batch for run in runs),
        **{side: sum(one[side] for one in sizes) for side in ("generator", "critic")},
        "trained": [[run.stage, run.target, f"{run.label}-{run.seed}"] for run in runs],
    }
