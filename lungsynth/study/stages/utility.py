"""Does it help: what people and classifiers make of the synthetic images."""

from typing import Literal

from pydantic import Field, model_validator

from lungsynth.study.base import Settings


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


class Utility(Settings):
    """Who looks at the images, and what for."""

    reader: Reader = Reader()
