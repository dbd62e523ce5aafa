"""Settings of the compact extractor."""

from pydantic import Field

from lungsynth.study.base import Settings as Base


class Settings(Base):
    """A small convolutional network that is trained in seconds."""

    widths: tuple[int, ...] = Field(
        (16, 32, 48, 64), min_length=2, description="channels of each level; each halves the image"
    )
    learning_rate: float = Field(3e-3, gt=0, description="of Adam at the start; falls to 0 along a cosine")
    weight_decay: float = Field(1e-4, ge=0, description="decoupled (AdamW)")
    distortion_weight: float = Field(25, ge=0, description="weight of guessing planted faults beside the classes")
    blur_px: float = Field(1.5, ge=0, description="largest sigma of a planted blur")
    shift_hu: float = Field(60, ge=0, description="largest planted shift, up or down")
    noise_hu: float = Field(40, ge=0, description="largest sd of planted noise")
