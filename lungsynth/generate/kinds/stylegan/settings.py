"""Settings of StyleGAN."""

from typing import Any, ClassVar, Literal

from pydantic import Field

from lungsynth.generate.doubling.settings import DoubledSizes


class Settings(DoubledSizes):
    """StyleGAN2 (Karras 2020), with StyleGAN3's filters (Karras 2021) as an option; FACTS 4.5.

    paper: StyleGAN2's configuration F. Its running average, a half-life of 10,000 images, is `training.ema`.

    Attributes:
        architecture: names of the settings without which a trained generator's weights fit nothing.
        conditional: whether it learns and draws by class.
    """

    conditional: ClassVar[bool] = True
    tells_by_sign: ClassVar[bool] = True
    architecture: ClassVar[tuple[str, ...]] = (
        "z",
        "w",
        "mapping_layers",
        "channel_base",
        "channel_most",
        "channel_least",
        "filters",
    )
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "paper": {
            "z": 512,
            "w": 512,
            "mapping_layers": 8,
            "channel_base": 32768,
            "channel_most": 512,
            "channel_least": 1,
        }
    }

    preset: Literal["none", "paper"] = Field("none", description="published sizes, where none are stated")
    w: int = Field(128, ge=2, description="length of a style")
    z: int = Field(128, ge=2, description="length of the random vector a style is made from")
    mapping_layers: int = Field(4, ge=1, description="from the random vector to the style; learn at a hundredth")
    channel_base: int = Field(1024, ge=8, description="channels of a grid times its side, in both networks")
    channel_most: int = Field(128, ge=4, description="channels of a grid at most")
    channel_least: int = Field(12, ge=1, description="channels of a grid at least")
    filters: Literal["none", "alias_free"] = Field(
        "none", description="alias_free: leaky ReLU at twice the size between low-pass filters, and no pixel noise"
    )
    learning_rate: float = Field(2.5e-3, gt=0, description="Adam of the generator")
    critic_learning_rate: float | None = Field(2e-3, gt=0, description="Adam of the critic; null: the same")
    betas: tuple[float, float] = Field((0.0, 0.99), description="of Adam")
    gamma: float | None = Field(
        None, ge=0, description="weight of the critic's squared slope (R1); null: .0002 x size_px^2 / batch"
    )
    r1_every: int = Field(16, ge=1, description="steps between two such penalties, each weighed up by as many")
    path_length: float = Field(2, ge=0, description="weight of equal steps in the image for equal steps in the style")
    path_length_every: int = Field(4, ge=1, description="steps between two such penalties, each weighed up by as many")
    mixing: float = Field(0.9, ge=0, le=1, description="share of training batches whose images have two styles")
    truncation: float = Field(1, ge=0, le=1, description="of drawn images: how far a style lies from the mean one")
