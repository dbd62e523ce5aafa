"""Settings of the Inception-like classifier."""

from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from lungsynth.utility.classify.settings import NetworkSettings

Module = tuple[int, int, int, int, int, int]
"""Channels of a module: of 1 x 1; of 3 x 3 before and after; of 5 x 5 before and after; of 1 x 1 after pooling."""

GOOGLENET: tuple[tuple[Module, ...], ...] = (
    ((64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64)),
    (
        (192, 96, 208, 16, 48, 64),
        (160, 112, 224, 24, 64, 64),
        (128, 128, 256, 24, 64, 64),
        (112, 144, 288, 32, 64, 64),
        (256, 160, 320, 32, 128, 128),
    ),
    ((256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128)),
)
"""Table 1 of Szegedy 2015."""


class Settings(NetworkSettings):
    """Levels of modules of four parallel branches; each level but the first halves the image (Szegedy 2015)."""

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "googlenet": {"levels": GOOGLENET, "stem_channels": 64, "large_stem": True, "dropout": 0.4}
    }

    preset: Literal["none", "googlenet"] = Field("none", description="published sizes")
    levels: tuple[tuple[Module, ...], ...] = Field(
        (((16, 24, 32, 8, 8, 8),), ((32, 48, 64, 8, 16, 16),), ((64, 96, 128, 16, 32, 32),)),
        min_length=1,
        description="modules by level: channels of 1 x 1, before and after 3 x 3 and 5 x 5, after pooling",
    )
    stem_channels: int = Field(16, ge=1, description="of the first convolution")
    large_stem: bool = Field(
        False,
        description="first 7 x 7 of stride 2, pooling, 1 x 1, 3 x 3 of three times as many channels, pooling, as "
        "published for 224 px; else 3 x 3 of stride 2 and pooling",
    )

    @property
    def halvings(self) -> int:
        """How often the network halves an image's side."""
        return len(self.levels) + 1 + self.large_stem

    @model_validator(mode="after")
    def _branches_have_channels(self):
        if min((width for level in self.levels for module in level for width in module), default=0) < 1:
            raise ValueError("levels: every branch needs channels, and every level a module")
        if not all(self.levels):
            raise ValueError("levels: every level needs a module")
        return self
