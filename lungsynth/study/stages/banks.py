"""Real nodules and slices, and the extractors that learn from them."""

from typing import Literal

from pydantic import Field, model_validator

from lungsynth.study.base import Settings, WithKinds
from lungsynth.study.training import Training


class Banks(Settings):
    """Real nodules and slices, cut from the scans."""

    cut_from: Literal["segmentation", "annotation"] = Field("segmentation", description="whose masks cut the fit bank")
    nodule_px: int = Field(32, ge=16, description="rows and columns of a nodule image")
    nodule_fov_mm: float = Field(40, gt=0, description="its width")
    margin_mm: float = Field(2, ge=0, description="HU are kept in the mask grown by this, -1000 outside")
    min_cut_px: int = Field(3, ge=1, description="slices that cut a nodule narrower than this are left out")
    normal_gap_mm: float = Field(10, ge=0, description="distance of a normal slice to any mark")
    normal_every: int = Field(1, ge=1, description="take every n-th normal slice")
    min_lung_share: float = Field(0.5, ge=0, le=1, description="lung area of a normal over the scan's largest")

    @property
    def mm_per_px(self) -> float:
        """Size of a nodule image's pixel."""
        return self.nodule_fov_mm / self.nodule_px


class Features(WithKinds):
    """The extractors that the scores and the selection stand on, trained in the workflow."""

    kind: str = Field("compact", description="of network; its settings stand under its name")
    dimensions: int = Field(64, ge=8, description="length of a feature vector")
    training: Training = Training(steps=300, checkpoints=1, batch=16)

    @model_validator(mode="after")
    def _in_one_piece(self):
        if self.training.checkpoints != 1:
            raise ValueError("training.checkpoints must be 1: an extractor is trained in one piece")
        return self
