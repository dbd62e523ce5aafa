"""How a detail network is trained and how it draws, as the training loop takes it."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad, relu

from lungsynth.generate.detail.network import NOISES, DetailJudge, DetailNetwork, enlarge, shrink
from lungsynth.nets.grain import log_spectrum
from lungsynth.study.stages.generate import DetailSettings
from lungsynth.train.data import Shape, Source, need
from lungsynth.train.trainable import LossFamily, Update

LEAST_BLUR = 0.05
LAST_RATE = 0.05


class DetailKind:
    """A `Trainable` of two networks, "detail" and its "judge"; batches are {"images": crops of real slices}.

    Loss: hinge of the judge + `keep` x |shrunk output - coarse| + `near` x |output - real| + `grain` x |difference of
    their log spectra|: a judge of patches is slow to see how long the grain of an image is. The coarse slice that the
    network is shown is spoilt a little, as what a generator draws is a little off.
    """

    loss_family: LossFamily = "hinge"
    monitored = ("detail", "judge")
    averaged = ("detail",)

    def __init__(self, settings: DetailSettings, factor: int):
        self.network, self.objective, self.factor = settings.network, settings.objective, factor

    def build(self, shape: Shape, classes: int = 1, real: Any = None) -> dict[str, nn.Module]:
        """See `Trainable`; the size of the images is of no matter."""
        network = self.network
        detail = DetailNetwork(network.channels, network.blocks, self.factor)
        modules = {"detail": detail, "judge": DetailJudge(network.judge_channels)}
        return {name: module.to(memory_format=torch.channels_last) for name, module in modules.items()}

    def optimisers(self, modules: dict[str, nn.Module]) -> dict[str, torch.optim.Optimizer]:
        """Adam for each."""
        return {
            name: torch.optim.Adam(module.parameters(), self.objective.learning_rate, betas=(0.5, 0.99))
            for name, module in modules.items()
        }

    def rate(self, step: int, steps: int) -> float:
        """1 for the first half of the training, then linearly to a twentieth."""
        return max(LAST_RATE, min(1.0, 2 * (steps - step) / steps))

    def step(
        self, modules: dict[str, nn.Module], batches: Iterator[dict[str, Tensor]], rng: torch.Generator, step: int
    ) -> Iterator[Update]:
        """One update of the judge, one of the detail network."""
        objective, detail, judge = self.objective, modules["detail"], modules["judge"]
        real = next(batches)["images"]
        coarse = shrink(real, self.factor)
        shown = self._spoilt(coarse, rng)
        enlarged = enlarge(shown, self.factor)
        made = detail(shown, *_noise(real, rng))
        pairs = zip(judge(real, enlarged), judge(made.detach(), enlarged), strict=True)
        yield Update("judge", sum(relu(1 - on_real).mean() + relu(1 + on_made).mean() for on_real, on_made in pairs))
        keep, near = (shrink(made, self.factor) - coarse).abs().mean(), (made - real).abs().mean()
        judge.requires_grad_(False)
        fool = -sum(judged.mean() for judged in judge(made, enlarged))
        loss = objective.keep * keep + objective.near * near + (fool if step >= objective.alone else 0 * fool)
        terms = {"fool": fool.detach(), "keep": keep.detach(), "near": near.detach()}
        if objective.grain:
            grain = (log_spectrum(made) - log_spectrum(real)).abs().mean()
            loss, terms = loss + objective.grain * grain, terms | {"grain": grain.detach()}
        yield Update("detail", loss, terms)
        judge.requires_grad_(True)

    def _spoilt(self, coarse: Tensor, rng: torch.Generator) -> Tensor:
        """A batch blurred by one draw of a Gaussian and given noise of another, up to the settings' most."""
        blur, noise = (
            torch.rand(2, generator=rng) * torch.tensor([self.objective.blur_px, self.objective.noise])
        ).tolist()
        return _blurred(coarse, blur) + noise * torch.randn(coarse.shape, generator=rng).to(coarse)

    def draw(self, detail: nn.Module, coarse: Tensor, streams: Sequence[np.random.Generator]) -> Tensor:
        """Slices [n, 1, f h, f w] in [-1, 1] of coarse ones [n, 1, h, w]; the noise of each from its stream."""
        rows, columns = (self.factor * side for side in coarse.shape[2:])
        noise = (
            np.stack([stream.standard_normal(size, dtype=np.float32) for stream in streams])
            for size in _noise_sizes(rows, columns)
        )
        return detail(coarse, *(torch.from_numpy(one).to(coarse) for one in noise)).clamp(-1, 1)


def _noise_sizes(rows: int, columns: int) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Of what the network is shown beside a coarse slice, for a slice of so many rows and columns."""
    return (NOISES, rows, columns), (1, rows // 2, columns // 2)


def _noise(images: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    n, _, rows, columns = images.shape
    full, half = (torch.randn((n, *size), generator=rng).to(images) for size in _noise_sizes(rows, columns))
    return full, half


def _blurred(images: Tensor, sigma: float) -> Tensor:
    """Gaussian blur of [n, 1, h, w], mirrored at the edges; none below `LEAST_BLUR` px."""
    if sigma < LEAST_BLUR:
        return images
    reach = max(1, int(3 * sigma))
    kernel = torch.exp(-(torch.arange(-reach, reach + 1).to(images) ** 2) / (2 * sigma**2))
    kernel = kernel / kernel.sum()
    wide = pad(images, [reach] * 4, mode="reflect")
    return conv2d(conv2d(wide, kernel.view(1, 1, 1, -1)), kernel.view(1, 1, -1, 1))


def crop_source(images: Tensor, size: int, crop_px: int, factor: int) -> Source:
    """A bank as the detail network's data: crops of slices at full size, their corners on the coarse grid.

    Args:
        images: [n, 1, h, w] in [-1, 1]; size: crops a batch; crop_px: their side, or the slice's where it is smaller.

    Raises:
        TrainingError: fewer slices than a batch.
    """
    need(len(images), size, "the bank of real slices")
    side = min(crop_px, images.shape[-1]) // factor * factor
    places = [(length - side) // factor + 1 for length in images.shape[2:]]

    def draw(rng: np.random.Generator) -> dict[str, Tensor]:
        rows = rng.choice(len(images), size=size, replace=False)
        corners = [rng.integers(0, count, size) * factor for count in places]
        crops = [images[k, :, r : r + side, c : c + side] for k, r, c in zip(rows, *corners, strict=True)]
        return {"images": torch.stack(crops)}

    return Source(draw, Shape(images.shape[1], side), real=None)
