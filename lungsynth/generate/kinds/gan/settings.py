"""Settings of the GAN of multilayer perceptrons."""

from typing import ClassVar

from pydantic import Field

from lungsynth.generate.gan_settings import GanSettings
from lungsynth.study.errors import StudyError

MOST_PX = 256
"""The last layer alone has 1,024 weights a pixel; beyond this side it takes a GPU's memory."""


class Settings(GanSettings):
    """Two multilayer perceptrons (Goodfellow 2014; FACTS 4.3, whose sizes these are)."""

    tells_by_sign: ClassVar[bool] = True
    architecture: ClassVar[tuple[str, ...]] = ("z", "generator_widths")

    generator_widths: tuple[int, ...] = Field((256, 512, 1024), min_length=1, description="of its hidden layers")
    critic_widths: tuple[int, ...] = Field((1024, 512, 256), min_length=1, description="of its hidden layers")
    dropout: float = Field(0.3, ge=0, lt=1, description="share of the critic's hidden units that a step leaves out")

    @staticmethod
    def check_size(size_px: int) -> None:
        """Refuse image sizes that this kind cannot make.

        Raises:
            StudyError: the image is too large for layers that hold a weight for every pixel.
        """
        if size_px > MOST_PX:
            raise StudyError(f"a multilayer perceptron makes images of {MOST_PX} px at most, not of {size_px} px")
