"""What the settings of detectors share. Read while Snakemake reads its rules: pydantic and `lungsynth.study` only."""

from typing import ClassVar

from pydantic import Field

from lungsynth.segment.training.augmentation import Augmentation
from lungsynth.study.base import Settings


class DetectorSettings(Settings):
    """The settings of every detector extend this.

    A kind declares a field `architecture`, a model of all that its trained weights fix: where a study starts from a
    trained network, that block is the network's own. Its other fields say how it learns, or how it is used.
    """

    gives_probability: ClassVar[bool] = False
    """Whether the kind judges every voxel (see `lungsynth.segment.voxels`): masks, banks and the gate need that."""


class SliceSettings(DetectorSettings):
    """Of a detector that judges slices pixel by pixel and learns from windows of them."""

    gives_probability: ClassVar[bool] = True

    window_px: int = Field(32, ge=16, description="side of a training window")
    negatives: float = Field(0.5, gt=0, lt=1, description="share of the windows that was cut without a nodule")
    augmentation: Augmentation = Augmentation()
