"""The settings of every stage: one model a stage, a sentence and a unit for each key. config.yaml shows them all.

Kinds (readers, segmenters, generators, extractors) keep their own settings in their own folders; here their blocks are
plain mappings, of which the chosen one is validated when the study is loaded.
"""

from typing import Any, Literal

from pydantic import ConfigDict, Field, model_validator

from lungsynth.study.base import Settings
from lungsynth.study.training import Training

Role = Literal["fit", "tune", "domain", "test"]


class WithKinds(Settings):
    """A block that holds one sub-block for each kind under the kind's name; the chosen kind's is validated later."""

    model_config = ConfigDict(extra="allow", frozen=True)

    kind: str = Field(description="the kind that is used; its settings stand in the sub-block of that name")

    def block(self) -> dict[str, Any]:
        """The chosen kind's own settings, as they stand in the study."""
        return dict((self.model_extra or {}).get(self.kind) or {})


class Split(Settings):
    """How many patients each role gets; where the cohort is larger or smaller, shares in this proportion."""

    fit: int = Field(12, ge=0, description="train segmenter, extractors, banks and generators")
    tune: int = Field(3, ge=0, description="set thresholds, selection and the monitor's choice")
    domain: int = Field(4, ge=0, description="give the refiner's targets only")
    test: int = Field(5, ge=0, description="give all reported numbers, references and floors")


PHANTOM_FOV_MM = 358.4
"""Side of a digital chest's square field of view; the pixel follows from `size_px`."""


class Phantom(Settings):
    """The digital chests of the reader `phantom`: how many, how finely they are scanned, which nodules they carry."""

    patients: int = Field(24, ge=1, le=9999, description="digital patients")
    size_px: Literal[128, 256, 512] = Field(256, description="rows and columns: pixels of 2.8, 1.4 or 0.7 mm")
    slices: int = Field(100, ge=40, le=420, description="of a scan; slices x slice_mm is 238 to 262 mm")
    slice_mm: float = Field(2.5, ge=0.6, le=6.0, description="from one slice to the next")
    nodules_min: int = Field(8, ge=0, le=20, description="fewest nodules of a patient")
    nodules_max: int = Field(10, ge=0, le=20, description="most nodules of a patient")
    diameter_min_mm: float = Field(4.0, ge=4.0, le=30.0, description="smallest; sizes follow LUNA16's law from here on")
    diameter_max_mm: float = Field(30.0, ge=4.0, le=30.0, description="largest")

    @property
    def pixel_mm(self) -> float:
        """Side of a pixel."""
        return PHANTOM_FOV_MM / self.size_px

    @model_validator(mode="after")
    def _ranges(self):
        if self.nodules_min > self.nodules_max:
            raise ValueError("nodules_min is larger than nodules_max")
        if self.diameter_min_mm >= self.diameter_max_mm:
            raise ValueError("diameter_min_mm must be smaller than diameter_max_mm")
        height = self.slices * self.slice_mm
        if not 238 <= height <= 262:
            raise ValueError(f"slices x slice_mm is {height:g} mm; a chest takes 238 to 262 mm")
        return self


class Cohort(Settings):
    """Where scans come from and who may be used for what."""

    sources: list[dict[str, Any]] = Field(
        [{"reader": "phantom"}], description="readers with their settings: {reader, path, role or roles, ...}"
    )
    batches: int = Field(4, ge=1, description="jobs that share the scans; the number of jobs is known before the data")
    split: Split = Split()
    quarantine: Literal["report", "stop"] = Field("report", description="what a bad scan does to the run")
    min_patients: int = Field(4, ge=1, description="fewer usable patients stop the run")
    phantom: Phantom = Phantom()


