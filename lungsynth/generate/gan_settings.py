"""Settings that every GAN has."""

from pydantic import Field

from lungsynth.study.base import WithPreset


class GanSettings(WithPreset):
    """Random vectors and learning rates of a generator and its critic."""

    z: int = Field(100, ge=2, description="length of the random vector an image is made from")
    learning_rate: float = Field(2e-4, gt=0, description="Adam, both networks")
    critic_learning_rate: float | None = Field(None, gt=0, description="Adam of the critic; null: the same")
    betas: tuple[float, float] = Field((0.5, 0.999), description="of Adam")
