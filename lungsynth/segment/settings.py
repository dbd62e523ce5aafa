"""What the settings of detectors share. Read while Snakemake reads its rules: pydantic and `lungsynth.study` only."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from lungsynth.segment.training.augmentation import Augmentation
from lungsynth.study.base import Settings, WithPreset
from lungsynth.study.stages.segment import Network, Windows


class Seen(Settings):
    """An architecture's door: how HU reach it, and how sure its answers are."""

    window_hu: tuple[float, float] = Field((-1000, 400), description="HU that the network sees as -1 and 1")
    temperature: float = Field(4.0, gt=0, description="divides the logits when the network is used; .5 stays .5")

    @model_validator(mode="after")
    def _window_opens(self):
        if self.window_hu[0] >= self.window_hu[1]:
            raise ValueError(f"window_hu must rise, got {list(self.window_hu)}")
        return self


class DetectorSettings(Settings):
    """The settings of every detector extend this.

    A kind declares a field `architecture`, a model of all that its trained weights fix: where a study starts from a
    trained network, that block is the network's own. Its other fields say how it learns, or how it is used.
    """

    gives_probability: ClassVar[bool] = False
    """Whether the kind judges every voxel (see `lungsynth.segment.voxels`): masks, banks and the gate need that."""

    def check_contexts(self, network: Network, windows: Windows) -> None:
        """Refuse contexts that the kind cannot learn from; said before anything is cut or trained.

        Raises:
            ValueError: which setting is too small, and what it takes.
        """


class LearningSettings(DetectorSettings):
    """Of a detector that learns by AdamW at a rate that rises and falls."""

    learning_rate: float = Field(2e-3, gt=0, description="AdamW, falling to 0 along half a cosine")
    weight_decay: float = Field(1e-2, ge=0, description="AdamW")
    warmup: int = Field(20, ge=0, description="steps in which the rate rises from 0")
    augmentation: Augmentation = Augmentation()


class SliceSettings(LearningSettings):
    """Of a detector that judges slices pixel by pixel and learns from windows of them."""

    gives_probability: ClassVar[bool] = True

    window_px: int = Field(32, ge=16, description="side of a training window")
    windows_px: tuple[Annotated[int, Field(ge=16)], ...] = Field(
        (), description="sizes that a batch is drawn in, besides window_px; empty: none"
    )
    targets: Literal["consensus", "votes"] = Field(
        "consensus", description="masks of at least half of the readers, or the share of the readers who hold a pixel"
    )
    negatives: float = Field(0.5, gt=0, lt=1, description="share of the windows that was cut without a nodule")
    dice: float = Field(1.0, ge=0, description="weight of the Dice term beside 1 x cross entropy")

    @model_validator(mode="after")
    def _no_size_tells_the_place(self):
        if max(self.sizes_px) > self.window_px and not self.augmentation.warps:
            raise ValueError(
                f"windows_px {max(self.windows_px)} is larger than window_px {self.window_px}: cut from a context and "
                "not warped, larger windows have the nodule nearer to their middle; let window_px be the largest, or "
                "set a turn, zoom, stretch or bend_px of augmentation"
            )
        return self

    def check_contexts(self, network: Network, windows: Windows) -> None:
        """See `DetectorSettings`: a window lies in its context."""
        for name, size in self._named_sizes():
            if size > windows.context_px:
                raise ValueError(f"{name} {size} is larger than segment.windows.context_px {windows.context_px}")

    @property
    def sizes_px(self) -> tuple[int, ...]:
        """The sides of training windows: each batch is of one of them."""
        return self.window_px, *self.windows_px

    def _named_sizes(self) -> list[tuple[str, int]]:
        """The sizes, each with the key that it stands under."""
        return [("window_px", self.window_px), *(("windows_px", size) for size in self.windows_px)]

    def _check_multiple(self, halvings: int, of_what: str) -> None:
        """Refuse sizes that the network's levels do not divide."""
        for name, size in self._named_sizes():
            if size % halvings:
                raise ValueError(f"{name} {size} must be a multiple of {halvings} for {of_what}")


class FiveLevels(WithPreset, Seen):
    """Sizes of a network of MONAI with five levels."""

    presets: ClassVar[dict[str, dict[str, Any]]] = {}

    widths: tuple[int, int, int, int, int] = Field(description="channels of the five levels, top down")
    halvings: ClassVar[int] = 16
    """By how much the deepest level is smaller than the input, along each side."""


class FiveLevelSettings(SliceSettings):
    """Of a detector with such a network; the kind adds `architecture`."""

    @model_validator(mode="after")
    def _windows_fit_the_pools(self):
        self._check_multiple(FiveLevels.halvings, "five levels")
        return self
