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
        self._check_multiple(self.architecture.halvings, f"{len(self.architecture.widths)} widths")
        return self
