"""Settings of W-CapsuleGAN."""

from pydantic import Field

from lungsynth.generate.doubling.settings import DoublingSettings


class Settings(DoublingSettings):
    """Chi 2023's stage 1: a capsule network as the critic of a Wasserstein GAN with gradient penalty (FACTS 4.2).

    The sizes of the literature at 32 px: critic_channels 64, kernel 9, types 16, max_capsules 2000, n_critic 5.
    """

    n_critic: int = Field(2, ge=1, description="critic updates for one of the generator")
    penalty: float = Field(10, ge=0, description="weight of the gradient penalty")
    drift: float = Field(1e-3, ge=0, description="weight of the critic's squared level on real images")
    betas: tuple[float, float] = Field((0.0, 0.9), description="of Adam")
    kernel: int = Field(5, ge=3, description="of the first convolution and of the one that makes capsules, odd")
    types: int = Field(8, ge=1, description="of primary capsules; each has one capsule a grid point")
    type_dimensions: int = Field(8, ge=2, description="numbers in a primary capsule")
    max_capsules: int = Field(256, ge=16, description="primary capsules at most; more strided convolutions see to it")
    capsules: int = Field(10, ge=1, description="of the upper layer")
    capsule_dimensions: int = Field(16, ge=2, description="numbers in one of them")
    routing: int = Field(3, ge=1, description="routing iterations")
    routing_gradient: bool = Field(False, description="whether gradients pass through all routing iterations")
