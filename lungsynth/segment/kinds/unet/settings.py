"""Settings of the U-Net."""

from typing import Any, ClassVar, Literal

from pydantic import Field

from lungsynth.segment.settings import FiveLevels, FiveLevelSettings


class Architecture(FiveLevels):
    """Sizes of the network. By default it holds about as many numbers as the dense U-Net does.

    ronneberger: the published widths (FACTS 3.3); MONAI's last level keeps the channels of the one below it.
    """

    presets: ClassVar[dict[str, dict[str, Any]]] = {"ronneberger": {"widths": (64, 128, 256, 512, 1024)}}

    preset: Literal["none", "ronneberger"] = Field("none", description="published sizes, where none are stated")
    widths: tuple[int, int, int, int, int] = Field((8, 16, 32, 64, 104), description="channels of each level, top down")


class Settings(FiveLevelSettings):
    """U-Net."""

    architecture: Architecture = Architecture()
