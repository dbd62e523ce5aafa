"""How much a training window may differ from what was cut. Settings only, shared by all segmenters."""

from typing import Literal

from pydantic import Field

from lungsynth.study.base import Settings


class Augmentation(Settings):
    """Changes of geometry and of grey values, drawn anew for every window of every batch."""

    turn: Literal["quarter", "any"] = Field("quarter", description="flips and quarter turns, or turns by any angle")
    zoom: float = Field(1, ge=1, le=2, description="largest enlargement and reduction; 1: none")
    stretch: float = Field(1, ge=1, le=2, description="largest stretch of one axis against the other; 1: none")
    bend_px: float = Field(0, ge=0, le=8, description="sd of a smooth displacement, in every second window; 0: none")
    gain: float = Field(0, ge=0, le=1, description="sd of the log of a contrast factor about aerated lung (-850 HU)")
    sharpen: float = Field(0, ge=0, lt=1, description="largest share of a 3 x 3 mean mixed in or taken out (kernels)")
    shift_hu: float = Field(15, ge=0, description="sd of the HU offset")
    noise_hu: float = Field(15, ge=0, description="largest sd of the added noise")
    grain: bool = Field(False, description="the noise is coarse in half of the windows, and mostly weak")

    @property
    def warps(self) -> bool:
        """Whether pixels are interpolated; quarter turns and flips only move them."""
        return self.turn == "any" or self.zoom > 1 or self.stretch > 1 or self.bend_px > 0
