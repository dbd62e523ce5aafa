"""Settings of the residual classifier."""

from typing import Any, ClassVar, Literal

from pydantic import Field

from lungsynth.utility.classify.settings import LevelSettings

PUBLISHED = {"widths": (64, 128, 256, 512), "large_stem": True}


class Settings(LevelSettings):
    """Levels of residual blocks; each level but the first halves the image (He 2016)."""

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "resnet18": {**PUBLISHED, "block": "basic", "layers": (2, 2, 2, 2)},
        "resnet50": {**PUBLISHED, "block": "bottleneck", "layers": (3, 4, 6, 3)},
        "resnet101": {**PUBLISHED, "block": "bottleneck", "layers": (3, 4, 23, 3)},
    }

    preset: Literal["none", "resnet18", "resnet50", "resnet101"] = Field("none", description="published sizes")
    block: Literal["basic", "bottleneck"] = Field(
        "basic", description="two convolutions 3 x 3, or one between two of 1 x 1 with four times as many channels"
    )
    large_stem: bool = Field(
        False, description="first 7 x 7 of stride 2 and pooling, as published for 224 px; else 3 x 3 of stride 2"
    )

    @property
    def halvings(self) -> int:
        """How often the network halves an image's side."""
        return len(self.layers) + self.large_stem
