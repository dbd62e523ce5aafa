"""Stage 1: generators, what is drawn, what is kept, and the monitor of their losses."""

from typing import Literal

from pydantic import Field, model_validator

from lungsynth.study.base import Settings, WithKinds
from lungsynth.study.training import Training


class Sampling(Settings):
    """What is drawn from a trained generator."""

    count: int = Field(400, ge=1, description="images drawn before selection")


class Selection(Settings):
    """Which drawn images are kept: of use, as near to real ones as real ones are, no copies (C3)."""

    keep: int = Field(100, ge=1, description="images kept at most")
    metric: Literal["cosine"] = Field("cosine", description="likeness to the nearest real image's features")
    prefer: Literal["even", "likeness"] = Field(
        "even", description="an even draw among what passes, or the likest first as published, which are the smoothest"
    )
    min_likeness_quantile: float | None = Field(
        0.01, ge=0, lt=1, description="of tune images' likeness to fit ones; one less alike is left out; null: none is"
    )
    min_distance_quantile: float = Field(0.01, ge=0, lt=1, description="of real-to-real distances; nearer is a copy")
    match_sizes: bool = Field(True, description="keep the real proportion of sizes: diameters, or lung areas")
    size_quantiles: tuple[float, float] = Field((0.01, 0.99), description="sizes allowed, as quantiles of real ones")

    @model_validator(mode="after")
    def _quantiles_rise(self):
        low, high = self.size_quantiles
        if not 0 <= low < high <= 1:
            raise ValueError(f"size_quantiles must rise from 0 to 1, got {[low, high]}")
        return self


MOST_CLASSES = 16


class Labels(Settings):
    """Where a bank's images get the classes that a generator learns and draws by."""

    column: str = Field(description="of the bank's table; text and whole numbers: each value is a class")
    cuts: tuple[float, ...] | None = Field(
        None,
        min_length=1,
        max_length=MOST_CLASSES - 1,
        description="where other numbers are cut; n cuts: n + 1 classes",
    )
    names: tuple[str, ...] | None = Field(
        None, min_length=2, max_length=MOST_CLASSES, description="values that are classes, in order; null: all, sorted"
    )

    @model_validator(mode="after")
    def _classes_are_told_apart(self):
        if self.cuts and sorted(set(self.cuts)) != list(self.cuts):
            raise ValueError(f"cuts must rise, got {list(self.cuts)}")
        if self.cuts and self.names:
            raise ValueError("names: what is cut is named by the cuts; leave names out")
        return self


class Generated(WithKinds):
    """One of the two layers of stage 1: its generator, how it is trained, what is drawn and kept."""

    kind: str = Field("w_capsule", description="of generator; its settings stand under its name")
    init_from: str | None = Field(None, description="models/ folder, path of one, run, or file of weights; null: none")
    labels: Labels | None = Field(None, description="classes that it learns and draws by; null: none")
    training: Training = Training()
    use: Literal["last", "slope", "best_kid"] = Field(
        "last", description="state that draws: the last, the one at the monitor's stop, or of the least KID to tune"
    )
    sampling: Sampling = Sampling()
    selection: Selection = Selection()

    @model_validator(mode="after")
    def _something_to_choose_from(self):
        if self.use != "last" and not self.training.steps:
            raise ValueError(f"use: {self.use} takes one of a training's states, and training.steps is 0")
        return self

    @model_validator(mode="before")
    @classmethod
    def _nodules_have_one_scale(cls, values):
        if isinstance(values, dict) and "detail" in values and "detail" not in cls.model_fields:
            raise ValueError("detail: nodules are drawn in one piece; only generate.normals has a detail network")
        return values


class DetailNetwork(Settings):
    """Sizes of the detail network and of its judge."""

    channels: int = Field(24, ge=4, description="of the first level; twice and three times as many below")
    blocks: int = Field(4, ge=1, description="residual blocks at a quarter of the size")
    judge_channels: int = Field(24, ge=4, description="of the judge's first level; doubled at each of two halvings")


class DetailObjective(Settings):
    """What the detail network learns from, and towards what (FACTS 12)."""

    crop_px: int = Field(96, ge=32, description="side of a training crop of a slice at full size")
    learning_rate: float = Field(4e-4, gt=0, description="Adam, both networks; constant, then linear to a twentieth")
    keep: float = Field(20, ge=0, description="weight of agreement with the coarse slice (L1), pooled")
    near: float = Field(6, ge=0, description="weight of nearness to the real slice (L1)")
    grain: float = Field(
        0, ge=0, description="weight of agreement of the log spectra (L1): strength and length of grain"
    )
    alone: int = Field(60, ge=0, description="first steps that only learn these two")
    blur_px: float = Field(0.8, ge=0, description="most blur of the coarse slice in training: drawn ones are softer")
    noise: float = Field(0.06, ge=0, description="largest sd of its noise in training, of a grey scale of 2")


