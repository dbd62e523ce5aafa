"""The whole study: what config.yaml and its overlays say, validated and frozen."""

from typing import Literal

from pydantic import Field, model_validator

from lungsynth.study import stages
from lungsynth.study.base import Settings


class Study(Settings):
    """All settings of a run; see config.yaml, where every key is explained."""

    study: str = Field("demo", pattern=r"^[a-z0-9][a-z0-9_-]*$", description="the folder under results/")
    seed: int = Field(2023, ge=0, description="every random number descends from it, by name")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="cuda where there is one")
    cohort: stages.Cohort = stages.Cohort()
    image: stages.Image = stages.Image()
    segment: stages.Segment = stages.Segment()
    banks: stages.Banks = stages.Banks()
    features: stages.Features = stages.Features()
    generate: stages.Generate = stages.Generate()
    monitor: stages.Monitor = stages.Monitor()
    compose: stages.Compose = stages.Compose()
    refine: stages.Refine = stages.Refine()
    score: stages.Score = stages.Score()
    release: stages.Release = stages.Release()

    @model_validator(mode="after")
    def _refiner_crop_fits(self):
        crop, size = self.refine.objective.crop_px, self.image.size_px
        if crop > size:
            raise ValueError(f"refine.objective.crop_px {crop} is larger than image.size_px {size}")
        if self.image.size_px % 4:
            raise ValueError(f"image.size_px {self.image.size_px}: the refiner halves it twice, take a multiple of 4")
        return self
