"""Stage 2: the CycleGAN of composites, and the gate behind it."""

from typing import Literal

from pydantic import Field

from lungsynth.study.base import Settings
from lungsynth.study.training import Training


class Gate(Settings):
    """What a refined lesion may not do; what falls under a bound is counted and left out of the release."""

    eye: str | None = Field(
        "phantom_gate",
        description="folder of models/, or path of one: the segmenter that it sees through; null: the study's own",
    )
    min_contrast_share: float = Field(0.5, ge=0, le=1, description="contrast after over before; less is erased")
    move_mm: float = Field(2, ge=0, description="a centroid may move by this, or by move_radius_share, the larger")
    move_radius_share: float = Field(0.5, ge=0, description="of the lesion's radius")
    ring_mm: tuple[float, float] = Field((2, 4), description="the ring outside a lesion that its contrast is taken to")
    threshold: float | None = Field(
        None, gt=0, lt=1, description="of the segmenter's probability; null: the one that tune slices set"
    )
    sensitivity: float = Field(0.92, gt=0, lt=1, description="share of the nodules of tune slices that it finds")
    suspected_share: float = Field(0.5, gt=0, le=1, description="of the threshold: what reached it before is not new")
    invented_mm: float = Field(3, gt=0, description="smallest new component that counts as invented")
    invented_hu: float = Field(40, ge=0, description="rise of its contrast from which it is new in the image")


class RefineNetwork(Settings):
    """Sizes of the CycleGAN (FACTS 4.4)."""

    filters: int = Field(8, ge=4, description="of the generators' first level; doubled at each of two halvings")
    blocks: int = Field(3, ge=1, description="residual blocks at a quarter of the size")
    residual: bool = Field(True, description="the generators add a bounded change to their input")
    max_shift_hu: float = Field(80, gt=0, description="largest change where residual is true")
    discriminator_filters: int = Field(16, ge=4, description="of the PatchGAN's first level")
    discriminator_layers: int = Field(2, ge=1, description="strided levels of the PatchGAN; 3 see 70 px")
    discriminator_norm: Literal["none", "instance", "spectral"] = Field(
        "none", description="in the PatchGAN: instance is as published and hides blur; spectral bounds its slope"
    )
    discriminator_detail: float = Field(5, ge=0, description="gain of its second input, the fine detail; 0: none")
    discriminator_fine: bool = Field(False, description="a second judgement, of fine grain: one strided level only")


class Objective(Settings):
    """What the CycleGAN learns from, and towards what."""

    composites: int = Field(2000, ge=1, description="that it learns from, at most: a seeded sample of all shards")
    crop_px: int = Field(96, ge=32, description="side of a training crop")
    learning_rate: float = Field(4e-4, gt=0, description="Adam, betas (.5, .999); constant, then linear to 0")
    discriminator_rate: float = Field(1, gt=0, description="the discriminators' learning rate over the generators'")
    discriminator_batches: int = Field(4, ge=1, description="batches a discriminator's step sees; fakes of the pool")
    cycle: float = Field(5, ge=0, description="weight of the cycle term")
    identity: float = Field(0.5, ge=0, description="weight of the identity term, relative to cycle")
    pool: int = Field(50, ge=0, description="past fakes shown to the discriminators")
    jitter_px: int = Field(
        0, ge=0, description="most pixels by which what is judged is moved: a judge's strides leave no pattern then"
    )


class Protect(Settings):
    """What keeps lesions as they were laid."""

    lesions: bool = Field(True, description="whether they are protected at all; false: as published")
    weight: float = Field(
        10, ge=1, description="of the identity and cycle terms in and round the lesions, over elsewhere"
    )
    hold: float = Field(10, ge=0, description="weight of any change in and round the lesions; 0: none")


class CycleGanSettings(Settings):
    """What the refiner is and what it learns (FACTS 4.4)."""

    network: RefineNetwork = RefineNetwork()
    objective: Objective = Objective()
    protect: Protect = Protect()


class Refine(CycleGanSettings):
    """CycleGAN of the composites towards real slices, and the gate behind it."""

    init_from: str | None = Field(None, description="models/ folder, path of one, run, or file of weights; null: none")
    training: Training = Training(steps=300, batch=1, threads=2, ema=0.98)
    gate: Gate = Gate()
    judge: str | None = Field(
        "phantom_judge",
        description="folder of models/, or path of one: a segmenter that neither refiner nor gate sees through, and "
        "whose rates are published; null: none",
    )

    @property
    def eyes(self) -> dict[str, str | None]:
        """The shipped segmenter that `gate` and, where there is one, `judge` see through; None: the study's own."""
        return {"gate": self.gate.eye, **({"judge": self.judge} if self.judge else {})}
