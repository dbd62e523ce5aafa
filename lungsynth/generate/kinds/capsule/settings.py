"""Settings of CapsuleGAN."""

from typing import Any, ClassVar, Literal

from pydantic import Field

from lungsynth.generate.doubling.capsule_settings import CapsuleSettings


class Settings(CapsuleSettings):
    """CapsuleGAN (Jaiswal 2018; FACTS 4.1): one capsule's length is the probability that an image is real.

    paper: the sizes of Sabour 2017's network. There is no number of routing iterations: where the upper layer has one
    capsule, all couplings are 1.
    """

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "paper": {
            "generator_channels": 512,
            "critic_channels": 256,
            "critic_most": 256,
            "kernel": 9,
            "types": 32,
            "max_capsules": 2048,
            "start_from_mean": False,
        }
    }

    preset: Literal["none", "paper"] = Field("none", description="published sizes, where none are stated")