class DetailSettings(Settings):
    """What a detail network is and what it learns."""

    network: DetailNetwork = DetailNetwork()
    objective: DetailObjective = DetailObjective()


class Detail(DetailSettings):
    """The second of two scales: the generator draws coarse slices, this network makes them slices at full size."""

    factor: int = Field(1, ge=1, le=16, description="pixels of a slice along a coarse one's; 1: no detail network")
    init_from: str | None = Field(None, description="models/ folder, path of one, run, or file of weights; null: none")
    training: Training = Training(steps=2000, batch=4, ema=0.995)


class GeneratedSlices(Generated):
    """The layer of whole slices, which may be drawn in two scales."""

    detail: Detail = Detail()


class GeneratedPictures(Generated):
    """Pictures of a folder with a class each."""

    classes: Literal["labels", "runs", "none"] = Field(
        "runs", description="one generator learns by class, each class has one of its own, or classes are not told"
    )
    count: int | None = Field(None, ge=2, description="pictures that a run learns from; null: all")

    @model_validator(mode="after")
    def _one_run_has_states(self):
        if self.classes == "runs" and self.use != "last":
            raise ValueError(f"use: {self.use} chooses among one run's states, and classes: runs trains several")
        return self


class Generate(Settings):
    """The two layers of stage 1, and what the chain of pictures draws."""

    release: tuple[Literal["nodules", "normals"], ...] = Field(
        ("nodules", "normals"),
        description="whose generators `release_generators` writes as models/ holds them; of pictures all classes'",
    )
    nodules: Generated = Generated(
        kind="w_capsule",
        w_capsule={
            "z": 48,
            "learning_rate": 5e-4,
            "smooth_doubling": True,
            "generator_channels": 96,
            "generator_least": 16,
            "critic_channels": 16,
            "critic_most": 64,
            "prior_code": 20,
            "reconstruct": 300,
            "start_from_mean": False,
        },
        init_from="phantom_nodules",
        training=Training(steps=0, batch=32, ema=0.98),
        sampling=Sampling(count=600),
        selection=Selection(keep=200),
    )
    normals: GeneratedSlices = GeneratedSlices(
        kind="dcgan",
        dcgan={
            "z": 64,
            "pixel_norm": True,
            "generator_channels": 160,
            "generator_least": 40,
            "critic_channels": 64,
            "critic_most": 256,
            "critic_spread": True,
            "learning_rate": 1.5e-3,
            "critic_learning_rate": 7.5e-4,
            "betas": (0.0, 0.99),
            "r1": 0.3,
            "augment": {"shift_px": 2, "grey": 0.03},
        },
        init_from="phantom_slices",
        training=Training(steps=0, batch=16, ema=0.998),
        detail=Detail(factor=4, training=Training(steps=0, batch=4, ema=0.995)),
        sampling=Sampling(count=400),
        selection=Selection(keep=60, size_quantiles=(0.1, 0.9)),
    )
    pictures: GeneratedPictures = GeneratedPictures(
        kind="dcgan",
        dcgan={"preset": "few"},
        training=Training(steps=300, batch=16, ema=0.99),
        sampling=Sampling(count=200),
        selection=Selection(keep=100),
    )


class Draw(Settings):
    """The target `draw`: a folder of images from a generator that ships, without any scan or training."""

    network: str | None = Field(None, description="a folder of models/, or path of one, with a generator; null: none")
    count: int = Field(100, ge=1, le=100_000, description="images")


class Monitor(Settings):
    """The loss monitor (FACTS 5.5): slopes of the losses over a growing window tell when to stop."""

    mode: Literal["auto", "none", "report", "stop"] = Field(
        "report", description="auto: stop trainings with BCE losses, report on the rest"
    )
    check: int = Field(10, ge=1, description="points between two looks")
    start: int = Field(50, ge=5, description="first look")
    hump: float = Field(1.5, gt=0, description="rise of the generator's loss that counts as a hump")
    settle: float = Field(0.02, gt=0, description="slope under which the fall after a hump has ended")
    min_window: int = Field(50, ge=5, description="points a slope needs")
    eps_g: float = Field(0.0025, gt=0, description="largest stable slope of the generator's loss, a point")
    eps_d: float = Field(0.0003, gt=0, description="largest stable slope of the discriminator's loss, a point")
    fail: float = Field(0.03, gt=0, description="slope of the last 50 points that means divergence after a stop")
    collapse: float = Field(
        0.2,
        ge=0,
        lt=1,
        description="spread of a fixed batch of images, over real ones', that means collapse",
    )
