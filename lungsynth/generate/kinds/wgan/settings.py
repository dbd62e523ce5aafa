"""Settings of WGAN."""

from typing import Any, ClassVar, Literal

from pydantic import Field

from lungsynth.generate.doubling.settings import DoublingSettings


class Settings(DoublingSettings):
    """A convolutional Wasserstein critic whose weights are clipped (Arjovsky 2017; FACTS 4.3).

    paper: steps and rates of algorithm 1, DCGAN's widths. Our own rate is higher, for runs of some thousand steps.
    """

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "paper": {
            "n_critic": 5,
            "learning_rate": 5e-5,
            "generator_channels": 1024,
            "critic_channels": 128,
            "critic_most": 1024,
            "start_from_mean": False,
        }
    }

    preset: Literal["none", "paper"] = Field("none", description="published sizes and rates, where none are stated")
    learning_rate: float = Field(2e-4, gt=0, description="RMSprop, both networks")
    critic_learning_rate: float | None = Field(None, gt=0, description="RMSprop of the critic; null: the same")
    betas: tuple[float, float] = Field((0.0, 0.99), description="of RMSprop: momentum, and memory of the mean square")
    n_critic: int = Field(2, ge=1, description="critic updates for one of the generator; the paper's is 5")
    clip: float = Field(0.01, gt=0, description="the critic's weights are cut to between -clip and clip")
