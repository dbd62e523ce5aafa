"""How long and how a network is trained: one model for segmenters, generators, refiner and extractors."""

from typing import Literal

from pydantic import Field, model_validator

from lungsynth.study.base import Settings


class Training(Settings):
    """A training's length, its pieces and its means."""

    steps: int = Field(500, ge=0, description="training steps in all; 0: what init_from names is used as it is")
    checkpoints: int = Field(2, ge=1, description="cached pieces; a run that is killed loses one of them")
    points_every: int = Field(5, ge=1, description="steps averaged into one point of the loss curve")
    batch: int = Field(16, ge=1, description="images a step")
    threads: int = Field(
        1, ge=1, le=64, description="cores that it takes, whatever --cores says; beside a GPU all but one draw batches"
    )
    precision: Literal["float32", "bfloat16"] = Field("float32", description="of the forward passes")
    ema: float = Field(0, ge=0, lt=1, description="decay of the weights' running average; 0: none")

    @model_validator(mode="after")
    def _pieces_have_a_step(self):
        if 0 < self.steps < self.checkpoints:
            raise ValueError(f"steps: {self.steps} cannot be cut into checkpoints: {self.checkpoints}")
        return self
