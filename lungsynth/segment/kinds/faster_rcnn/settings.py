"""Settings of the region-proposal detector."""

from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from lungsynth.segment.settings import LearningSettings, Seen
from lungsynth.study.base import Settings as Base
from lungsynth.study.base import WithPreset
from lungsynth.study.stages.segment import Network, Windows


class Cube(Base):
    """What the 3-D network sees of a candidate, and its sizes."""

    planes: int = Field(7, ge=3, description="of a cube, an odd number")
    step_mm: float = Field(2.5, gt=0, description="from plane to plane; as segment.windows.cubes has it")
    side_px: int = Field(20, ge=8, description="of a plane")
    widths: tuple[int, ...] = Field((8, 16, 32), min_length=1, description="channels of each pair of convolutions")
    hidden: int = Field(64, ge=1, description="numbers of each of the two layers before the answer")

    @model_validator(mode="after")
    def _has_a_middle(self):
        if self.planes % 2 == 0:
            raise ValueError(f"planes must be odd, so that one is the middle, got {self.planes}")
        return self


class Architecture(WithPreset, Seen):
    """Sizes of both networks.

    ding: VGG-16's convolutions, a deconvolution of stride 4, six anchors (on slices enlarged to 600 px, .6 mm a pixel),
    six 3-D convolutions with three pools (FACTS 3.3). Its 20 planes are 21 here, and its random crops are cut from
    segment.windows.cubes, which must be larger: 25 planes of 40 px.
    """

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "ding": {
            "blocks": ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)),
            "enlarge": 4,
            "anchors_mm": (2.4, 3.6, 6.0, 9.6, 13.2, 19.2),
            "align": 7,
            "hidden": 1024,
            "cube": {"planes": 21, "step_mm": 1.0, "side_px": 36, "widths": (64, 128, 256), "hidden": 512},
        }
    }

    preset: Literal["none", "ding"] = Field("none", description="published sizes, where none are stated")
    blocks: tuple[tuple[int, int], ...] = Field(
        ((16, 2), (32, 2), (64, 2)), min_length=2, description="channels and convolutions of each; pools between them"
    )
    enlarge: int = Field(2, ge=1, description="stride of the deconvolution after them, for small nodules")
    anchors_mm: tuple[float, ...] = Field((4, 6, 10, 16, 24), min_length=1, description="sides of the square anchors")
    align: int = Field(5, ge=2, description="rows and columns of what is cut from the grid for a proposal")
    hidden: int = Field(64, ge=1, description="numbers that a proposal is judged by")
    cube: Cube = Cube()
    temperature: float = Field(1.0, gt=0, description="divides the logits when the networks are used; .5 stays .5")

    @property
    def multiple(self) -> int:
        """Sides of the input are multiples of this."""
        return 2 ** (len(self.blocks) - 1)

    @property
    def stride(self) -> int:
        """Pixels from cell to cell of the grid that anchors stand on."""
        return self.multiple // self.enlarge

    @model_validator(mode="after")
    def _cells_are_whole(self):
        if self.multiple % self.enlarge:
            raise ValueError(
                f"enlarge {self.enlarge} must divide {self.multiple}, by which {len(self.blocks)} blocks halve"
            )
        return self


class Proposals(Base):
    """How boxes are drawn from anchors, when learning and when used."""

    asked: int = Field(200, ge=1, description="anchors of a slice, the best, that become boxes")
    overlap: float = Field(0.7, gt=0, le=1, description="of two boxes with a larger IoU the better stays")
    kept: int = Field(32, ge=1, description="boxes of a slice that are judged")
    sampled: int = Field(16, ge=2, description="boxes of a window that the judgement learns from; anchors: four times")
    least: float = Field(0.05, gt=0, lt=1, description="probability from which a judged box counts")
    merge_overlap: float = Field(0.2, gt=0, lt=1, description="IoU with the best box above which one is its nodule's")
    judged: int = Field(60, ge=1, description="candidates of a scan, the best, that the 3-D network judges")


class Settings(LearningSettings):
    """Faster R-CNN (Ren 2015) on three slices, and a 3-D network."""

    architecture: Architecture = Architecture()
    window_px: int = Field(48, ge=16, description="side of a training window")
    negatives: float = Field(0.5, gt=0, lt=1, description="share of the windows that was cut without a nodule")
    proposals: Proposals = Proposals()

    @model_validator(mode="after")
    def _windows_fit_the_pools(self):
        if self.window_px % self.architecture.multiple:
            raise ValueError(f"window_px {self.window_px} must be a multiple of {self.architecture.multiple}")
        return self

    def check_contexts(self, network: Network, windows: Windows) -> None:
        """See `DetectorSettings`: windows lie in contexts, and its cubes in those that are cut."""
        cube, cut = self.architecture.cube, windows.cubes
        if self.window_px > windows.context_px:
            raise ValueError(
                f"window_px {self.window_px} is larger than segment.windows.context_px {windows.context_px}"
            )
        if cube.planes > cut.planes or cube.side_px > cut.side_px or cube.step_mm != cut.step_mm:
            raise ValueError(
                f"cubes of {cube.planes} planes {cube.step_mm:g} mm apart and {cube.side_px} px are not in "
                f"segment.windows.cubes: {cut.planes} planes {cut.step_mm:g} mm apart and {cut.side_px} px"
            )
