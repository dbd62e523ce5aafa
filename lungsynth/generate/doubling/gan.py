"""GANs whose generator doubles a small grid: how it is built, and how it rebuilds real images from their codes."""

import torch
from torch import Tensor, nn

from lungsynth.generate.doubling.prior import Prior
from lungsynth.generate.doubling.settings import DoublingSettings, start_and_doublings
from lungsynth.generate.gan import Gan
from lungsynth.nets.blocks import ConvCritic, ImageGenerator, start_small
from lungsynth.train.data import Shape
from lungsynth.train.trainable import Update


class DoublingGan(Gan):
    """A kind adds its critic and its step."""

    settings: DoublingSettings

    def critic(self, shape: Shape) -> nn.Module:
        """The kind's critic: images [n, channels, size, size] -> [n]; a plain convolutional one unless it says so."""
        settings = self.settings
        sizes = start_and_doublings(shape.size_px)
        return ConvCritic(shape.channels, *sizes, settings.critic_channels, settings.critic_most)

    def build(self, shape: Shape, classes: int = 1, real: Tensor | None = None) -> dict[str, nn.Module]:
        """The two networks; images of all classes alike."""
        settings = self.settings
        mean = real.mean(0) if real is not None and settings.start_from_mean else None
        generator = ImageGenerator(
            settings.z,
            shape.channels,
            *start_and_doublings(shape.size_px),
            settings.generator_channels,
            settings.generator_least,
            mean,
            settings.smooth_doubling,
            settings.noise,
            self._prior(shape, real),
            settings.pixel_norm,
        )
        if not settings.pixel_norm:
            start_small(generator)
        return {"generator": generator, "critic": self.critic(shape)}

    def _prior(self, shape: Shape, real: Tensor | None) -> Prior | None:
        """The generator's prior, fitted to the real images where they are given; None where the settings want none."""
        settings = self.settings
        if not settings.prior_code:
            return None
        prior = Prior(shape.channels, shape.size_px, settings.prior_code, settings.prior_components)
        return prior if real is None else prior.fit(real)

    def images(self, generator: nn.Module, real: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor | None]:
        """As many images as there are real ones, and the real ones rebuilt from their codes if the settings want it.

        Both come from one pass of the generator; the second is None where `reconstruct` is 0.
        """
        n, z = len(real), self.settings.z
        if not self.settings.reconstruct:
            return self.draw(generator, n, rng), None
        noise = torch.randn(2 * n, z, generator=rng).to(real.device)
        codes = generator.prior.encode(real)
        vectors = torch.cat([codes, noise[n:, codes.shape[1] + 1 :]], dim=1)
        both = generator.decode(torch.cat([generator.prior(noise[:n]), vectors]))
        return both[:n], both[n:]

    def generator_update(self, loss: Tensor, rebuilt: Tensor | None, real: Tensor, step: int) -> Update:
        """The generator's update: its adversarial loss, and the error of what it rebuilt, if it did."""
        if rebuilt is None:
            return Update("generator", loss)
        settings, error = self.settings, (rebuilt - real).abs().mean()
        # The monitor's g is the adversarial loss alone, so the other term's value is taken out of the sum.
        fall = 0.5 ** (step / settings.reconstruct_halving) if settings.reconstruct_halving else 1.0
        return Update("generator", loss + settings.reconstruct * fall * (error - error.detach()), {"rebuilt": error})
