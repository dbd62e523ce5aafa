"""Settings of the phantom cohort. Imported at parse time: pydantic alone."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from lungsynth.cohort.luna16.settings import Settings as Luna16Settings

FIELD_OF_VIEW_MM = 358.4
"""Side of the square field of view; the pixel follows from `size_px`."""


class PhantomSettings(BaseModel):
    """How many digital patients there are, how finely they are scanned and which nodules they carry."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    patients: int = Field(24, ge=1, le=9999)
    size_px: Literal[128, 256, 512] = 256
    slices: int = Field(100, ge=40, le=420)
    slice_mm: float = Field(2.5, ge=0.6, le=6.0)
    nodules_min: int = Field(8, ge=0, le=20)
    nodules_max: int = Field(10, ge=0, le=20)
    diameter_min_mm: float = Field(4.0, ge=4.0, le=30.0)
    diameter_max_mm: float = Field(30.0, ge=4.0, le=30.0)

    @property
    def pixel_mm(self) -> float:
        """Side of a pixel: 1.4 mm at 256 px, .7 mm at 512 px."""
        return FIELD_OF_VIEW_MM / self.size_px

    @model_validator(mode="after")
    def _ranges(self) -> "PhantomSettings":
        if self.nodules_min > self.nodules_max:
            raise ValueError("nodules_min is larger than nodules_max")
        if self.diameter_min_mm >= self.diameter_max_mm:
            raise ValueError("diameter_min_mm must be smaller than diameter_max_mm")
        height = self.slices * self.slice_mm
        if not 238 <= height <= 262:
            raise ValueError(f"slices x slice_mm is {height:g} mm; a chest takes 238 to 262 mm")
        return self


class Settings(Luna16Settings):
    """The cohort as a source: it is read as the LUNA16 folder that it is."""
