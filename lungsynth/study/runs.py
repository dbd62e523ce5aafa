"""Trainings by name. A run is called STAGE/TARGET/LABEL-SEED, and its files lie in the folder of that name."""

from typing import Any

from pydantic import Field

from lungsynth.study import models
from lungsynth.study.base import Settings, paths
from lungsynth.study.errors import StudyError
from lungsynth.study.stages.generate import DetailSettings, Labels
from lungsynth.study.stages.refine import CycleGanSettings
from lungsynth.study.training import Training

LABEL = r"[a-z0-9][a-z0-9_.]*"


class Subset(Settings):
    """The part of a bank that a run learns from."""

    label: str | None = Field(None, description="the class of its images; null: all")
    count: int | None = Field(None, ge=1, description="of them, by a seeded draw in which smaller parts lie in larger")


class Run(Settings):
    """One training: what is trained, on what, how, and from where it starts.

    Everything that its bytes depend on besides the data and the code stands in it, whatever part of the study asked
    for it, so that the chain and a comparison share a run that both want.
    """

    stage: str = Field(description="room of the library: segment, generate, refine, features")
    target: str = Field(description="what it learns from, or makes: nodules, normals, composites")
    label: str = Field(pattern=rf"^{LABEL}$", description="its kind, or a name for a variant of it")
    seed: int = Field(ge=0, description="its random numbers descend from it")
    kind: str = Field(description="architecture, a folder of the stage's kinds")
    settings: dict[str, Any] = Field(default_factory=dict, description="the kind's own")
    factor: int = Field(1, ge=1, description="its images are means over so many pixels along each side")
    training: Training = Training()
    init_from: str | None = Field(
        None, description="a folder of models/ or one laid out so, another run, or a file of weights"
    )
    compared: bool = Field(
        False,
        description="of a comparison: it takes all its steps whatever the monitor says, and a spoilt end is a result",
    )
    labels: Labels | None = Field(None, description="where the classes of its images stand, if it learns by class")
    subset: Subset | None = Field(None, description="of the bank that it learns from; null: all of it")

    @property
    def name(self) -> str:
        """STAGE/TARGET/LABEL-SEED: its folder under results/STUDY/, and the name of its random numbers."""
        return f"{self.stage}/{self.target}/{self.label}-{self.seed}"

    @property
    def reads_classes(self) -> bool:
        """Whether its bank's table must be read to know its classes."""
        by_folder = self.target == "pictures" and self.stage == "features"
        return self.labels is not None or by_folder or bool(self.subset and self.subset.label is not None)

    @property
    def last(self) -> int:
        """The number of its last checkpoint."""
        return self.training.checkpoints - 1

    def state(self, checkpoint: int) -> str:
        """A checkpoint's file, under results/STUDY/."""
        return f"{self.name}/state-{checkpoint}.pt"


def by_name(runs: list[Run]) -> dict[str, Run]:
    """Runs by name; one that several parts of a study ask for stands in it once.

    Raises:
        StudyError: two runs of one name differ, or a name leaves room for doubt.
    """
    named: dict[str, Run] = {}
    for run in runs:
        other = named.setdefault(run.name, run)
        if other != run:
            raise StudyError(
                f"{run.name}: two runs of this name differ in {_difference(run, other)}; label one of them"
            )
    return named


def _difference(one: Run, other: Run) -> str:
    """The keys in which two runs differ, with both values."""
    left, right = (
        {path: value for path, value in paths(run.model_dump(mode="json")) if not isinstance(value, dict)}
        for run in (one, other)
    )
    names = sorted(name for name in {*left, *right} if left.get(name) != right.get(name))
    return ", ".join(f"{name} ({right.get(name)!r} and {left.get(name)!r})" for name in names)


def runs_of(study: Any) -> dict[str, Run]:
    """All trainings that a study asks for, by name.

    Raises:
        StudyError: two runs of one name differ; `init_from` names neither a run, nor a shipped network, nor a file.
    """
    return by_name([run for run in chosen(study) if run.training.steps])


def chosen(study: Any) -> list[Run]:
    """The runs behind all networks of the chain, those of no steps too, which are used as `init_from` has them."""
    if study.chain == "pictures":
        return drawn_by(study, "pictures")
    return [segmenter(study), *drawn_by(study, "nodules"), *drawn_by(study, "normals"), refiner(study)]


def segmenter(study: Any) -> Run:
    """The run that trains the study's segmenter; one of no steps is none, init_from is used as it is."""
    run = _of_block("segment", "nodules", study.segment, study.seed)
    return run.model_copy(update={"settings": study.segment.detector.model_dump(mode="json", exclude={"kind"})})


