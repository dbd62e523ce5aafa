"""Settings of W-CapsuleGAN."""

from typing import Any, ClassVar, Literal

from pydantic import Field

from lungsynth.generate.doubling.capsule_settings import CapsuleSettings


class Settings(CapsuleSettings):
    """Chi 2023's stage 1: a capsule network as the critic of a Wasserstein GAN with gradient penalty (FACTS 4.2).

    literature: the sizes and rates of the papers that it stands on, as Chi 2023 gives none.
    """

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "literature": {
            "z": 128,
            "generator_channels": 256,
            "learning_rate": 1e-4,
            "n_critic": 5,
            "critic_channels": 64,
            "kernel": 9,
            "types": 16,
            "max_capsules": 2000,
        }
    }

    preset: Literal["none", "literature"] = Field("none", description="published sizes, where none are stated")
    n_critic: int = Field(2, ge=1, description="critic updates for one of the generator")
    penalty: float = Field(10, ge=0, description="weight of the gradient penalty")
    drift: float = Field(1e-3, ge=0, description="weight of the critic's squared level on real images")
    betas: tuple[float, float] = Field((0.0, 0.9), description="of Adam")
    capsules: int = Field(10, ge=1, description="of the upper layer")
    routing: int = Field(3, ge=1, description="routing iterations")
    routing_gradient: bool = Field(False, description="whether gradients pass through all routing iterations")
