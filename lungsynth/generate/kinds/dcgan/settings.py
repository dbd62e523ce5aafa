"""Settings of DCGAN."""

from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from lungsynth.generate.doubling.settings import DoublingSettings, start_and_doublings
from lungsynth.study.base import Settings as Base
from lungsynth.study.errors import StudyError


class Layers(Base):
    """Both networks layer by layer, in place of the doubling generator and its critic.

    A linear layer fills the generator's smallest grid; kernels of both have stride 2.
    """

    generator_widths: tuple[int, ...] = Field(min_length=1, description="channels of its grids, smallest first")
    generator_kernel: int = Field(ge=2, description="side of its transposed convolutions' kernels, and of the last's")
    generator_norm: bool = Field(description="batch norm in the generator, and no biases but the linear layer's")
    generator_slope: float = Field(ge=0, lt=1, description="of its leaky ReLU; 0: ReLU")
    last: Literal["doubling", "same"] = Field(description="whether its last convolution doubles the grid or keeps it")
    critic_widths: tuple[int, ...] = Field(min_length=1, description="channels of its convolutions")
    critic_kernel: int = Field(ge=2, description="side of their kernels")
    critic_norm: bool = Field(description="batch norm on all but the first, and no biases")
    head: Literal["patches", "one"] = Field(description="a last convolution's logits, one a patch, or a linear layer's")
    dropout: float = Field(0, ge=0, lt=1, description="share of numbers that a step hides from that linear layer")
    enlarge: int = Field(1, ge=1, description="times that the critic enlarges images before it looks")

    @property
    def doublings(self) -> int:
        """How often the generator doubles its smallest grid."""
        return len(self.generator_widths) - (self.last == "same")


def _chen(generator_widths: tuple[int, ...], critic_widths: tuple[int, ...]) -> dict[str, Any]:
    """Chen 2025's form with so many channels."""
    return {
        "z": 128,
        "learning_rate": 1e-5,
        "betas": (0.5, 0.999),
        "smooth": 0.1,
        "start_from_mean": False,
        "layers": {
            "generator_widths": generator_widths,
            "generator_kernel": 5,
            "generator_norm": True,
            "generator_slope": 0,
            "last": "doubling",
            "critic_widths": critic_widths,
            "critic_kernel": 5,
            "critic_norm": True,
            "head": "patches",
        },
    }


class Settings(DoublingSettings):
    """DCGAN (Radford 2016; FACTS 4.3).

    paper: Radford's form. few: for a few hundred images of 64 px without a GPU, no paper's. chen: Chen 2025's (FACTS
    5.1), with exactly its counts at 256 px and one channel; chen_small: a quarter of its channels, all else as it was
    published, for 64 px. draw_ai: Draw.AI's (FACTS 7.2), with its counts at 128 px; its critic was stated for twice the
    side that its generator draws, so that it enlarges what it sees.

    Attributes:
        published: total numbers of the networks that a preset stands for, as their publications state them.
    """

    tells_by_sign: ClassVar[bool] = True
    architecture: ClassVar[tuple[str, ...]] = (*DoublingSettings.architecture, "layers")
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "paper": {
            "generator_channels": 1024,
            "critic_channels": 128,
            "critic_most": 1024,
            "critic_norm": "batch",
            "betas": (0.5, 0.999),
            "start_from_mean": False,
        },
        "few": {
            "z": 64,
            "pixel_norm": True,
            "generator_channels": 128,
            "generator_least": 24,
            "critic_channels": 24,
            "critic_spread": True,
            "learning_rate": 1.5e-3,
            "critic_learning_rate": 7.5e-4,
            "betas": (0.0, 0.99),
            "r1": 0.3,
            "augment": {"shift_px": 2, "grey": 0.03},
        },
        "chen": _chen((1024, 512, 256, 128, 64), (32, 64, 128, 256, 512)),
        "chen_small": _chen((256, 128, 64, 32, 16), (8, 16, 32, 64, 128)),
        "draw_ai": {
            "z": 100,
            "learning_rate": 2e-4,
            "betas": (0.5, 0.999),
            "start_from_mean": False,
            "layers": {
                "generator_widths": (256, 128, 128),
                "generator_kernel": 4,
                "generator_norm": False,
                "generator_slope": 0.2,
                "last": "same",
                "critic_widths": (64, 128, 128, 256),
                "critic_kernel": 3,
                "critic_norm": False,
                "head": "one",
                "dropout": 0.4,
                "enlarge": 2,
            },
        },
    }

    published: ClassVar[dict[str, dict[str, int]]] = {
        "chen": {"generator": 26_129_728, "critic": 4_369_440},
        "draw_ai": {"generator": 27_265_281, "critic": 582_785},
    }

    preset: Literal["none", "paper", "few", "chen", "chen_small", "draw_ai"] = Field(
        "none", description="published sizes and rates, where none are stated"
    )
    layers: Layers | None = Field(None, description="both networks layer by layer; null: by the sizes above")
    critic_norm: Literal["none", "batch"] = Field("none", description="of all but the critic's first convolution")
    critic_spread: bool = Field(False, description="show the critic the batch's standard deviation")
    generator_loss: Literal["non_saturating", "saturating"] = Field(
        "non_saturating", description="-log D(G(z)), or log(1 - D(G(z)))"
    )
    smooth: float = Field(0, ge=0, lt=0.5, description="the critic's target for real images is 1 - smooth")
    r1: float = Field(
        0, ge=0, description="weight of the squared slope of the critic at real images (R1, Mescheder 2018)"
    )
    r1_every: int = Field(8, ge=1, description="steps between two such penalties, each weighed up by as many")
    betas: tuple[float, float] = Field((0.5, 0.99), description="of Adam")

    @model_validator(mode="after")
    def _layers_are_all(self):
        beside = ("start_from_mean", "smooth_doubling", "pixel_norm", "noise", "prior_code", "critic_spread")
        given = [name for name in beside if getattr(self, name)]
        if self.layers and given:
            raise ValueError(f"layers: says all of both networks; set {', '.join(given)} to nothing beside it")
        return self

    def check_size(self, size_px: int) -> None:
        """Refuse image sizes that this kind cannot make.

        Raises:
            StudyError: names the sizes that are possible.
        """
        if self.layers is None:
            start_and_doublings(size_px)
        elif size_px % (step := 1 << self.layers.doublings):
            raise StudyError(f"these layers make images whose side is a multiple of {step} px, not of {size_px} px")
