"""Nodule detection and segmentation, cut by step."""

from typing import Any, Literal

from pydantic import Field, model_validator

from lungsynth.study.base import Settings, WithKinds
from lungsynth.study.training import Training


class Network(Settings):
    """What a detector is given to see. It belongs to the trained weights, as the kind's architecture does."""

    slices: Literal[1, 3, 5] = Field(3, description="neighbouring slices that it sees; the middle one is judged")
    spacing_mm: float = Field(1.4, gt=0, description="pixel size that it works on; slices are resampled to it")
    native_mm: tuple[float, float] | None = Field(
        None, description="pixel sizes from the first to the second are left as they are; null: none"
    )


class Cubes(Settings):
    """What is cut in depth round the middle of each context, for kinds that judge in three dimensions."""

    planes: int = Field(9, ge=0, description="of a cube, an odd number; each is the nearest slice. 0: none are cut")
    step_mm: float = Field(2.5, gt=0, description="from plane to plane")
    side_px: int = Field(28, ge=8, description="side of a plane, in pixels of the network; a context's at most")

    @model_validator(mode="after")
    def _has_a_middle(self):
        if self.planes and self.planes % 2 == 0:
            raise ValueError(f"planes must be odd, so that one is the middle, got {self.planes}")
        return self


class Windows(Settings):
    """The contexts that a detector learns from, cut once from the fit scans. It draws its windows from them."""

    context_px: int = Field(64, ge=32, description="side of a context; training windows lie anywhere in it")
    per_volume: int = Field(80, ge=1, description="contexts with a nodule from a whole scan at most; as many without")
    per_slice: int = Field(40, ge=1, description="the same of a single slice")
    per_patch: int = Field(4, ge=1, description="the same of a nodule patch")
    pasted: int = Field(18, ge=0, description="nodules of fit scans laid once more into each fit scan, in other places")
    cubes: Cubes = Cubes()

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


class CubeNetwork(Settings):
    """What judges candidates in three dimensions, and what it is shown. It belongs to the trained weights."""

    side: int = Field(32, ge=16, multiple_of=16, description="voxels along each side of a cube")
    spacing_mm: float = Field(1.0, gt=0, description="side of a voxel; 32 of 1 mm show what is within 16 mm")
    widths: tuple[int, int, int] = Field((16, 32, 64), description="channels at a half, a quarter and an eighth of it")
    members: int = Field(1, ge=1, description="networks, trained side by side; the mean of their probabilities counts")


class Cuts(Settings):
    """The network's probability under which it lowers a candidate's; of its weights."""

    thin: float = Field(0.5, gt=0, lt=1, description="in slices no farther apart than thick_mm")
    thick: float | None = Field(None, gt=0, lt=1, description="in slices farther apart; null: the same")
    thick_mm: float = Field(3.5, gt=0, description="distance of slices beyond which they are thick")

    def are_thick(self, slice_mm: float) -> bool:
        """Whether slices so far apart are thick."""
        return slice_mm > self.thick_mm

    def at(self, slice_mm: float) -> float:
        """The cut for slices so far apart."""
        return self.thick if self.thick is not None and self.are_thick(slice_mm) else self.thin


class NoduleVolumes(Settings):
    """Nodules in three dimensions that networks for candidates and for outlines learn from."""

    path: str | None = Field(
        "lidc_volumes",
        description="folder under LUNGSYNTH_DATA with vois.npz, cubes.npz and their tables, learnt from beside the "
        "outlined nodules of the study's scans; null: these alone",
    )
    exclude_patients: tuple[str, ...] = Field((), description="patients who train and tune nothing")
    test_modulus: int = Field(5, ge=2, description="patients whose id's SHA-256 this divides train and tune nothing")
    tune_remainder: int = Field(1, ge=1, description="patients whose remainder is this set the cut")

    @model_validator(mode="after")
    def _remainder_is_one(self):
        if self.tune_remainder >= self.test_modulus:
            raise ValueError(f"tune_remainder must be smaller than test_modulus, {self.test_modulus}")
        return self


