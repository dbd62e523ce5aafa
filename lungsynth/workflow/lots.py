"""Where the composites of a comparison of whole slices lie, the chain's and its own, and what they are made of."""

from collections.abc import Callable

from lungsynth.compare.composites import LOTS
from lungsynth.sets.catalogue import targets
from lungsynth.study import comparison
from lungsynth.workflow.files import LUNGS, Files, Wildcards

Inputs = dict[str, str | list[str]]


def folder(files: Files) -> str:
    """Of composites by networks that the comparison has trained from nothing."""
    return f"{files.root}/compare/{LUNGS}/from_nothing"


def composites(files: Files) -> Callable[[Wildcards], Inputs]:
    """Input function: the composites of a lot, and what says where they come from."""

    def inputs(wildcards: Wildcards) -> Inputs:
        lot = LOTS[wildcards.lot]
        if lot.from_nothing:
            return {"stage": [f"{folder(files)}/{lot.stage}.npy"], "about": [f"{folder(files)}/about.json"]}
        rows = [f"{files.root}/compose/shards/{shard}.parquet" for shard in files.shards]
        pools = {name: f"{files.root}/compose/{name}.csv" for name in ("normals", "nodules")}
        return {"stage": files.image_set(f"lesions_{lot.stage}"), "rows": rows, **pools}

    return inputs


def networks(files: Files) -> Inputs:
    """The networks from nothing that draw nodules and normals, with their verdicts, as named inputs."""
    drawing = comparison.from_nothing(files.study)[:-1]
    states = {name: [files.last_state(run) for run in drawing if run.target == name] for name in targets("composites")}
    return {**states, "verdicts": [path for run in drawing for path in files.last_verdict(run)]}


def learnt_by_refiner(files: Files) -> Callable[[Wildcards], Inputs]:
    """Input function: what a refiner learns from: the chain's composites, or the comparison's own, with masks."""

    def inputs(wildcards: Wildcards) -> Inputs:
        images = files.image_set("lesions_composite")
        if comparison.is_from_nothing(files.run("refine", wildcards)):
            images = [f"{folder(files)}/composite.npy"]
        return {"composites": images, "masks": [f"{path.removesuffix('.npy')}_masks.npy" for path in images]}

    return inputs


def differences(files: Files) -> Callable[[Wildcards], list[str]]:
    """Input function: who is nearer to real images than the two stages, where a comparison shows these."""
    return lambda wildcards: [f"{files.root}/compare/{LUNGS}/differences.csv"] if wildcards.compared == LUNGS else []
