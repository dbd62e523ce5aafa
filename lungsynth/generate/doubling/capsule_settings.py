"""Sizes that all capsule critics have. No torch: read at parse time."""

from pydantic import Field

from lungsynth.generate.doubling.settings import DoublingSettings


class CapsuleSettings(DoublingSettings):
    """Of a critic's convolutions and of its capsules."""

    kernel: int = Field(5, ge=3, description="of the first convolution and of the one that makes capsules, odd")
    types: int = Field(8, ge=1, description="of primary capsules; each has one capsule a grid point")
    type_dimensions: int = Field(8, ge=2, description="numbers in a primary capsule")
    max_capsules: int = Field(256, ge=16, description="primary capsules at most; more strided convolutions see to it")
    capsule_dimensions: int = Field(16, ge=2, description="numbers in a capsule of the upper layer")