class Image(Settings):
    """The grid and the grey scale of every whole-slice image."""

    size_px: int = Field(160, ge=32, le=1024, description="rows and columns")
    fov_mm: float = Field(320, gt=0, description="field of view, width and height")
    window_hu: tuple[float, float] = Field((-1000, 400), description="HU that reach the networks as -1 and 1")

    @property
    def mm_per_px(self) -> float:
        """Size of a pixel."""
        return self.fov_mm / self.size_px

    @model_validator(mode="after")
    def _window_opens(self):
        if self.window_hu[0] >= self.window_hu[1]:
            raise ValueError(f"window_hu must rise, got {list(self.window_hu)}")
        return self


class Network(Settings):
    """What a detector is given to see. It belongs to the trained weights, as the kind's architecture does."""

    slices: Literal[1, 3, 5] = Field(3, description="neighbouring slices that it sees; the middle one is judged")
    spacing_mm: float = Field(1.4, gt=0, description="pixel size that it works on; slices are resampled to it")
    native_mm: tuple[float, float] | None = Field(
        None, description="pixel sizes from the first to the second are left as they are; null: none"
    )


class Windows(Settings):
    """The contexts that a detector learns from, cut once from the fit scans. It draws its windows from them."""

    context_px: int = Field(64, ge=32, description="side of a context; training windows lie anywhere in it")
    per_volume: int = Field(80, ge=1, description="contexts with a nodule from a whole scan at most; as many without")
    per_slice: int = Field(40, ge=1, description="the same of a single slice")
    per_patch: int = Field(4, ge=1, description="the same of a nodule patch")
    pasted: int = Field(18, ge=0, description="nodules of fit scans laid once more into each fit scan, in other places")

    def per(self, kind: str) -> int:
        """Contexts with a nodule from one scan of a kind: volume, slice or patch."""
        return getattr(self, f"per_{kind}")


class Inference(Settings):
    """How a trained detector is used."""

    views: Literal[1, 8] = Field(
        1, description="ways in which a slice is turned and mirrored; the mean is taken, in as many times the time"
    )


class OperatingPointSettings(Settings):
    """Which candidates there are, and which of them are shown."""

    threshold: float | None = Field(
        None, gt=0, lt=1, description="of the probability; null: chosen on tune patients, or init_from's"
    )
    max_false_positives: float = Field(3, gt=0, description="a tune scan bears so many candidates shown that are none")
    min_diameter_mm: float = Field(3, ge=0, description="of the ball of a candidate's volume; smaller ones are none")
    lung_margin_mm: float = Field(3, ge=0, description="candidates lie in the lungs, grown by this")
    candidate_score: Literal["max", "mean", "shape"] = Field(
        "shape", description="what ranks candidates: largest or mean probability, or odds x compactness x sqrt(volume)"
    )


class Patches(Settings):
    """How a detector is judged on nodule patches: the Dice of others' patches, and a released one's operating point."""

    window_px: int = Field(48, ge=16, description="side of the windows that are drawn anywhere in the patches")
    keep_nodules: float = Field(
        0.9, gt=0, le=1, description="share of the tune patches' nodules that reach a released detector's score"
    )


class ChosenDetector(Settings):
    """A detector as a job makes it: all that its weights are good for."""

    kind: str = Field(description="a folder of lungsynth/segment/kinds")
    settings: dict[str, Any] = Field(default_factory=dict, description="the kind's own")
    network: Network = Network()


class Segment(WithKinds):
    """Nodule segmentation."""

    kind: str = Field("dense_unet", description="of detector; its settings stand under its name")
    init_from: str | None = Field(
        None, description="a folder of models/ whose detector and operating point are taken over; null: train anew"
    )
    network: Network = Network()
    windows: Windows = Windows()
    training: Training = Training(steps=3000, checkpoints=3, batch=16, threads=2, ema=0.98)
    inference: Inference = Inference()
    operating_point: OperatingPointSettings = OperatingPointSettings()
    patches: Patches = Patches()

    @property
    def detector(self) -> ChosenDetector:
        """What is trained, and then used."""
        return ChosenDetector(kind=self.kind, settings=self.block(), network=self.network)

    @model_validator(mode="after")
    def _there_is_a_network(self):
        if not self.training.steps and self.init_from is None:
            raise ValueError("training.steps: 0 trains nothing; name the network in init_from, or take more steps")
        if self.training.checkpoints < 2:
            raise ValueError("training.checkpoints must be 2 at least: hard negatives are mined after the first")
        return self


