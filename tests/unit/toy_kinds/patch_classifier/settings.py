"""Settings of the patch classifier."""

from pydantic import Field

from lungsynth.segment.settings import DetectorSettings
from lungsynth.study.base import Settings as Base


class Architecture(Base):
    """What its weights fix."""

    filters: int = Field(4, ge=1, description="of its one convolution")
    patch_px: int = Field(16, ge=8, description="side of a patch")


class Settings(DetectorSettings):
    """It has no probability of every voxel."""

    architecture: Architecture = Architecture()
    opening_mm: float = Field(2.0, gt=0, description="radius of the opening that proposes candidates")
    learning_rate: float = Field(0.02, gt=0, description="Adam")
