"""Settings of BigGAN."""

from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from lungsynth.generate.doubling.settings import DoubledSizes


class Settings(DoubledSizes):
    """BigGAN (Brock 2019; FACTS 4.3).

    paper: its network for 128 px, with the rates that go with batches of 2,048; its running average, .9999, is
    `training.ema`. Batches and banks of a few hundred grey images are far from what it was made for.

    Attributes:
        architecture: names of the settings without which a trained generator's weights fit nothing.
        conditional: whether it learns and draws by class.
    """

    conditional: ClassVar[bool] = True
    tells_by_sign: ClassVar[bool] = True
    architecture: ClassVar[tuple[str, ...]] = (
        "z",
        "generator_channels",
        "generator_least",
        "attention_px",
        "embedding",
    )
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "paper": {
            "generator_channels": 1536,
            "generator_least": 96,
            "critic_channels": 96,
            "critic_most": 1536,
            "attention_px": 64,
            "learning_rate": 5e-5,
            "critic_learning_rate": 2e-4,
            "orthogonal": 1e-4,
        }
    }

    preset: Literal["none", "paper"] = Field("none", description="published sizes and rates, where none are stated")
    z: int = Field(120, ge=8, description="length of the random vector; with classes, each block takes a part of it")
    betas: tuple[float, float] = Field((0.0, 0.999), description="of Adam")
    generator_channels: int = Field(128, ge=8, description="of its smallest grid, and once more after it is doubled")
    generator_least: int = Field(16, ge=4, description="channels of its largest grids at least")
    critic_channels: int = Field(16, ge=4, description="of the critic's first block; doubled at every halving")
    critic_most: int = Field(128, ge=4, description="channels of the critic at most")
    attention_px: int = Field(16, ge=4, description="the largest grid up to this side has self-attention, in both")
    embedding: int = Field(128, ge=1, description="numbers that stand for a class, shared by all blocks")
    n_critic: int = Field(2, ge=1, description="critic updates for one of the generator")
    orthogonal: float = Field(
        0, ge=0, description="weight of the squared products of the generator's filters with each other"
    )
    truncation: float | None = Field(
        None, gt=0, description="drawn images' random numbers lie within this; null: normal, as in training"
    )

    @model_validator(mode="after")
    def _attention_has_channels(self):
        if min(self.generator_least, self.critic_channels) % 2:
            raise ValueError("generator_least and critic_channels must be even: attention halves them")
        return self
