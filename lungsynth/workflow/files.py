"""Where a study's files lie: image sets, trainings, what a training starts from. Rules take their paths from here."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from lungsynth.sets.catalogue import CATALOGUE, EXTRACTORS
from lungsynth.study import models, runs
from lungsynth.study.errors import StudyError
from lungsynth.study.runs import DETAIL, Run
from lungsynth.study.study import Study
from lungsynth.workflow import shipped
from lungsynth.workflow.settings import gives_probability

Wildcards = Any
"""Snakemake's: attributes are strings."""


class Files:
    """The files of one study under results/STUDY/.

    Args:
        study: its settings; trained: its trainings by name.
    """

    def __init__(self, study: Study, trained: Mapping[str, Run]):
        self.study, self.runs = study, trained
        self.root = f"results/{study.study}"
        self.shards = range(study.compose.render.shards)

    def image_set(self, name: str) -> str | list[str]:
        """An image set of the catalogue: one file, or one for each shard."""
        entry = CATALOGUE[name]
        path = f"{self.root}/{entry.file}"
        return [path.format(shard=shard) for shard in self.shards] if entry.sharded else path

    def image_sets(self, *names: str) -> dict[str, str | list[str]]:
        """Image sets by name, as a rule's named inputs."""
        return {name: self.image_set(name) for name in names}

    def tables_of(self, *names: str) -> list[str]:
        """The tables beside image sets that are no shards."""
        return tables(*(self.image_set(name) for name in names if not CATALOGUE[name].sharded))

    def seen_by(self, extractor: str) -> list[str]:
        """The banks that an extractor learns from."""
        return [self.image_set(f"{subject}_fit") for subject, name in EXTRACTORS.items() if name == extractor]

    def run(self, stage: str, wildcards: Wildcards) -> Run:
        """The run that a training's wildcards name.

        Raises:
            StudyError: the study has no such run.
        """
        name = f"{stage}/{wildcards.target}/{wildcards.run}"
        if name not in self.runs:
            raise StudyError(f"{name}: this study trains {', '.join(self.runs)}")
        return self.runs[name]

    def last_state(self, run: Run) -> str:
        """The state at a run's end."""
        return f"{self.root}/{run.state(run.last)}"

    def end_of(self, run: Run) -> str:
        """A run's networks as they are used: its last state, or what it starts from where it has no steps."""
        return self.last_state(run) if run.training.steps else self._first_weights(run.init_from)

    def _first_weights(self, init_from: str) -> str:
        if init_from in self.runs:
            return self.last_state(self.runs[init_from])
        return os.path.relpath(shipped.file_to_start_from(init_from))

    def states_of(self, run: Run) -> list[str]:
        """What a run leaves: its last state (those before may be cleaned away), every verdict and table of losses."""
        if not run.training.steps:
            return []
        folder, pieces = f"{self.root}/{run.name}", range(run.training.checkpoints)
        beside = [f"{folder}/{name}" for k in pieces for name in (f"state-{k}.json", f"losses-{k}.csv")]
        return [self.last_state(run), *beside]

    def before(self, stage: str) -> Callable[[Wildcards], list[str]]:
        """Input function: state and verdict of the checkpoint before the one that the wildcards name, if any."""

        def files(wildcards: Wildcards) -> list[str]:
            run, k = self.run(stage, wildcards), int(wildcards.checkpoint)
            stem = f"{self.root}/{run.name}/state-{k - 1}"
            return [f"{stem}.pt", f"{stem}.json"] if k else []

        return files

    def start(self, stage: str) -> Callable[[Wildcards], list[str]]:
        """Input function: the weights that a run's first checkpoint starts from, where it starts from any."""

        def files(wildcards: Wildcards) -> list[str]:
            run = self.run(stage, wildcards)
            if int(wildcards.checkpoint) or run.init_from is None:
                return []
            return [self._first_weights(run.init_from)]

        return files

    def classes_of(self, drawn_by: Sequence[Run]) -> list[str]:
        """The tables of the banks that give runs their classes; none where they take none."""
        return [f"{self.root}/banks/{run.target}_fit.csv" for run in drawn_by if run.labels is not None]

    def drawn(self) -> Callable[[Wildcards], str]:
        """Input function: the folder that the target `draw` fills.

        A network that is no generator, or none, is refused when the target is asked for.
        """

        def folder(wildcards: Wildcards) -> str:
            name = self.study.draw.network
            if name is None or not (name in models.names() and models.kinds_of(name)):
                able = ", ".join(one for one in models.names() if models.kinds_of(one))
                refuse(f"draw.network: got {name!r}; of models/ these are generators: {able or 'none'}")
            return f"{self.root}/draw/{name}"

        return folder

    def recipes(self) -> list[str]:
        """The recipes of all shipped networks that this study starts from, or is judged by."""
        used = {run.init_from for run in runs.chosen(self.study)} | {self.study.refine.judge}
        names = sorted(used & set(models.names()))
        return [os.path.relpath(models.recipe_path(name)) for name in names]

    def shipped_scores(self) -> list[str]:
        """What lies beside these recipes: how good the generators are, and how near to what they learnt from."""
        beside = [os.path.join(os.path.dirname(path), models.SCORES) for path in self.recipes()]
        return [path for path in beside if os.path.isfile(path)]

    def needing_probability(self, rule: str, state: str) -> str | Callable[[Wildcards], str]:
        """The detector's state, for a rule that needs the probability of every voxel.

        A kind that gives none is refused when the rule is asked for, and other targets go on without it.
        """

        def refused(wildcards: Wildcards) -> str:
            refuse(
                f"{rule} needs the probability of every voxel, and segment.kind {self.study.segment.kind} gives none; "
                "take another kind, or a target that does without"
            )

        return state if gives_probability(self.study) else refused

    def eye_weights(self, rule: str, gate: str) -> Callable[[Wildcards], str]:
        """Input function: the segmenter that a wildcard `eye` sees through: the gate's own, or the judge's."""
        own = self.needing_probability(rule, gate)

        def weights(wildcards: Wildcards) -> str:
            if wildcards.eye == "judge":
                return os.path.relpath(models.weights_path(self.study.refine.judge))
            return own(wildcards) if callable(own) else own

        return weights

    def eye_recipe(self, wildcards: Wildcards) -> list[str]:
        """Input function: the recipe of the judge's segmenter; none for the gate, whose segmenter is the study's."""
        return [os.path.relpath(models.recipe_path(self.study.refine.judge))] if wildcards.eye == "judge" else []

    def of_runs(self, what: str, file: str) -> dict[str, str]:
        """A file of every run's end as named inputs: WHAT_segmenter, _nodules, _normals, _detail, _refiner."""
        names = {"segment": "segmenter", "refine": "refiner"}

        def name(run: Run) -> str:
            return DETAIL if run.kind == DETAIL else names.get(run.stage, run.target)

        return {f"{what}_{name(run)}": f"{self.root}/{run.name}/{file.format(run.last)}" for run in self.runs.values()}


def refuse(line: str) -> NoReturn:
    """End the run with one line. No exception: of one in an input function, Snakemake makes seven lines."""
    print(f"lungsynth: {line}", file=sys.stderr)
    sys.exit(1)


def tables(*paths: str) -> list[str]:
    """The tables beside .npz files. They are inputs too: reading a bank opens both, and an edit of one must be seen."""
    return [f"{path.removesuffix('.npz')}.csv" for path in paths if path.endswith(".npz")]
