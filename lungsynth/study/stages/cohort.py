"""Where scans come from, who may be used for what, and the grid of whole slices."""

from typing import Any, Literal

from pydantic import Field, model_validator

from lungsynth.study.base import Settings

Role = Literal["fit", "tune", "domain", "test"]


class Split(Settings):
    """How many patients each role gets; where the cohort is larger or smaller, shares in this proportion."""

    fit: int = Field(12, ge=0, description="train segmenter, extractors, banks and generators")
    tune: int = Field(3, ge=0, description="set thresholds, selection and the monitor's choice")
    domain: int = Field(4, ge=0, description="give the refiner's targets only")
    test: int = Field(5, ge=0, description="give all reported numbers, references and floors")


PHANTOM_FOV_MM = 358.4
"""Side of a digital chest's square field of view; the pixel follows from `size_px`."""


class Phantom(Settings):
    """The digital chests of the reader `phantom`: how many, how finely they are scanned, which nodules they carry."""

    patients: int = Field(24, ge=1, le=9999, description="digital patients")
    size_px: Literal[128, 256, 512] = Field(256, description="rows and columns: pixels of 2.8, 1.4 or 0.7 mm")
    slices: int = Field(100, ge=40, le=420, description="of a scan; slices x slice_mm is 238 to 262 mm")
    slice_mm: float = Field(2.5, ge=0.6, le=6.0, description="from one slice to the next")
    nodules_min: int = Field(8, ge=0, le=20, description="fewest nodules of a patient")
    nodules_max: int = Field(10, ge=0, le=20, description="most nodules of a patient")
    diameter_min_mm: float = Field(4.0, ge=4.0, le=30.0, description="smallest; sizes follow LUNA16's law from here on")
    diameter_max_mm: float = Field(30.0, ge=4.0, le=30.0, description="largest")

    @property
    def pixel_mm(self) -> float:
        """Side of a pixel."""
        return PHANTOM_FOV_MM / self.size_px

    @model_validator(mode="after")
    def _ranges(self):
        if self.nodules_min > self.nodules_max:
            raise ValueError("nodules_min is larger than nodules_max")
        if self.diameter_min_mm >= self.diameter_max_mm:
            raise ValueError("diameter_min_mm must be smaller than diameter_max_mm")
        height = self.slices * self.slice_mm
        if not 238 <= height <= 262:
            raise ValueError(f"slices x slice_mm is {height:g} mm; a chest takes 238 to 262 mm")
        return self


class Cohort(Settings):
    """Where scans come from and who may be used for what."""

    sources: list[dict[str, Any]] = Field(
        [{"reader": "phantom"}], description="readers with their settings: {reader, path, role or roles, ...}"
    )
    batches: int = Field(4, ge=1, description="jobs that share the scans; the number of jobs is known before the data")
    split: Split = Split()
    quarantine: Literal["report", "stop"] = Field("report", description="what a bad scan does to the run")
    seen: Literal["stop", "leave_out"] = Field(
        "stop", description="what a test patient whom a shipped network of the study has learnt from does to the run"
    )
    min_patients: int = Field(4, ge=1, description="fewer usable patients stop the run")
    phantom: Phantom = Phantom()


class Image(Settings):
    """The grid and the grey scale of every whole-slice image."""

    size_px: int = Field(160, ge=32, le=1024, description="rows and columns")
    fov_mm: float = Field(320, gt=0, description="field of view, width and height")
    window_hu: tuple[float, float] = Field((-1000, 400), description="HU that reach the networks as -1 and 1")
    channels: Literal[1, 3] = Field(1, description="of an image; CT has 1, and pictures what their colour asks for")

    @property
    def mm_per_px(self) -> float:
        """Size of a pixel."""
        return self.fov_mm / self.size_px

    @classmethod
    def of_pictures(cls, size_px: int, levels: tuple[int, int], channels: Literal[1, 3]) -> "Image":
        """The grid of pictures, where a pixel is the unit of length and grey levels stand for HU."""
        return cls(size_px=size_px, fov_mm=size_px, window_hu=levels, channels=channels)

    @model_validator(mode="after")
    def _window_opens(self):
        if self.window_hu[0] >= self.window_hu[1]:
            raise ValueError(f"window_hu must rise, got {list(self.window_hu)}")
        return self
