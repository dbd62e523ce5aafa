"""What single images draw from their own streams, so that an image does not depend on those drawn beside it."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


def normal(streams: Sequence[np.random.Generator], *shape: int) -> Tensor:
    """Standard normal numbers float32 [n, *shape], row i from streams[i]."""
    return torch.from_numpy(np.stack([stream.standard_normal(shape) for stream in streams]).astype(np.float32))
