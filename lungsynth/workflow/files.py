"""Where a study's files lie: image sets, trainings, what a training starts from. Rules take their paths from here."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from lungsynth.compare.composites import LOTS
from lungsynth.sets.catalogue import CATALOGUE, EXTRACTORS, targets
from lungsynth.study import comparison, evaluation, models, runs
from lungsynth.study.errors import StudyError
from lungsynth.study.runs import DETAIL, Run
from lungsynth.study.study import Study
from lungsynth.workflow import shipped
from lungsynth.workflow.settings import check_classified, check_compared, gives_probability
from lungsynth.workflow.sources import under_data

CHOSEN, CHOICE = "chosen.pt", "state.json"
"""In a generator's folder: a copy of the state that draws, and why it was taken."""
LUNGS = "lungs"
TABLES = (".csv", "_scores.csv", "_claims.csv", ".html")
DETECTOR_TABLES = (".csv", "_runs.csv", "_groups.csv", "_differences.csv", "_claims.csv", ".html")
"""What a comparison leaves."""
Wildcards = Any
"""Snakemake's: attributes are strings."""


class Files:
    """The files of one study under results/STUDY/.

    Args:
        study: its settings; trained: the chain's trainings by name; compared: those of comparisons, and
            classifiers.
    """

    def __init__(self, study: Study, trained: Mapping[str, Run], compared: Mapping[str, Run] | None = None):
        self.study, self.runs, self.compared = study, trained, compared or {}
        self.judge, self.outlines = runs.volumetric(study), runs.outlines(study)
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
        if name in self.compared:
            return self.compared[name]
        for run in (self.judge, self.outlines):
            if name == run.name:
                return run
        if name not in self.runs:
            raise StudyError(f"{name}: this study trains {', '.join(self.runs)}")
        return self.runs[name]

    def last_state(self, run: Run) -> str:
        """The state at a run's end."""
        return f"{self.root}/{run.state(run.last)}"

    def last_verdict(self, run: Run) -> list[str]:
        """The verdict beside it; none of a network that the study does not train."""
        return [f"{self.root}/{run.name}/state-{run.last}.json"] if run.training.steps else []

    def losses_of(self, drawn_by: Sequence[Run], what: str = "losses") -> list[str]:
        """The tables of losses, or of slopes, at the ends of runs; none of those that are not trained."""
        return [f"{self.root}/{run.name}/{what}-{run.last}.csv" for run in drawn_by if run.training.steps]

    def comparison(self, name: str) -> Callable[[Wildcards], list[str]]:
        """Input function: the tables and the page of a comparison.

        One with a kind that cannot make such images is refused when the target is asked for.
        """

        def files(wildcards: Wildcards) -> list[str]:
            try:
                check_compared(self.study, name)
            except StudyError as error:
                refuse(str(error))
            ends = DETECTOR_TABLES if name == comparison.DETECTORS else TABLES
            return [f"{self.root}/compare/{name}{end}" for end in ends]

        return files

    def evaluated(self, wanted: Sequence[str]) -> Callable[[Wildcards], Sequence[str]]:
        """Input function: what the target `evaluate` leaves.

        A kind of classifier that cannot take the images is refused when the target is asked for. Pictures of one class,
        or drawn without being told theirs, leave classifiers nothing to learn: they are scored alone.
        """

        def files(wildcards: Wildcards) -> Sequence[str]:
            if self.study.chain == "pictures" and not self.tells_classes:
                return []
            try:
                check_classified(self.study)
            except StudyError as error:
                refuse(str(error))
            return wanted

        return files

    @property
    def tells_classes(self) -> bool:
        """Whether generated pictures are of two classes or more, so that `all` asks classifiers about them."""
        pictures = self.study.chain == "pictures" and self.study.generate.pictures.classes != "none"
        return pictures and len(self.study.pictures.classes) > 1

    def scored_pictures(self) -> list[str]:
        """What else `evaluate` leaves of pictures: their scores, at the end and along the training."""
        names = ("scores", "differences", "checkpoints") if self.study.chain == "pictures" else ()
        return [f"{self.root}/score/{name}.csv" for name in names]

    def to_classify(self, wildcards: Wildcards) -> dict[str, str | list[str]]:
        """Input function: the image sets that classifiers see; the generated one is what selection has left."""
        roles = {"fit": "fit", "generated": "selected", "test": "test"}
        found = {name: self.image_set(f"{wildcards.target}_{role}") for name, role in roles.items()}
        return {**found, "beside": tables(*found.values())}

    def of_classifiers(self, name: str) -> list[str]:
        """A file of every classifier that the study trains."""
        return [f"{self.root}/{run.name}/{name}" for run in evaluation.classifiers(self.study)]

    def contexts(self, wildcards: Wildcards) -> list[str]:
        """Input function: what a checkpoint of a detector learns from; its own hard negatives from the second on."""
        run = self.run("segment", wildcards)
        hard = f"{self.root}/{run.name if run.compared else 'segment'}/hard_windows.npz"
        return [f"{self.root}/segment/windows.npz", hard][: int(wildcards.checkpoint) + 1]

    def compared_detectors(self, end: str, baseline: bool = True) -> list[str]:
        """A file of every run of the comparison of detectors, and of the baseline where it has one."""
        names = [f"{run.label}-{run.seed}" for run in comparison.detectors(self.study)]
        names += [comparison.BASELINE] if baseline else []
        return [f"{self.root}/compare/{comparison.DETECTORS}/{name}{end}" for name in names]

    def of_folds(self, *files: str) -> Callable[[Wildcards], list[str]]:
        """Input function: files of this study (under its folder), of every study whose test scans are pooled.

        A study that has not compared its detectors is refused: this run cannot make its files.
        """

        def found(wildcards: Wildcards) -> list[str]:
            folds = self.study.compare.detectors.folds
            if not folds:
                refuse("compare.detectors.folds: is empty; name the studies whose test scans are pooled")
            paths = [file.replace(self.root, f"results/{name}", 1) for name in folds for file in files]
            own = f"{self.root}/"
            if missing := next((path for path in paths if not path.startswith(own) and not Path(path).exists()), None):
                name = missing.split("/")[1]
                refuse(
                    f"compare.detectors.folds: {missing} is missing; run compare_detectors of the study {name} first, "
                    "with the same seed, seeds and kinds"
                )
            return paths

        return found

    def compared_detector(self, wildcards: Wildcards) -> Run:
        """The run that a comparison of detectors names."""
        return self.compared[f"segment/nodules/{wildcards.run}"]

    def contenders(self, end: str) -> Callable[[Wildcards], list[str]]:
        """Input function: a file of everything that a comparison shows."""
        return lambda wildcards: self.shown(wildcards.compared, end)

    def shown(self, name: str, end: str) -> list[str]:
        """A file of everything that a comparison shows: its runs, the chain's generator, composites."""
        lots = composites_shown(self.study) if name == LUNGS else []
        names = [*(run.name.rpartition("/")[2] for run in self._shown(name)), *lots]
        return [f"{self.root}/compare/{name}/{one}{end}" for one in names]

    def rates(self, wildcards: Wildcards) -> list[str]:
        """Input function: what the search of rates found for each kind of a comparison."""
        return sorted({file for run in self._shown(wildcards.compared) for file in self.rate_of(run)})

    def _shown(self, name: str) -> list[Run]:
        return [*comparison.contenders(self.study, name), *comparison.own(self.study, name)]

    def compared_bank(self, role: str) -> Callable[[Wildcards], str | list[str]]:
        """Input function: the bank of a role that a comparison stands on."""
        return lambda wildcards: self.image_set(f"{comparison.SUBJECTS[wildcards.compared]}_{role}")

    def contender(self, wildcards: Wildcards) -> Run:
        """The run that a comparison's wildcards name: one of its own, or the chain's generator."""
        name = f"generate/{comparison.SUBJECTS[wildcards.compared]}/{wildcards.run}"
        chain = {run.name: run for run in comparison.own(self.study, wildcards.compared)}
        return {**chain, **self.compared}[name]

    def contender_state(self, wildcards: Wildcards) -> str:
        """The state that draws for it."""
        run = self.contender(wildcards)
        return self.end_of(run) if run.compared else self.drawing(run.target)[0]

    def end_of(self, run: Run) -> str:
        """A run's networks as they are used: its last state, or what it starts from where it has no steps."""
        return self.last_state(run) if run.training.steps else self._first_weights(run.init_from)

    def drawing(self, target: str) -> list[str]:
        """The networks that draw for a target: its generator's state that `use` names, the ends of the others."""
        generator, *rest = runs.drawn_by(self.study, target)
        chosen = getattr(self.study.generate, target).use != "last"
        state = f"{self.root}/{generator.name}/{CHOSEN}" if chosen else self.end_of(generator)
        return [state, *map(self.end_of, rest)]

    def choices(self) -> list[str]:
        """What choosing among states leaves, of the generators whose setting `use` asks for it."""
        chosen = [target for target in targets(self.study.chain) if getattr(self.study.generate, target).use != "last"]
        states = [self.drawing(target)[0] for target in chosen]
        return [file for state in states for file in (state, f"{os.path.dirname(state)}/{CHOICE}")]

    def to_choose_from(self, wildcards: Wildcards) -> dict[str, list[str] | str]:
        """Input function: all states of a generator with their verdicts, and what scores them; never a test image."""
        run, target = self.run("generate", wildcards), wildcards.target
        states = [f"{self.root}/{run.state(k)}" for k in range(run.training.checkpoints)]
        found: dict[str, list[str] | str] = {"states": states}
        found["verdicts"] = [f"{state.removesuffix('.pt')}.json" for state in states]
        if getattr(self.study.generate, target).use == "best_kid":
            tune = f"{target}_tune"
            found |= {"tune": self.image_set(tune), "beside": self.tables_of(tune), "detail": self.drawing(target)[1:]}
            found["extractor"] = f"{self.root}/features/{EXTRACTORS[target]}.safetensors"
            found["learnt"] = self.classes_of([run])
        return found

    def _first_weights(self, init_from: str) -> str:
        if init_from in self.runs:
            return self.last_state(self.runs[init_from])
        return os.path.relpath(shipped.file_to_start_from(init_from))

    def states_of(self, run: Run) -> list[str]:
        """What a run leaves: its last state (those before may be cleaned away), every verdict, losses and slopes."""
        if not run.training.steps:
            return []
        folder, pieces = f"{self.root}/{run.name}", range(run.training.checkpoints)
        names = ("state-{}.json", "losses-{}.csv", "slopes-{}.csv")
        beside = [f"{folder}/{name.format(k)}" for k in pieces for name in names]
        return [self.last_state(run), *beside]

    def every_state(self, target: str, end: str = ".pt") -> list[str]:
        """A file of every checkpoint of the generators of a target, run by run: states, or with ".json" verdicts.

        Weights that are used as they are count as one state, which has no verdict.
        """
        found = []
        for run in runs.drawn_by(self.study, target):
            stems = [run.state(k).removesuffix(".pt") for k in range(run.training.checkpoints)]
            if run.training.steps:
                found += [f"{self.root}/{stem}{end}" for stem in stems]
            elif end == ".pt":
                found.append(self.end_of(run))
        return found

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

    def rate(self, wildcards: Wildcards) -> list[str]:
        """Input function: what says at which rate the run of the wildcards trains, where rates are tried for it."""
        return self.rate_of(self.run("generate", wildcards))

    def rate_of(self, run: Run) -> list[str]:
        """The file with the rate that a run trains at, where rates are tried for it."""
        if not run.label.endswith(f".{comparison.COMPARED}"):
            return []
        name = comparison.name_of(run)
        searched = comparison.tried(self.study, name, run.kind)
        return [f"{self.root}/compare/{name}/rates/{run.kind}.json"] if searched else []

    def classes_of(self, drawn_by: Sequence[Run]) -> list[str]:
        """The tables of the banks that give runs their classes; none where they take none."""
        return [f"{self.root}/banks/{run.target}_fit.csv" for run in drawn_by if run.reads_classes]

    @property
    def released(self) -> Sequence[str]:
        """The targets whose generators `release_generators` writes; of pictures there is one."""
        return targets("pictures") if self.study.chain == "pictures" else self.study.generate.release

    def drawn(self) -> Callable[[Wildcards], str]:
        """Input function: the folder that the target `draw` fills.

        A network that is no generator, or none, is refused when the target is asked for.
        """

        def folder(wildcards: Wildcards) -> str:
            name = self.study.draw.network
            try:
                draws = models.is_network(name) and models.kinds_of(name)
            except StudyError as error:
                refuse(str(error))
            if not draws:
                able = ", ".join(one for one in models.names() if models.kinds_of(one))
                refuse(
                    f"draw.network: got {name!r}; of models/ these are generators: {able or 'none'}; a path must lead "
                    f"to a folder with {models.WEIGHTS} and {models.RECIPE} of one"
                )
            return f"{self.root}/draw/{models.label_of(name)}"

        return folder

    def drawing_from(self, wildcards: Wildcards) -> str:
        """The network that the wildcard `network` means, as settings name it: `draw.network`, or one of models/."""
        name = self.study.draw.network
        return name if name and models.label_of(name) == wildcards.network else wildcards.network

    def card(self, wildcards: Wildcards) -> list[str]:
        """Input function: the card of the network that draws, to which its images' datasheet points; none without."""
        path = models.folder_of(self.drawing_from(wildcards)) / models.CARD
        return [os.path.relpath(path)] if path.is_file() else []

    def recipes(self) -> list[str]:
        """The recipes of all shipped networks that this study starts from, or is judged by."""
        used = {run.init_from for run in runs.chosen(self.study)}
        if self.study.chain == "pictures":
            used.add(self.study.compare.sizes.init_from)
        else:
            segment = self.study.segment
            used |= {*self.study.refine.eyes.values(), segment.volumetric.init_from, segment.outlines.init_from}
        return sorted({path for start in used for path in self._recipe_of(start)})

    def earlier(self, *made_by: Run) -> list[str]:
        """The recipes of the shipped networks that runs start from, be it by way of other runs of the study."""
        found = set()
        for run in made_by:
            between = self.runs.get(run.init_from)
            found |= set(self.earlier(between) if between else self._recipe_of(run.init_from))
        return sorted(found)

    def _recipe_of(self, start: str | None) -> list[str]:
        """The recipe of a shipped network, or the one that lies beside a file of released weights."""
        if models.is_network(start):
            return [os.path.relpath(models.recipe_path(start))]
        if start is None or Path(start).suffix != Path(models.WEIGHTS).suffix:
            return []
        beside = Path(start).with_name(models.RECIPE)
        return [os.path.relpath(beside)] if beside.is_file() else []

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

    def eye_weights(self, rule: str, own: str) -> Callable[[Wildcards], str]:
        """Input function: the segmenter that a wildcard `eye` sees through: the study's `own`, or one that ships."""
        own_state = self.needing_probability(rule, own)

        def weights(wildcards: Wildcards) -> str:
            if name := self.study.refine.eyes[wildcards.eye]:
                return os.path.relpath(models.weights_path(name))
            return own_state(wildcards) if callable(own_state) else own_state

        return weights

    def eye_recipe(self, wildcards: Wildcards) -> list[str]:
        """Input function: the recipe of the segmenter that an eye sees through, where that one ships."""
        name = self.study.refine.eyes[wildcards.eye]
        return [os.path.relpath(models.recipe_path(name))] if name else []

    def blind_sides(self) -> dict[str, str | list[str]]:
        """What a blind test shows as named inputs: real pictures, of test patients, and generated ones, as released."""
        if self.study.chain == "pictures":
            real, generated = self.image_set("pictures_test"), self.image_set("pictures_selected")
            return {"real": real, "generated": generated, "beside": tables(real, generated)}
        real = self.image_set("lesions_test")
        released = [f"{self.root}/export/{shard}-images.parquet" for shard in self.shards]
        generated = self.image_set("lesions_refined")
        return {"real": real, "generated": generated, "released": released, "beside": tables(real)}

    def reader_answers(self, wildcards: Wildcards) -> list[str]:
        """Input function: the files with readers' answers. Where there are none, it is said when they are asked for."""
        named = self.study.utility.reader.answers
        folder = under_data(named) if named else Path(self.root, "reader", "answers")
        if not folder.is_dir():
            refuse(f"utility.reader.answers: there is no folder {folder}; put the readers' .csv files into it")
        found = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".csv" and path.name[0] not in ".~")
        if not found:
            refuse(f"utility.reader.answers: {folder} holds no .csv file; put the readers' answers into it")
        for path in found:
            if set("{}") & set(str(path)):
                refuse(f"{path}: Snakemake takes braces in a name for a wildcard; rename the file")
        return [str(path) for path in found]

    def of_runs(self, what: str, file: str) -> dict[str, str]:
        """A file of every run's end as named inputs: WHAT_segmenter, _nodules, _normals, _detail, _refiner."""
        names = {"segment": "segmenter", "refine": "refiner"}

        def name(run: Run) -> str:
            return DETAIL if run.kind == DETAIL else names.get(run.stage, run.target)

        return {f"{what}_{name(run)}": f"{self.root}/{run.name}/{file.format(run.last)}" for run in self.runs.values()}


def composites_shown(study: Study) -> list[str]:
    """The lots of composites that a comparison of whole slices shows."""
    return [key for key, lot in LOTS.items() if study.compare.lungs.from_nothing or not lot.from_nothing]


def refuse(line: str) -> NoReturn:
    """End the run with one line. No exception: of one in an input function, Snakemake makes seven lines."""
    print(f"lungsynth: {line}", file=sys.stderr)
    sys.exit(1)


def tables(*paths: str) -> list[str]:
    """The tables beside .npz files. They are inputs too: reading a bank opens both, and an edit of one must be seen."""
    return [f"{path.removesuffix('.npz')}.csv" for path in paths if path.endswith(".npz")]
