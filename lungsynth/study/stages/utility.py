"""Does it help: what is learnt from a synthetic set."""

from typing import Any

from pydantic import Field, model_validator

from lungsynth.study.base import Settings
from lungsynth.study.stages.generate import Labels
from lungsynth.study.training import Training


class Alter(Settings):
    """How the images that a classifier learns from are altered; those that it is tested on never are."""

    shift_px: int = Field(2, ge=0, description="whole pixels an image is moved by at most, to each side")
    grey: float = Field(0.05, ge=0, description="sd of a grey level added to all of an image, of a grey scale of 2")
    mirror: bool = Field(False, description="mirror half of them; not where left and right differ")


class Classify(Settings):
    """The target `evaluate`: classifiers trained on real, on generated and on both, at equal sizes and seeds."""

    kinds: tuple[str, ...] = Field(("resnet",), min_length=1, description="of classifier")
    seeds: int = Field(3, ge=1, le=100, description="of each kind and set: the study's seed, and those after it")
    labels: Labels = Field(
        Labels(column="diameter_mm", cuts=(8,)),
        description="classes of nodules, by a column of their bank; pictures have those of their folders",
    )
    training: Training = Training(steps=200, checkpoints=1, batch=32)
    alter: Alter = Alter()
    settings: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="of single kinds by name, where they are not the kinds' own"
    )

    @model_validator(mode="after")
    def _can_be_trained(self):
        if double := sorted({name for name in self.kinds if self.kinds.count(name) > 1}):
            raise ValueError(f"kinds names {', '.join(double)} twice; once is enough")
        if strange := sorted(set(self.settings) - set(self.kinds)):
            raise ValueError(f"settings: {', '.join(strange)} is not trained; kinds names {', '.join(self.kinds)}")
        if self.training.checkpoints != 1:
            raise ValueError("training.checkpoints must be 1: a classifier is trained in one piece")
        if not self.training.steps:
            raise ValueError("training.steps must be 1 at least: a classifier starts from nothing")
        return self


class Utility(Settings):
    """What a synthetic set is good for."""

    classify: Classify = Classify()
