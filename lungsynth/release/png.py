"""Grey PNG for every format that stores its pictures so."""

from pathlib import Path

import numpy as np
from PIL import Image

from lungsynth.ct.files import whole


def write_png(path: Path, grey: np.ndarray) -> None:
    """Write uint8 or uint16 [h, w], whole or not at all; the same pixels give the same bytes."""
    with whole(path) as draft:
        Image.fromarray(grey).save(draft, format="PNG", compress_level=6)
