"""Settings of the diffusion model."""

from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from lungsynth.study.base import WithPreset
from lungsynth.study.errors import StudyError


class Settings(WithPreset):
    """Trained as DDPM (Ho 2020), drawn by DDIM (Song 2021); FACTS 4.6.

    paper: Ho's widths and blocks for 32 px, of which MONAI makes a slightly larger network, 38.4 M parameters for
    35.7 M. Its running average, .9999, is `training.ema`.

    Attributes:
        architecture: names of the settings without which a trained model's weights fit nothing.
        conditional: whether it learns and draws by class.
    """

    conditional: ClassVar[bool] = True
    architecture: ClassVar[tuple[str, ...]] = ("widths", "blocks", "attention_px", "timesteps", "schedule")
    presets: ClassVar[dict[str, dict[str, Any]]] = {"paper": {"widths": (128, 256, 256, 256), "blocks": 2}}

    preset: Literal["none", "paper"] = Field("none", description="published sizes, where none are stated")
    widths: tuple[int, ...] = Field(
        (32, 64, 64), min_length=1, description="channels of the network's levels, each half as large as the one before"
    )
    blocks: int = Field(1, ge=1, description="residual blocks of a level")
    attention_px: int = Field(16, ge=1, description="grids of this side or less have self-attention")
    timesteps: int = Field(1000, ge=1, description="levels of noise")
    schedule: Literal["linear", "cosine"] = Field("linear", description="of the noise (Ho 2020; Nichol 2021)")
    passes: int = Field(50, ge=1, description="of the network for one image that is drawn, the most is timesteps")
    learning_rate: float = Field(2e-4, gt=0, description="Adam")

    @model_validator(mode="after")
    def _can_be_built(self):
        if self.passes > self.timesteps:
            raise ValueError(f"passes must be at most timesteps = {self.timesteps}, got {self.passes}")
        if any(width % 8 for width in self.widths):
            raise ValueError(f"widths must be multiples of 8, got {list(self.widths)}")
        return self

    def check_size(self, size_px: int) -> None:
        """Refuse image sizes that this kind cannot make.

        Raises:
            StudyError: the levels do not halve the size.
        """
        step = 1 << (len(self.widths) - 1)
        if size_px % step:
            raise StudyError(
                f"a diffusion model of {len(self.widths)} levels makes images whose side is a multiple of {step} px, "
                f"not of {size_px} px"
            )