class Volumetric(Settings):
    """The third dimension: candidates of any kind of detector judged once more, from a cube of the scan round each."""

    init_from: str | None = Field(
        None, description="a folder of models/, or path of one, with such a network; null: none"
    )
    network: CubeNetwork = CubeNetwork()
    cuts: Cuts = Cuts()
    most: int = Field(
        200, ge=1, description="candidates of a scan that are judged, most probable first; LUNA16's score takes 100"
    )
    most_thick: int | None = Field(
        None,
        ge=1,
        description="candidates that keep their odds, the best by detector and network together, in a scan with slices "
        "farther apart than cuts.thick_mm; null: any number",
    )
    nodules: NoduleVolumes = NoduleVolumes()
    thin_mm: tuple[float, ...] = Field(
        (5.0, 8.0), description="slice distances to which scans are thinned once more for their candidates, about"
    )
    per_scan: int = Field(80, ge=1, description="candidates that are no nodule taken from a scan, most probable first")
    draws: int = Field(1, ge=1, description="cubes of each such candidate, each beside a nodule's")
    learning_rate: float = Field(2e-3, gt=0, description="AdamW, falling to 0 along half a cosine")
    weight_decay: float = Field(1e-2, ge=0, description="AdamW")
    training: Training = Training(steps=1000, checkpoints=4, batch=32, threads=1, ema=0.98)
    keep: float = Field(
        0.95, gt=0, le=1, description="share of the tune patients' nodules that reach a released cut in thin slices"
    )
    keep_thick: float = Field(
        0.9, gt=0, le=1, description="the same in thick ones, where detectors show many more false candidates"
    )


class OutlineNetwork(Settings):
    """What outlines candidates in space, and how they are shown to it. It belongs to the trained weights."""

    side: int = Field(32, ge=16, multiple_of=8, description="voxels along each side of a cube")
    times: float = Field(3.2, gt=1, description="side of a cube over the diameter of the candidate's ball")
    side_mm: tuple[float, float] = Field((16.0, 72.0), description="least and largest side of a cube")
    widths: tuple[int, int, int, int] = Field((16, 32, 64, 96), description="channels of the four sizes, finest first")

    @model_validator(mode="after")
    def _sides_rise(self):
        if not 0 < self.side_mm[0] <= self.side_mm[1]:
            raise ValueError(f"side_mm must be above 0 and rise, got {list(self.side_mm)}")
        return self


class Outlines(Settings):
    """Candidates that are shown, outlined in space by a network. It learns from the nodules of `Volumetric` too."""

    init_from: str | None = Field(
        None, description="a folder of models/, or path of one, with such a network; null: outlines stay the detector's"
    )
    network: OutlineNetwork = OutlineNetwork()
    invented: float = Field(
        0.2, ge=0, le=0.5, description="share of a batch that are nodules of crops made fainter, or hollow"
    )
    whole: float = Field(
        0.25, ge=0, le=0.5, description="share of a batch that has surroundings on all sides, where there is such"
    )
    learning_rate: float = Field(6e-3, gt=0, description="AdamW, falling to 0 along half a cosine")
    weight_decay: float = Field(1e-2, ge=0, description="AdamW")
    warmup: int = Field(50, ge=0, description="steps in which the rate rises from 0")
    training: Training = Training(steps=1500, checkpoints=3, points_every=5, batch=8, threads=1, ema=0.99)


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
        "phantom_segmenter",
        description="a folder of models/, or path of one: its detector and operating point are taken; null: train anew",
    )
    network: Network = Network()
    windows: Windows = Windows()
    training: Training = Training(steps=0, checkpoints=3, batch=16, threads=2, ema=0.98)
    inference: Inference = Inference()
    operating_point: OperatingPointSettings = OperatingPointSettings()
    patches: Patches = Patches()
    volumetric: Volumetric = Volumetric()
    outlines: Outlines = Outlines()

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
