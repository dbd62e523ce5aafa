"""Settings of DCGAN."""

from typing import Literal

from pydantic import Field

from lungsynth.generate.doubling.settings import DoublingSettings


class Settings(DoublingSettings):
    """DCGAN (Radford 2016; FACTS 4.3).

    The paper's form: generator_channels 1024, critic_norm batch, betas .5 and .999, start_from_mean false.
    """

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