VOLUMETRIC = "volumetric"
"""Kind and label of the run of the network that judges candidates in three dimensions."""
CUBES = "cubes"
"""What that run learns from."""
OUTLINES = "outlines"
"""Kind and label of the run of the network that outlines candidates."""
BODIES = "bodies"
"""What that run learns from."""


def volumetric(study: Any) -> Run:
    """The run that trains a network for candidates in three dimensions, for whoever asks for it: the chain does not."""
    return _of_candidates(study, study.segment.volumetric, CUBES, VOLUMETRIC, ("network",))


def outlines(study: Any) -> Run:
    """The run that trains a network that outlines candidates, for whoever asks for it: the chain does not."""
    return _of_candidates(study, study.segment.outlines, BODIES, OUTLINES, ("network", "invented", "whole", "warmup"))


def _of_candidates(study: Any, block: Any, target: str, label: str, keys: tuple[str, ...]) -> Run:
    return Run(
        stage="segment",
        target=target,
        label=label,
        seed=study.seed,
        kind=label,
        settings=block.model_dump(mode="json", include={*keys, "learning_rate", "weight_decay"}),
        training=block.training,
    )


CLASS = "class"
"""Column of a bank of pictures: the folder that each lies in."""


def folders(study: Any) -> Labels:
    """The folders of pictures as classes, in the study's order where it names two or more."""
    names = study.pictures.classes
    return Labels(column=CLASS, names=names if len(names) > 1 else None)


def _of_class(study: Any, place: int, name: str) -> Run:
    """The run of the generator of one class of pictures; a class's name may be no part of a file's."""
    run = generator(study, "pictures")
    return run.model_copy(
        update={
            "label": f"{run.kind}.class{place}",
            "subset": Subset(label=name, count=run.subset.count if run.subset else None),
        }
    )


DETAIL = "detail"
"""Kind and label of the detail network's run."""


def drawn_by(study: Any, target: str) -> list[Run]:
    """The runs behind the images of a target: its generator's, and its detail network's where it has one.

    Of pictures, one of each class where a study asks for that.
    """
    if target == "pictures" and study.generate.pictures.classes == "runs":
        return [_of_class(study, place, name) for place, name in enumerate(study.pictures.classes)]
    detail = _detail(study, target)
    return [generator(study, target), *([detail] if detail else [])]


def generator(study: Any, target: str) -> Run:
    """The run whose generator the chain samples for a target: nodules, normals, or pictures."""
    block = getattr(study.generate, target)
    run = _of_block("generate", target, block, study.seed)
    if target == "pictures" and block.count is not None:
        run = run.model_copy(update={"subset": Subset(count=block.count)})
    if target == "pictures" and block.classes == "labels" and run.labels is None:
        run = run.model_copy(update={"labels": folders(study)})
    return run.model_copy(update={"factor": block.detail.factor}) if hasattr(block, "detail") else run


def _detail(study: Any, target: str) -> Run | None:
    """The run of a target's detail network, where there is a second scale."""
    block = getattr(getattr(study.generate, target), "detail", None)
    if block is None or block.factor == 1:
        return None
    return Run(
        stage="generate",
        target=target,
        label=DETAIL,
        seed=study.seed,
        kind=DETAIL,
        settings=block.model_dump(mode="json", include=set(DetailSettings.model_fields)) | {"factor": block.factor},
        training=block.training,
        init_from=block.init_from or _with_detail(getattr(study.generate, target).init_from, target),
    )


def _with_detail(name: str | None, target: str) -> str | None:
    """The shipped folder that a generator starts from, where it holds a detail network too."""
    if not models.is_network(name):
        return None
    return name if DETAIL in models.recipe_of(name).get("generate", {}).get(target, {}) else None


def _of_block(stage: str, target: str, block: Any, seed: int) -> Run:
    """The run of a block with kinds: labelled by its kind."""
    return Run(
        stage=stage,
        target=target,
        label=block.kind,
        seed=seed,
        kind=block.kind,
        settings=block.block(),
        training=block.training,
        init_from=block.init_from,
        labels=getattr(block, "labels", None),
    )


def extractor(study: Any, name: str) -> Run:
    """The run that trains the extractor of a name: nodules, or slices."""
    block = study.features
    made = {"kind": block.kind, "settings": block.block(), "training": block.training}
    return Run(stage="features", target=name, label=block.kind, seed=study.seed, **made)


def refiner(study: Any) -> Run:
    """The run that refines the chain's composites."""
    block = study.refine
    return Run(
        stage="refine",
        target="composites",
        label="cyclegan",
        seed=study.seed,
        kind="cyclegan",
        settings=block.model_dump(mode="json", include=set(CycleGanSettings.model_fields)),
        training=block.training,
        init_from=block.init_from,
    )
