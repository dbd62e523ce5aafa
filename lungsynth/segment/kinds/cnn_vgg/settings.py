"""Settings of the patch classifier."""

import math
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from lungsynth.segment.settings import LearningSettings, Seen
from lungsynth.study.base import Settings as Base
from lungsynth.study.base import WithPreset
from lungsynth.study.stages.segment import Network, Windows


class Architecture(WithPreset, Seen):
    """Sizes of the network and of what it sees.

    vgg16: the thirteen convolutions of VGG-16 (Simonyan 2015) on patches of 64 px, their mean, 256 numbers (FACTS 3.3).
    """

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "vgg16": {
            "blocks": ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)),
            "patch_px": 64,
            "hidden": 256,
            "average": True,
        }
    }

    preset: Literal["none", "vgg16"] = Field("none", description="published sizes, where none are stated")
    blocks: tuple[tuple[int, int], ...] = Field(
        ((16, 2), (32, 2), (64, 3)), min_length=1, description="channels and convolutions of each; a max pool ends it"
    )
    patch_px: int = Field(32, ge=8, description="side of a patch, in pixels of segment.network.spacing_mm")
    hidden: int = Field(256, ge=1, description="numbers between the convolutions and the answer")
    average: bool = Field(False, description="the convolutions' mean is taken, not the places of what they find")
    temperature: float = Field(1.0, gt=0, description="divides the logits when the network is used; .5 stays .5")

    @property
    def halvings(self) -> int:
        """By how much the last grid is smaller than a patch, along each side."""
        return 2 ** len(self.blocks)

    @model_validator(mode="after")
    def _patches_fit_the_pools(self):
        if self.patch_px % self.halvings:
            raise ValueError(
                f"patch_px {self.patch_px} must be a multiple of {self.halvings} for {len(self.blocks)} blocks"
            )
        return self


class Sweep(Base):
    """How patches are laid over the lungs, and what is made of their answers."""

    stride_mm: float = Field(4.2, gt=0, description="from patch to patch, along rows, columns and slices")
    least_hu: float = Field(-600, description="a patch with nothing denser in its middle is not asked; -1024: all are")
    least: float = Field(0.3, gt=0, lt=1, description="probability from which an answer counts")
    merge: Literal["mean", "suppress"] = Field(
        "mean", description="of answers near each other: their mean place, weighted by probability, or the best alone"
    )
    merge_mm: float = Field(9.0, gt=0, description="how near: distance to the best answer")


class Settings(LearningSettings):
    """A VGG with batch norm as patch classifier (Chi's CNN+VGG)."""

    architecture: Architecture = Architecture()
    negatives: float = Field(0.5, gt=0, lt=1, description="share of the patches that was cut without a nodule")
    beside: float = Field(
        0.3, ge=0, lt=1, description="share of the other patches that shows a nodule anywhere: beside the middle is no"
    )
    sweep: Sweep = Sweep()

    def reach_px(self, network: Network) -> int:
        """How far the middle of a patch reaches: some patch of the sweep has any place within that distance."""
        return math.ceil(self.sweep.stride_mm / network.spacing_mm / 2)

    def check_contexts(self, network: Network, windows: Windows) -> None:
        """See `DetectorSettings`: a patch lies in its context, its middle in the patch."""
        patch, reach = self.architecture.patch_px, self.reach_px(network)
        if patch > windows.context_px:
            raise ValueError(f"patch_px {patch} is larger than segment.windows.context_px {windows.context_px}")
        if 4 * reach > patch:
            raise ValueError(
                f"stride_mm {self.sweep.stride_mm:g} is {2 * reach} px from patch to patch; take half of patch_px, "
                f"{patch}, at most"
            )
