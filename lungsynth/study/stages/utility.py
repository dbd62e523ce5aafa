"""Does it help: what people and classifiers make of the synthetic images."""

from typing import Any, Literal

from pydantic import Field, model_validator

from lungsynth.study.base import Settings
from lungsynth.study.stages.generate import Labels
from lungsynth.study.training import Training


class Reader(Settings):
    """The blind test: real or generated? The targets `reader` and `score_reader`."""

    orientation: int = Field(20, ge=0, le=200, description="pictures shown first, with their truth beside them")
    real: int = Field(50, ge=1, le=1000, description="real pictures among the questions")
    generated: int = Field(50, ge=1, le=1000, description="generated pictures among them")
    window_hu: tuple[float, float] = Field((-1350, 150), description="of the first look at CT; pictures have none")
    confidence: bool = Field(True, description="ask how sure the reader is, 1 to 5; may be passed over")
    answers: str | None = Field(
        None, description="folder of readers' answers under LUNGSYNTH_DATA; null: reader/answers of the results"
    )
    positive: Literal["generated", "real"] = Field(
        "generated", description="the class that precision and recall are about"
    )

    @property
    def labelled(self) -> tuple[int, int]:
        """Real and generated pictures among the orientation's, in the questions' proportion."""
        real = round(self.orientation * self.real / (self.real + self.generated))
        return real, self.orientation - real

    @model_validator(mode="after")
    def _window_opens(self):
        if self.window_hu[0] >= self.window_hu[1]:
            raise ValueError(f"window_hu must rise, got {list(self.window_hu)}")
        return self


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
    """Who looks at the images, and what for."""

    reader: Reader = Reader()
    classify: Classify = Classify()
