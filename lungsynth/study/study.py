"""The whole study: what config.yaml and its overlays say, validated and frozen."""

from typing import Literal

from pydantic import Field, model_validator

from lungsynth.study.base import Settings
from lungsynth.study.stages.banks import Banks, Features
from lungsynth.study.stages.cohort import Cohort, Image
from lungsynth.study.stages.compare import Compare
from lungsynth.study.stages.compose import Compose
from lungsynth.study.stages.generate import Draw, Generate, Monitor
from lungsynth.study.stages.pictures import Pictures
from lungsynth.study.stages.refine import Refine
from lungsynth.study.stages.score import Release, Score
from lungsynth.study.stages.segment import Segment
from lungsynth.study.stages.utility import Utility


class Study(Settings):
    """All settings of a run; see config.yaml, where every key is explained."""

    study: str = Field("demo", pattern=r"^[a-z0-9][a-z0-9_-]*$", description="the folder under results/")
    seed: int = Field(2023, ge=0, description="every random number descends from it, by name")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="cuda where there is one")
    chain: Literal["composites", "pictures"] = Field(
        "composites", description="chest CT to composites with lesions, or folders of single pictures"
    )
    cohort: Cohort = Cohort()
    pictures: Pictures = Pictures()
    image: Image = Image()
    segment: Segment = Segment()
    banks: Banks = Banks()
    features: Features = Features()
    generate: Generate = Generate()
    draw: Draw = Draw()
    monitor: Monitor = Monitor()
    compose: Compose = Compose()
    refine: Refine = Refine()
    score: Score = Score()
    compare: Compare = Compare()
    utility: Utility = Utility()
    release: Release = Release()

    @model_validator(mode="after")
    def _refiner_crop_fits(self):
        if self.chain != "composites":
            return self
        crop, size = self.refine.objective.crop_px, self.image.size_px
        if crop > size:
            raise ValueError(f"refine.objective.crop_px {crop} is larger than image.size_px {size}")
        if self.image.size_px % 4:
            raise ValueError(f"image.size_px {self.image.size_px}: the refiner halves it twice, take a multiple of 4")
        return self