class Banks(Settings):
    """Real nodules and slices, cut from the scans."""

    cut_from: Literal["segmentation", "annotation"] = Field("segmentation", description="whose masks cut the fit bank")
    nodule_px: int = Field(32, ge=16, description="rows and columns of a nodule image")
    nodule_fov_mm: float = Field(40, gt=0, description="its width")
    margin_mm: float = Field(2, ge=0, description="HU are kept in the mask grown by this, -1000 outside")
    min_cut_px: int = Field(3, ge=1, description="slices that cut a nodule narrower than this are left out")
    normal_gap_mm: float = Field(10, ge=0, description="distance of a normal slice to any mark")
    normal_every: int = Field(1, ge=1, description="take every n-th normal slice")
    min_lung_share: float = Field(0.5, ge=0, le=1, description="lung area of a normal over the scan's largest")

    @property
    def mm_per_px(self) -> float:
        """Size of a nodule image's pixel."""
        return self.nodule_fov_mm / self.nodule_px


class Features(WithKinds):
    """The extractors that the scores and the selection stand on, trained in the workflow."""

    kind: str = Field("compact", description="of network; its settings stand under its name")
    dimensions: int = Field(64, ge=8, description="length of a feature vector")
    training: Training = Training(steps=300, checkpoints=1, batch=16)

    @model_validator(mode="after")
    def _in_one_piece(self):
        if self.training.checkpoints != 1:
            raise ValueError("training.checkpoints must be 1: an extractor is trained in one piece")
        return self


class Sampling(Settings):
    """What is drawn from a trained generator."""

    count: int = Field(400, ge=1, description="images drawn before selection")


class Selection(Settings):
    """Which drawn images are kept: of use, close to real ones, no copies (C3)."""

    keep: int = Field(100, ge=1, description="images kept at most")
    metric: Literal["cosine"] = Field("cosine", description="likeness to the nearest real image's features")
    min_distance_quantile: float = Field(0.01, ge=0, lt=1, description="of real-to-real distances; nearer is a copy")
    match_sizes: bool = Field(True, description="keep the real proportion of sizes: diameters, or lung areas")
    size_quantiles: tuple[float, float] = Field((0.01, 0.99), description="sizes allowed, as quantiles of real ones")

    @model_validator(mode="after")
    def _quantiles_rise(self):
        low, high = self.size_quantiles
        if not 0 <= low < high <= 1:
            raise ValueError(f"size_quantiles must rise from 0 to 1, got {[low, high]}")
        return self


class Generated(WithKinds):
    """One of the two layers of stage 1: its generator, how it is trained, what is drawn and kept."""

    kind: str = Field("w_capsule", description="of generator; its settings stand under its name")
    init_from: str | None = Field(None, description="models/ folder, run, or file of weights to start from; null: none")
    training: Training = Training()
    sampling: Sampling = Sampling()
    selection: Selection = Selection()


class Generate(Settings):
    """The two layers of stage 1."""

    nodules: Generated = Generated(
        kind="w_capsule",
        w_capsule={
            "learning_rate": 5e-4,
            "smooth_doubling": True,
            "generator_channels": 96,
            "generator_least": 16,
            "critic_channels": 16,
            "critic_most": 64,
        },
        training=Training(steps=700, batch=32, ema=0.98),
        sampling=Sampling(count=600),
        selection=Selection(keep=200),
    )
    normals: Generated = Generated(
        kind="dcgan",
        dcgan={
            "z": 40,
            "learning_rate": 7e-4,
            "critic_learning_rate": 2e-4,
            "generator_channels": 96,
            "generator_least": 8,
            "critic_channels": 8,
            "prior_code": 24,
            "reconstruct": 30.0,
            "start_from_mean": False,
        },
        training=Training(steps=800, batch=16, ema=0.99),
        sampling=Sampling(count=400),
        selection=Selection(keep=60, size_quantiles=(0.1, 0.9)),
    )


