"""Settings of WGAN-GP."""

from pydantic import Field

from lungsynth.generate.doubling.settings import DoublingSettings


class Settings(DoublingSettings):
    """A convolutional Wasserstein critic with gradient penalty (Gulrajani 2017; FACTS 4.3)."""

    n_critic: int = Field(2, ge=1, description="critic updates for one of the generator; the paper's is 5")
    penalty: float = Field(10, ge=0, description="weight of the gradient penalty")
    drift: float = Field(0, ge=0, description="weight of the critic's squared level on real images")
    betas: tuple[float, float] = Field((0.0, 0.9), description="of Adam")
