"""A prior that knows how real images vary: principal components, and a mixture of Gaussians on them.

With it a random vector means something before the first step of training, and a real image has a vector of its own,
from which the generator can be asked to rebuild it (the reconstruction term of VAE-GAN, Larsen 2016, with a fixed
encoder). No real image can be read from the mixture: it holds means and covariances of many.
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

COARSE_PX = 40
"""Principal components are taken of images pooled to about this side: they vary in large forms only."""
LEAST_IN_COMPONENT = 40
SEED = 0


class Prior(nn.Module):
    """Standard normal vectors to vectors as real images have them: [n, z] -> [n, z - 1].

    The first `code` numbers become the code, the next one chooses a component of the mixture, the rest pass.

    Args:
        channels, size_px: of the images; code: principal components; components: of the mixture.
    """

    def __init__(self, channels: int, size_px: int, code: int, components: int):
        super().__init__()
        self.code, self.pool = code, max(1, size_px // COARSE_PX)
        pixels = channels * (size_px // self.pool) ** 2
        self.register_buffer("centre", torch.zeros(pixels))
        self.register_buffer("basis", torch.zeros(pixels, code))
        self.register_buffer("bounds", torch.linspace(0, 1, components + 1)[1:])
        self.register_buffer("means", torch.zeros(components, code))
        self.register_buffer("roots", torch.eye(code).repeat(components, 1, 1))

    def forward(self, z: Tensor) -> Tensor:
        share = torch.special.ndtr(z[:, self.code]).clamp(max=1 - 1e-6)
        k = torch.searchsorted(self.bounds, share.contiguous()).clamp(max=len(self.bounds) - 1)
        code = self.means[k] + (self.roots[k] @ z[:, : self.code, None]).squeeze(2)
        return torch.cat([code, z[:, self.code + 1 :]], dim=1)

    def encode(self, images: Tensor) -> Tensor:
        """Codes [n, code] of real images [n, channels, size, size]; over the fit images each has sd 1."""
        return (self._coarse(images) - self.centre) @ self.basis

    def _coarse(self, images: Tensor) -> Tensor:
        return avg_pool2d(images, self.pool).flatten(1)

    @torch.no_grad()
    def fit(self, images: Tensor) -> "Prior":
        """Take components and mixture from real images [n, channels, size, size]; returns itself."""
        from sklearn.mixture import GaussianMixture

        pixels = self._coarse(images).double().numpy()
        centre = pixels.mean(0)
        _, spread, axes = np.linalg.svd(pixels - centre, full_matrices=False)
        axes, spread = axes[: self.code], spread[: self.code]
        # The sign of a component is a matter of the library; the largest pixel decides it here.
        signs = np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(1)])
        axes, spread = axes * signs[:, None], np.maximum(spread, 1e-9) / np.sqrt(len(pixels))
        basis = (axes / spread[:, None]).T
        components = int(np.clip(len(pixels) // LEAST_IN_COMPONENT, 1, len(self.bounds)))
        mixture = GaussianMixture(components, reg_covar=0.02, random_state=SEED, init_params="k-means++")
        mixture.fit((pixels - centre) @ basis)
        self.centre.copy_(torch.from_numpy(centre))
        self.basis.copy_(torch.from_numpy(basis))
        self.means[:components] = torch.from_numpy(mixture.means_).float()
        self.roots[:components] = torch.from_numpy(np.linalg.cholesky(mixture.covariances_)).float()
        self.bounds.fill_(1.0)
        self.bounds[:components] = torch.from_numpy(np.cumsum(mixture.weights_)).float()
        return self
