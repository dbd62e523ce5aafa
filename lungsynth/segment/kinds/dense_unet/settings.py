"""Settings of the dense U-Net."""

from pydantic import Field, model_validator

from lungsynth.segment.settings import Seen, SliceSettings


class Architecture(Seen):
    """Sizes of the network; those of the paper are widths 32..512, growth 16, layers 4 (FACTS 3.3)."""

    widths: tuple[int, ...] = Field((16, 32, 64, 128), min_length=2, description="channels of each level, top down")
    growth: int = Field(8, ge=1, description="filters that a layer of a dense block adds")
    layers: int = Field(3, ge=1, description="layers of a dense block")

    @property
    def halvings(self) -> int:
        """By how much the deepest level is smaller than the input, along each side."""
        return 2 ** (len(self.widths) - 1)


class Settings(SliceSettings):
    """Chi's U-Net with dense decoder blocks."""

    architecture: Architecture = Architecture()

    @model_validator(mode="after")
    def _windows_fit_the_pools(self):
        halvings, widths = self.architecture.halvings, self.architecture.widths
        if self.window_px % halvings:
            raise ValueError(f"window_px {self.window_px} must be a multiple of {halvings} for {len(widths)} widths")
        return self
