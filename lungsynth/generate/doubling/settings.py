"""Which image sizes the generators can take, and what their kinds' settings share. No torch: read at parse time."""

from typing import ClassVar

from pydantic import Field, model_validator

from lungsynth.generate.gan_settings import GanSettings
from lungsynth.study.errors import StudyError

START_PX = (4, 8)


def start_and_doublings(size_px: int) -> tuple[int, int]:
    """(side of the smallest grid, how often it is doubled) for an image of `size_px`.

    Raises:
        StudyError: the size is no power of two times 4..8, for example 100.
    """
    start, doublings = size_px, 0
    while start % 2 == 0 and start // 2 >= START_PX[0]:
        start, doublings = start // 2, doublings + 1
    if not START_PX[0] <= start <= START_PX[1] or doublings < 2:
        possible = [k << d for d in range(2, 8) for k in range(START_PX[0], START_PX[1])]
        nearest = sorted(sorted(possible, key=lambda size: (abs(size - size_px), size))[:3])
        raise StudyError(f"no generator makes images of {size_px} px; near sizes are {', '.join(map(str, nearest))}")
    return start, doublings


class DoubledSizes(GanSettings):
    """Of a generator that doubles a small grid, whatever its levels are."""

    @staticmethod
    def check_size(size_px: int) -> None:
        """Refuse image sizes that this kind cannot make.

        Raises:
            StudyError: names the nearest sizes that are possible.
        """
        start_and_doublings(size_px)


class DoublingSettings(DoubledSizes):
    """Of the generator that doubles a small grid, and of the critics that stand against it.

    Attributes:
        architecture: names of the settings without which a trained generator's weights fit nothing.
    """

    architecture: ClassVar[tuple[str, ...]] = (
        "z",
        "generator_channels",
        "generator_least",
        "smooth_doubling",
        "pixel_norm",
        "noise",
        "prior_code",
        "prior_components",
    )

    generator_channels: int = Field(128, ge=8, description="of its smallest grid; halved at every doubling")
    generator_least: int = Field(12, ge=4, description="channels of its largest grids at least")
    smooth_doubling: bool = Field(
        False, description="double grids by interpolation and 3 x 3 convolutions, not by transposed ones"
    )
    pixel_norm: bool = Field(
        False, description="levels of two convolutions with pixel norm (Karras 2018), not one with batch norm"
    )
    noise: bool = Field(False, description="pixel noise on the generator's two largest grids, of learned strength")
    critic_channels: int = Field(32, ge=4, description="of the critic's first convolution; doubled at every halving")
    critic_most: int = Field(128, ge=4, description="channels of the critic at most")
    prior_code: int = Field(
        0, ge=0, description="principal components of the real images that random vectors follow; 0: plain normal"
    )
    prior_components: int = Field(8, ge=1, description="Gaussians in the mixture of these components")
    reconstruct: float = Field(
        0, ge=0, description="weight of rebuilding real images (L1) from their codes beside the adversarial loss"
    )
    reconstruct_halving: int | None = Field(
        None, ge=1, description="steps in which that weight falls by half; null: it stays"
    )
    start_from_mean: bool = Field(True, description="the untrained generator draws the mean of the real images")

    @model_validator(mode="after")
    def _codes_fit(self):
        if self.prior_code and self.z < self.prior_code + 2:
            raise ValueError(f"z must be at least prior_code + 2 = {self.prior_code + 2}, got {self.z}")
        if self.reconstruct and not self.prior_code:
            raise ValueError("reconstruct needs prior_code above 0: an image is rebuilt from its code")
        return self
