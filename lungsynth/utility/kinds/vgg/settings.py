"""Settings of the VGG-like classifier."""

from typing import Any, ClassVar, Literal

from pydantic import Field

from lungsynth.utility.classify.settings import LevelSettings

PUBLISHED = {"widths": (64, 128, 256, 512, 512), "hidden": 4096, "pooled_px": 7, "dropout": 0.5}


class Settings(LevelSettings):
    """Levels of convolutions 3 x 3, each with batch norm and followed by pooling (Simonyan 2015; Ioffe 2015)."""

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "vgg16": {**PUBLISHED, "layers": (2, 2, 3, 3, 3)},
        "vgg19": {**PUBLISHED, "layers": (2, 2, 4, 4, 4)},
    }

    preset: Literal["none", "vgg16", "vgg19"] = Field("none", description="published sizes")
    layers: tuple[int, ...] = Field((1, 1, 2, 2), min_length=1, description="convolutions of each level")
    hidden: int = Field(0, ge=0, description="units of each of two layers before the last; 0: there are none")
    pooled_px: int = Field(1, ge=1, description="side of the grid of means that the last layers get")

    @property
    def halvings(self) -> int:
        """How often the network halves an image's side."""
        return len(self.layers)
