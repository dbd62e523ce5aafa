"""Every random number descends from the study's seed by name, so that no step can disturb another's numbers."""

import hashlib


def named_seed(seed: int, *names: str | int) -> int:
    """A 64-bit seed for the stream `names` under the study's `seed`; a function of its arguments alone."""
    text = "/".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")


def torch_seed(seed: int, *names: str | int) -> int:
    """The same as a seed for `torch.Generator.manual_seed` (63 bits)."""
    return named_seed(seed, *names) >> 1


def rng(seed: int, *names: str | int):
    """A numpy Generator for the stream `names`: `rng(2023, "compose", 3)`."""
    import numpy as np

    return np.random.default_rng(named_seed(seed, *names))
