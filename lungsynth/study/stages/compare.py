"""Comparisons: generators, or detectors, beside each other, each at the same budget."""

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

    def spent(self, training: Training) -> Training:
        """The training of one of the study's own networks at this budget."""
        return training.model_copy(update={"steps": self.images // training.batch, "checkpoints": self.checkpoints})

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


class ComparedSlices(Compared):
    """Kinds that draw whole slices, beside the chain's composites."""

    from_nothing: bool = Field(
        True,
        description="whether two stages stand beside them all of whose networks are trained here, each with as many "
        "images, and nothing real in what they make",
    )
    coarse: dict[str, int] = Field(
        default_factory=dict,
        description="pixels of a slice along one of a kind's, by kind: it draws smaller slices, enlarged to be scored",
    )

    @model_validator(mode="after")
    def _coarse_are_compared(self):
        if strange := sorted(set(self.coarse) - {*self.kinds, *self.others}):
            raise ValueError(f"coarse: {', '.join(strange)} is not compared")
        if self.coarse and min(self.coarse.values()) < 1:
            raise ValueError(f"coarse: must be 1 or more, got {self.coarse}")
        return self


class Variants(Settings):
    """Runs of the study's own generator of pictures beside each other, what they may spend, and what is scored.

    Where the study has a generator for each class, variants learn from all classes together, without being told.
    """

    seeds: int = Field(2, ge=1, le=100, description="runs of each: the study's seed, and those after it")
    images: int = Field(10000, ge=1, description="shown by the generator to its critic in a run")
    checkpoints: int = Field(1, ge=1, description="cached pieces of a run")
    count: int = Field(400, ge=16, description="images drawn and scored of each run")

    def spent(self, training: Training) -> Training:
        """The study's training at this length."""
        return training.model_copy(
            update={"steps": self.images // training.batch, "checkpoints": self.checkpoints, "threads": 1}
        )


class Sizes(Variants):
    """How many real pictures it takes (GIST)."""

    counts: tuple[int, ...] = Field((100, 200, 400), min_length=1, description="real pictures learnt from")
    init_from: str | None = Field(None, description="weights that as many further runs start from; null: none do")


class Sweep(Variants):
    """All combinations of what is listed; what is not keeps the study's value."""

    seeds: int = Field(1, ge=1, le=100, description="runs of each: the study's seed, and those after it")
    batch: tuple[int, ...] = Field((), description="images a step")
    gamma: tuple[float, ...] = Field((), description="weight of the critic's squared slope (kinds that have it)")
    critic_learning_rate: tuple[float, ...] = Field((), description="of the critic")
    smooth: tuple[float, ...] = Field((), description="what the critic's target for real images lacks of 1")


class ComparedDetectors(Settings):
    """Which kinds of detector are compared, and what each run may spend."""

    kinds: tuple[str, ...] = Field(
        ("cnn_vgg", "faster_rcnn", "unet", "unet_plus_plus", "dense_unet"), min_length=1, description="of detector"
    )
    seeds: int = Field(3, ge=1, le=100, description="runs of each: the study's seed, and those after it")
    patches: int = Field(16000, ge=1, description="training patches that a run is shown")
    batch: int = Field(16, ge=2, description="patches a step")
    checkpoints: int = Field(2, ge=2, description="cached pieces of a run; its own hard negatives join after the first")
    ema: float = Field(0.98, ge=0, lt=1, description="decay of the weights' running average; 0: none")
    settings: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="of single kinds by name, where they are not the kinds' own"
    )
    folds: tuple[str, ...] = Field((), description="studies whose test scans the target pool_detectors takes together")

    @property
    def training(self) -> Training:
        """Of a run."""
        steps = self.patches // self.batch
        return Training(steps=steps, checkpoints=self.checkpoints, batch=self.batch, ema=self.ema)

    @model_validator(mode="after")
    def _can_be_spent(self):
        if double := sorted({name for name in self.kinds if self.kinds.count(name) > 1}):
            raise ValueError(f"{', '.join(double)} stands in kinds twice; once is enough")
        if double := sorted({name for name in self.folds if self.folds.count(name) > 1}):
            raise ValueError(f"{', '.join(double)} stands in folds twice; each scan is tested once")
        if strange := sorted(set(self.settings) - set(self.kinds)):
            raise ValueError(f"settings: {', '.join(strange)} is not compared; kinds names {', '.join(self.kinds)}")
        if self.patches < (least := self.batch * self.checkpoints):
            raise ValueError(f"patches: {self.patches} is less than {least}, a batch of {self.batch} a checkpoint")
        return self


class Compare(Settings):
    """The targets `compare_nodules`, `compare_lungs`, `compare_detectors`; `compare_pictures`, `sizes`, `sweep`."""

    nodules: Compared = Compared(
        kinds=("biggan", "gan", "dcgan", "wgan", "capsule", "w_capsule"),
        others=("wgan_gp", "stylegan", "diffusion"),
    )
    lungs: ComparedSlices = ComparedSlices(kinds=("biggan", "gan", "dcgan", "wgan"), seeds=1, batch=16, count=240)
    pictures: Compared = Compared(kinds=("dcgan", "biggan", "stylegan"), seeds=1, batch=16)
    sizes: Sizes = Sizes()
    sweep: Sweep = Sweep()
    detectors: ComparedDetectors = ComparedDetectors()
