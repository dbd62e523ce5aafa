"""Settings of U-Net++."""

from typing import Any, ClassVar, Literal

from pydantic import Field

from lungsynth.segment.settings import FiveLevels, FiveLevelSettings


class Architecture(FiveLevels):
    """Sizes of the network. By default it holds about as many numbers as the dense U-Net does.

    zhou: the published widths, with four heads (FACTS 3.3).
    """

    presets: ClassVar[dict[str, dict[str, Any]]] = {"zhou": {"widths": (32, 64, 128, 256, 512)}}

    preset: Literal["none", "zhou"] = Field("none", description="published sizes, where none are stated")
    widths: tuple[int, int, int, int, int] = Field((8, 16, 32, 56, 92), description="channels of each level, top down")


class Settings(FiveLevelSettings):
    """U-Net++; all four heads learn, and their mean is the answer."""

    architecture: Architecture = Architecture()