class Monitor(Settings):
    """The loss monitor (FACTS 5.5): slopes of the losses over a growing window tell when to stop."""

    mode: Literal["auto", "none", "report", "stop"] = Field(
        "auto", description="auto: stop for BCE, report for the rest"
    )
    check: int = Field(10, ge=1, description="points between two looks")
    start: int = Field(50, ge=5, description="first look")
    hump: float = Field(1.5, gt=0, description="rise of the generator's loss that counts as a hump")
    settle: float = Field(0.02, gt=0, description="slope under which the fall after a hump has ended")
    min_window: int = Field(50, ge=5, description="points a slope needs")
    eps_g: float = Field(0.0025, gt=0, description="largest stable slope of the generator's loss, a point")
    eps_d: float = Field(0.0003, gt=0, description="largest stable slope of the discriminator's loss, a point")
    fail: float = Field(0.03, gt=0, description="slope of the last 50 points that means divergence after a stop")


MOST_ROWS = 2**31 - 1
"""Tables of groups and plans number their rows in 32 bits."""


class Groups(Settings):
    """Groups of nodules that are laid on one lung together (C8)."""

    count: int = Field(400, ge=1, le=MOST_ROWS, description="groups drawn")
    size_max: int = Field(3, ge=1, le=255, description="members at most; masks number them in 8 bits")
    size_mean: float = Field(1.5, gt=0, description="mean of the Poisson law before it is cut to 1..size_max")
    gap_mm: float = Field(2, ge=0, description="between the edges of two members")
    tries: int = Field(50, ge=1, description="positions tried for a member")
    n_generated: int = Field(200, ge=0, description="generated nodules in the pool")
    n_real: int = Field(40, ge=0, description="real nodules in the pool")


class Normals(Settings):
    """The lungs that groups are laid on."""

    n_generated: int = Field(60, ge=0, description="generated normals in the pool")
    n_real: int = Field(20, ge=0, description="real normals in the pool")


class Presence(Settings):
    """Where nodules occur (C9)."""

    bins: int = Field(32, ge=4, description="of the map, along each side of the lung's box")
    sigma: float = Field(0.05, gt=0, description="Gaussian smoothing, as a share of the box")
    uniform: float = Field(0.1, ge=0, le=1, description="share of a uniform map mixed in")


class Plan(Settings):
    """Which of all combinations are kept (C2)."""

    keep: int = Field(2000, ge=1, le=MOST_ROWS, description="composites in the plan")
    score: Literal["min_clearance", "mean_clearance", "min_center", "mean_center"] = "min_clearance"
    min_contrast_hu: float = Field(80, ge=0, description="of a lesion to what it is laid on, in the nodule's mean HU")
    max_per_normal: int | None = Field(50, ge=1, description="composites of one normal; null: no bound")
    max_per_group: int | None = Field(12, ge=1, description="composites of one group; null: no bound")


