"""Comparisons: generators beside each other, each at the same budget."""

from typing import Any, Literal

from pydantic import Field, model_validator

from lungsynth.study.base import Settings
from lungsynth.study.training import Training

SEARCHED_SHARE = 4
"""A rate is tried with the budget over this."""


class Compared(Settings):
    """Which kinds are compared for one target, and what each run may spend."""

    kinds: tuple[str, ...] = Field(min_length=1, description="of generator, with `seeds` runs each")
    others: tuple[str, ...] = Field((), description="kinds with one run each")
    seeds: int = Field(3, ge=1, le=100, description="runs of each of `kinds`: the study's seed, and those after it")
    images: int = Field(16000, ge=1, description="shown by the generator to its critic in a run")
    batch: int = Field(32, ge=1, description="images a step")
    checkpoints: int = Field(2, ge=1, description="cached pieces of a run")
    precision: Literal["float32", "bfloat16"] = Field("float32", description="of the forward passes")
    ema: float = Field(0.98, ge=0, lt=1, description="decay of the generator's running average; 0: none")
    rates: tuple[float, ...] = Field(
        (0.5, 1, 2),
        min_length=1,
        description="factors on a kind's learning rates, each tried with a quarter of the images and judged on tune by "
        "KID; one: taken as it is",
    )
    count: int = Field(400, ge=16, description="images drawn and scored of each run")
    settings: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="of single kinds by name, where they are not the kinds' own"
    )

    @property
    def training(self) -> Training:
        """Of a run."""
        return self._training(self.images, self.checkpoints)

    @property
    def searching(self) -> Training:
        """Of a run that tries a rate."""
        return self._training(self.images // SEARCHED_SHARE, 1)

    def _training(self, images: int, checkpoints: int) -> Training:
        return Training(
            steps=images // self.batch,
            checkpoints=checkpoints,
            batch=self.batch,
            precision=self.precision,
            ema=self.ema,
        )

    @model_validator(mode="after")
    def _can_be_spent(self):
        named = [*self.kinds, *self.others]
        if double := sorted({name for name in named if named.count(name) > 1}):
            raise ValueError(f"{', '.join(double)} stands in kinds and others twice; once is enough")
        if strange := sorted(set(self.settings) - set(named)):
            raise ValueError(
                f"settings: {', '.join(strange)} is not compared; kinds and others name {', '.join(named)}"
            )
        if min(self.rates) <= 0 or len(set(self.rates)) < len(self.rates):
            raise ValueError(f"rates must be above 0 and differ, got {list(self.rates)}")
        least = self.batch * max(self.checkpoints, SEARCHED_SHARE if len(self.rates) > 1 else 1)
        if self.images < least:
            raise ValueError(
                f"images: {self.images} is less than {least}, a batch of {self.batch} for each checkpoint and each rate"
            )
        return self


class Compare(Settings):
    """The targets `compare_nodules` and `compare_lungs`."""

    nodules: Compared = Compared(
        kinds=("biggan", "gan", "dcgan", "wgan", "capsule", "w_capsule"),
        others=("wgan_gp", "stylegan", "diffusion"),
    )
    lungs: Compared = Compared(kinds=("biggan", "gan", "dcgan", "wgan"), seeds=1, batch=16, count=240)
