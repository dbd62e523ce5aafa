"""Faults that are planted into training images, so that an extractor learns to notice them."""

import torch
from torch.nn import functional


def gaussian_blur(hu: torch.Tensor, sigma_px: torch.Tensor) -> torch.Tensor:
    """Blur each image by its own sigma: [n, h, w] or [n, h, w, 3], and [n], to what came.

    Edges repeat; sigma 0 leaves an image as it is.
    """
    reach = max(1, int(torch.ceil(3 * sigma_px.max()).item()))
    offsets = torch.arange(-reach, reach + 1, dtype=hu.dtype, device=hu.device)
    kernels = torch.exp(-0.5 * (offsets / sigma_px.clamp_min(1e-3)[:, None]) ** 2)
    kernels = kernels / kernels.sum(1, keepdim=True)
    if hu.ndim == 4:
        return torch.stack([_along_both(one, kernels, reach) for one in hu.unbind(3)], 3)
    return _along_both(hu, kernels, reach)


def _along_both(hu: torch.Tensor, kernels: torch.Tensor, reach: int) -> torch.Tensor:
    """Each image along rows and columns with its own kernel."""
    padded = functional.pad(hu[None], (reach,) * 4, mode="replicate")
    rows = functional.conv2d(padded, kernels[:, None, :, None], groups=len(hu))
    return functional.conv2d(rows, kernels[:, None, None, :], groups=len(hu))[0]


def plant(
    hu: torch.Tensor, largest: tuple[float, float, float], air_hu: float | None, rng: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Plant a blur, an HU shift and noise, each in half of the images.

    Args:
        hu: float32 [n, h, w], or [n, h, w, 3].
        largest: sigma of the blur in px, shift in HU (either way), sd of the noise in HU.
        air_hu: pixels at or below this stay as they are (the emptiness round a cut-out nodule); None: every pixel
            changes.
        rng: source of all random numbers.

    Returns:
        The images, and the strengths float32 [n, 3] as shares of the largest.
    """
    n = len(hu)
    strength = torch.rand(n, 3, generator=rng) * (torch.rand(n, 3, generator=rng) < 0.5)
    strength[:, 1] *= torch.where(torch.rand(n, generator=rng) < 0.5, -1.0, 1.0)
    noise = torch.randn(hu.shape, generator=rng).to(hu.device)
    strength = strength.to(hu.device)
    blur_px, shift_hu, noise_hu = (strength[:, part] * most for part, most in enumerate(largest))
    shift_hu, noise_hu = (one.view(n, *[1] * (hu.ndim - 1)) for one in (shift_hu, noise_hu))
    changed = gaussian_blur(hu, blur_px) + shift_hu + noise * noise_hu
    if air_hu is not None:
        changed = torch.where(hu > air_hu, changed, hu)
    return changed, strength
