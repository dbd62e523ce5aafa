"""Every random number descends from the study's seed by name, so that no step can disturb another's numbers."""

import hashlib
from collections.abc import Iterable


def named_seed(seed: int, *names: str | int) -> int:
    """A 64-bit seed for the stream `names` under the study's `seed`; a function of its arguments alone."""
    text = "/".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")


def torch_seed(seed: int, *names: str | int) -> int:
    """The same as a seed for `torch.Generator.manual_seed` (63 bits)."""
    return named_seed(seed, *names) >> 1


def torch_seeds(seed: int, name: str, pairs: Iterable[tuple[int, int]]) -> list[int]:
    """`torch_seed(seed, name, i, j)` of many pairs (i, j): what they share is hashed once."""
    shared, found = hashlib.sha256(f"{seed}/{name}/".encode()), []
    for i, j in pairs:
        one = shared.copy()
        one.update(b"%d/%d" % (i, j))
        found.append(int.from_bytes(one.digest()[:8], "little") >> 1)
    return found


def rng(seed: int, *names: str | int):
    """A numpy Generator for the stream `names`: `rng(2023, "compose", 3)`."""
    import numpy as np

    return np.random.default_rng(named_seed(seed, *names))


def patient_hash(patient: str) -> int:
    """SHA-256 of a patient's id as a number: deals patients out the same way in every study."""
    return int(hashlib.sha256(patient.encode()).hexdigest(), 16)
