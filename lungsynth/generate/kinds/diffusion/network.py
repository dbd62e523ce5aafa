"""A diffusion model: noise is predicted (DDPM, Ho 2020), images are drawn without adding any (DDIM, Song 2021)."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar

import numpy as np
import torch
from monai.networks.nets.diffusion_model_unet import DiffusionModelUNet
from monai.networks.schedulers import DDPMScheduler
from torch import Tensor, nn

from lungsynth.generate.kinds.diffusion.settings import Settings
from lungsynth.generate.registry import GENERATORS
from lungsynth.generate.streams import classes_of, normal
from lungsynth.train.data import Shape
from lungsynth.train.trainable import LossFamily, Update

SCHEDULES = {"linear": "linear_beta", "cosine": "cosine"}
MOST_GROUPS, LEAST_IN_GROUP = 32, 4
"""Of group norm: with a channel a group it would take an image's grey level away, which counts in HU."""


class Denoiser(nn.Module):
    """Noisy images, their timesteps and classes to the noise in them: [n, channels, size, size], same out."""

    def __init__(self, settings: Settings, shape: Shape, classes: int):
        super().__init__()
        self.shape, self.classes = shape, classes
        sides = [shape.size_px >> level for level in range(len(settings.widths))]
        self.unet = DiffusionModelUNet(
            spatial_dims=2,
            in_channels=shape.channels,
            out_channels=shape.channels,
            num_res_blocks=settings.blocks,
            channels=settings.widths,
            attention_levels=[side <= settings.attention_px for side in sides],
            norm_num_groups=math.gcd(MOST_GROUPS, *(width // LEAST_IN_GROUP for width in settings.widths)),
            num_head_channels=settings.widths,
            num_class_embeds=classes if classes > 1 else None,
        )

    def forward(self, x: Tensor, timesteps: Tensor, labels: Tensor) -> Tensor:
        return self.unet(x, timesteps, class_labels=labels if self.classes > 1 else None)


@GENERATORS.register("diffusion")
class Diffusion:
    """One network, one loss; of the class that is asked for, where there are several."""

    loss_family: ClassVar[LossFamily] = "supervised"
    monitored: ClassVar[None] = None
    averaged: ClassVar[tuple[str, ...]] = ("denoiser",)

    def __init__(self, settings: Settings):
        self.settings = settings
        self.noising = DDPMScheduler(settings.timesteps, SCHEDULES[settings.schedule])

    def build(self, shape: Shape, classes: int = 1, real: Tensor | None = None) -> dict[str, nn.Module]:
        """The denoiser."""
        return {"denoiser": Denoiser(self.settings, shape, classes)}

    def optimisers(self, modules: dict[str, nn.Module]) -> dict[str, torch.optim.Optimizer]:
        """Adam."""
        return {"denoiser": torch.optim.Adam(modules["denoiser"].parameters(), self.settings.learning_rate)}

    def step(
        self, modules: dict[str, nn.Module], batches: Iterator[dict[str, Tensor]], rng: torch.Generator, step: int
    ) -> Iterator[Update]:
        """L = E |e - e(sqrt(a_t) x + sqrt(1 - a_t) e, t)|^2 (Ho 2020, equation 14)."""
        batch = next(batches)
        real = batch["images"]
        timesteps = torch.randint(0, self.settings.timesteps, (len(real),), generator=rng).to(real.device)
        noise = torch.randn(real.shape, generator=rng).to(real.device)
        noisy = self.noising.add_noise(real, noise, timesteps)
        predicted = modules["denoiser"](noisy, timesteps, batch["labels"])
        yield Update("denoiser", (predicted - noise).square().mean())

    def sample(
        self, modules: dict[str, nn.Module], n: int, labels: Tensor | None, streams: Sequence[np.random.Generator]
    ) -> Tensor:
        """See `Generator`: the noise of each image from its stream, then `passes` passes without any more."""
        denoiser = modules["denoiser"]
        shape, device = denoiser.shape, next(denoiser.parameters()).device
        noise = normal(streams, shape.channels, shape.size_px, shape.size_px).to(device)
        wanted = classes_of(labels, streams, denoiser.classes).to(device)

        def predict(x: Tensor, timestep: int) -> Tensor:
            return denoiser(x, torch.full((n,), timestep, device=device), wanted)

        return without_noise(predict, noise, self.noising.alphas_cumprod, self.settings.passes)


def without_noise(predict: Callable[[Tensor, int], Tensor], x: Tensor, kept: Tensor, passes: int) -> Tensor:
    """DDIM with eta 0 (Song 2021, equation 12): from noise to images in [-1, 1].

    MONAI's DDIMScheduler goes down by `timesteps // passes` levels while it looks at levels that lie further apart.
    Here each pass ends at the level where the next one looks.

    Args:
        predict: the noise in images at a timestep.
        x: standard normal [n, channels, size, size].
        kept: share of the image's variance left at each timestep, [timesteps] (a in the paper).
        passes: of `predict`.
    """
    timesteps = torch.linspace(len(kept) - 1, 0, passes).round().long().tolist()
    levels = [*(float(kept[timestep]) for timestep in timesteps), 1.0]
    for k, timestep in enumerate(timesteps):
        now, following = levels[k], levels[k + 1]
        image = ((x - math.sqrt(1 - now) * predict(x, timestep)) / math.sqrt(now)).clamp(-1, 1)
        # The noise that goes with the clipped image, or clipping would change how much of it is in x.
        noise = (x - math.sqrt(now) * image) / math.sqrt(1 - now)
        x = math.sqrt(following) * image + math.sqrt(1 - following) * noise
    return x
