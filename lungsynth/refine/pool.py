"""Past fakes, so that a discriminator does not forget what its generator did before (Shrivastava et al. 2017)."""

import torch
from torch import Tensor, nn


class ImagePool(nn.Module):
    """Up to `size` past images, kept as buffers: they are part of a training's state.

    Args:
        size: images kept; 0: every query gives its input back.
        side_px: rows and columns of the images.
    """

    def __init__(self, size: int, side_px: int):
        super().__init__()
        self.register_buffer("images", torch.zeros(size, 1, side_px, side_px))
        self.register_buffer("filled", torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def query(self, fakes: Tensor, rng: torch.Generator) -> Tensor:
        """Images [n, 1, side, side] for the discriminator: new ones, and with probability 1/2 an old one in exchange.

        A pool that is not full keeps what it sees and gives it back.
        """
        return torch.stack([self._exchange(fake, rng) for fake in fakes.detach()])

    def draw(self, n: int, rng: torch.Generator) -> Tensor:
        """n kept images at random, with replacement; fewer (none) while the pool is empty."""
        filled = int(self.filled)
        return self.images[torch.randint(max(1, filled), (n if filled else 0,), generator=rng)]

    def _exchange(self, fake: Tensor, rng: torch.Generator) -> Tensor:
        size, filled = len(self.images), int(self.filled)
        if filled < size:
            self.images[filled] = fake
            self.filled += 1
            return fake
        if size == 0 or torch.rand((), generator=rng) < 0.5:
            return fake
        place = int(torch.randint(size, (), generator=rng))
        old = self.images[place].clone()
        self.images[place] = fake
        return old
