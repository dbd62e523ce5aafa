"""Settings that the classifiers here have in common."""

from pydantic import Field, model_validator

from lungsynth.study.base import WithPreset


class NetworkSettings(WithPreset):
    """How a classifier that is one network learns."""

    learning_rate: float = Field(1e-3, gt=0, description="AdamW; half a cosine from it to 0")
    weight_decay: float = Field(1e-3, ge=0, description="of AdamW")
    dropout: float = Field(0, ge=0, lt=1, description="share of what the last layers get that is set to 0 in training")

    @property
    def halvings(self) -> int:
        """How often the network halves an image's side."""
        return 0

    def check_size(self, size_px: int) -> None:
        """Refuse images of which the last layers would see no grid.

        Raises:
            ValueError: they are too small.
        """
        if size_px < 2**self.halvings:
            raise ValueError(f"{size_px} px are too few, it halves an image {self.halvings} times; take fewer levels")


class LevelSettings(NetworkSettings):
    """Levels of equal layers, wider from one to the next."""

    layers: tuple[int, ...] = Field((1, 1, 1, 1), min_length=1, description="blocks, or convolutions, of each level")
    widths: tuple[int, ...] = Field((8, 16, 32, 64), min_length=1, description="channels of each level")

    @model_validator(mode="after")
    def _levels_have_both(self):
        if len(self.layers) != len(self.widths):
            raise ValueError(f"layers {list(self.layers)} and widths {list(self.widths)} must be equally long")
        if min(*self.layers, *self.widths) < 1:
            raise ValueError("layers and widths must be 1 at least")
        return self
