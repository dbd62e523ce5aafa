"""Settings of the dense U-Net."""

from pydantic import Field, model_validator

from lungsynth.segment.settings import SliceSettings
from lungsynth.study.base import Settings as Base


class Architecture(Base):
    """Sizes of the network; those of the paper are widths 32..512, growth 16, layers 4 (FACTS 3.3)."""

    widths: tuple[int, ...] = Field((16, 32, 64, 128), min_length=2, description="channels of each level, top down")
    growth: int = Field(8, ge=1, description="filters that a layer of a dense block adds")
    layers: int = Field(3, ge=1, description="layers of a dense block")
    window_hu: tuple[float, float] = Field((-1000, 400), description="HU that the network sees as -1 and 1")
    temperature: float = Field(4.0, gt=0, description="divides the logits when the network is used; .5 stays .5")

    @property
    def halvings(self) -> int:
        """By how much the deepest level is smaller than the input, along each side."""
        return 2 ** (len(self.widths) - 1)

    @model_validator(mode="after")
    def _window_opens(self):
        if self.window_hu[0] >= self.window_hu[1]:
            raise ValueError(f"window_hu must rise, got {list(self.window_hu)}")
        return self


class Settings(SliceSettings):
    """Chi's U-Net with dense decoder blocks."""

    architecture: Architecture = Architecture()
    learning_rate: float = Field(2e-3, gt=0, description="AdamW, falling to 0 along half a cosine")
    weight_decay: float = Field(1e-2, ge=0, description="AdamW")
    warmup: int = Field(20, ge=0, description="steps in which the rate rises from 0")
    dice: float = Field(1.0, ge=0, description="weight of the Dice term beside 1 x cross entropy")

    @model_validator(mode="after")
    def _windows_fit_the_pools(self):
        halvings, widths = self.architecture.halvings, self.architecture.widths
        if self.window_px % halvings:
            raise ValueError(f"window_px {self.window_px} must be a multiple of {halvings} for {len(widths)} widths")
        return self
