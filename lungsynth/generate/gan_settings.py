"""Settings that every GAN has."""

from typing import ClassVar

from pydantic import Field, model_validator

from lungsynth.study.base import Settings, WithPreset


class Augment(Settings):
    """What is done to real and generated images alike before the critic sees them (Karras 2020a; Zhao 2020).

    Small changes that a patient could have been scanned with: they stay in no image that the generator draws, as the
    critic meets both sides altered by the same law.
    """

    shift_px: int = Field(0, ge=0, description="whole pixels an image is moved by at most, to each side")
    grey: float = Field(0, ge=0, description="sd of a grey level added to all of an image, of a grey scale of 2")
    share: float = Field(0, ge=0, le=1, description="of the images that are turned and enlarged too")
    turn_deg: float = Field(4, ge=0, description="sd of that turn")
    zoom: float = Field(0.06, ge=0, lt=1, description="sd of the logarithm of that enlargement")
    adaptive: bool = Field(
        False, description="alter only as many images as keep the critic from being sure of real ones (ADA)"
    )
    adaptive_images: int = Field(
        20_000, ge=1, description="images seen while that share could rise from none to all; Karras: 500,000"
    )

    @model_validator(mode="after")
    def _there_is_something_to_adapt(self):
        if self.adaptive and not (self.shift_px or self.grey or self.share):
            raise ValueError("adaptive alters nothing without shift_px, grey or share above 0")
        return self


class GanSettings(WithPreset):
    """Random vectors and learning rates of a generator and its critic, and what the critic sees.

    Attributes:
        tells_by_sign: whether the critic's output is above 0 where it takes an image for a real one.
    """

    tells_by_sign: ClassVar[bool] = False

    z: int = Field(100, ge=2, description="length of the random vector an image is made from")
    learning_rate: float = Field(2e-4, gt=0, description="Adam, both networks")
    critic_learning_rate: float | None = Field(None, gt=0, description="Adam of the critic; null: the same")
    betas: tuple[float, float] = Field((0.5, 0.999), description="of Adam")
    augment: Augment = Augment()

    @model_validator(mode="after")
    def _sure_is_known_by_sign(self):
        if self.augment.adaptive and not self.tells_by_sign:
            raise ValueError("augment.adaptive: needs a critic whose sign tells real from fake")
        return self