class Render(Settings):
    """How much of the plan is rendered, and how."""

    count: int = Field(240, ge=1, description="composites rendered")
    pick: Literal["best", "spread"] = Field("spread", description="the plan's best, or even steps through all of it")
    shard_size: int = Field(120, ge=1, description="composites in a shard")
    feather_mm: float = Field(1.0, ge=0, description="soft edge of a lesion (C10)")
    texture: float = Field(1.0, ge=0, le=1, description="share of the background's texture kept in a lesion")

    @property
    def shards(self) -> int:
        """Number of shards."""
        return -(-self.count // self.shard_size)


class Compose(Settings):
    """Groups on normals: the plan is an index, rendering is on demand."""

    groups: Groups = Groups()
    normals: Normals = Normals()
    presence: Presence = Presence()
    plan: Plan = Plan()
    render: Render = Render()
    min_diameter_px: float = Field(3, ge=1, description="smaller nodules are not laid on images")

    @model_validator(mode="after")
    def _plan_holds_what_is_rendered(self):
        if self.render.count > self.plan.keep:
            raise ValueError(f"render.count {self.render.count} is more than plan.keep {self.plan.keep}")
        return self


class Gate(Settings):
    """What a refined lesion may not do; what falls under a bound is counted and left out of the release."""

    min_contrast_share: float = Field(0.5, ge=0, le=1, description="contrast after over before; less is erased")
    move_mm: float = Field(2, ge=0, description="a centroid may move by this, or by move_radius_share, the larger")
    move_radius_share: float = Field(0.5, ge=0, description="of the lesion's radius")
    ring_mm: tuple[float, float] = Field((2, 4), description="the ring outside a lesion that its contrast is taken to")
    threshold: float = Field(0.5, gt=0, lt=1, description="of the segmenter's probability, for a lesion's outline")
    suspected_share: float = Field(1, gt=0, le=1, description="of the threshold: what reached it before is not new")
    invented_mm: float = Field(3, gt=0, description="smallest new component that counts as invented")


class RefineNetwork(Settings):
    """Sizes of the CycleGAN (FACTS 4.4)."""

    filters: int = Field(8, ge=4, description="of the generators' first level; doubled at each of two halvings")
    blocks: int = Field(3, ge=1, description="residual blocks at a quarter of the size")
    residual: bool = Field(True, description="the generators add a bounded change to their input")
    max_shift_hu: float = Field(80, gt=0, description="largest change where residual is true")
    discriminator_filters: int = Field(16, ge=4, description="of the PatchGAN's first level")
    discriminator_layers: int = Field(2, ge=1, description="strided levels of the PatchGAN; 3 see 70 px")
    discriminator_norm: bool = Field(False, description="instance norm in the PatchGAN, as published; hides blur")
    discriminator_detail: float = Field(5, ge=0, description="gain of its second input, the fine detail; 0: none")


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

    init_from: str | None = Field(None, description="models/ folder, run, or file of weights to start from; null: none")
    training: Training = Training(steps=600, batch=1, threads=2, ema=0.98)
    gate: Gate = Gate()


class Weights(Settings):
    """A file with weights that the user has."""

    path: str = Field(description="under LUNGSYNTH_DATA: .safetensors, or a PyTorch state dict")
    sha256: str = Field(pattern="^[0-9a-fA-F]{64}$", description="of the file; another one is refused")


class Score(Settings):
    """Which numbers, and how sure they are."""

    metrics: list[str] = Field(
        [
            *("inception_score", "fid", "kid", "precision", "recall", "density", "coverage"),
            *("authenticity", "membership"),
        ],
        description="names of lungsynth/score/metrics",
    )
    images: int = Field(5000, ge=100, description="of a set of shards that scores look at, at most: a seeded sample")
    bootstrap: int = Field(200, ge=20, description="resamples behind an interval")
    floors: int = Field(10, ge=1, description="random halves behind a floor")
    confidence: float = Field(0.95, gt=0.5, lt=1, description="of every interval")
    inception: Weights | None = Field(None, description="{path, sha256} of InceptionV3 weights: scores by them too")


class Release(Settings):
    """What is handed over."""

    formats: list[str] = Field(
        ["nifti", "png16"],
        min_length=1,
        description="names of lungsynth/release/formats; the tables point to the first",
    )
    slice_mm: float = Field(2.5, gt=0, description="thickness written into a 2-D image's spacing")
    title: str = Field("Synthetic chest CT slices with lung nodules", description="of the datasheet and report")
    licence: str = Field("CC BY 4.0", description="of the released data")
    source_note: str = Field(
        "Source images are digital phantoms made by this software; no patient's data is in them.",
        description="a line on the source data for the datasheet: licence, attribution",
    )

    @model_validator(mode="after")
    def _each_format_once(self):
        if double := sorted({name for name in self.formats if self.formats.count(name) > 1}):
            raise ValueError(f"formats names {', '.join(double)} twice; once is enough")
        return self
