"""PNG with 16 bits a pixel: HU + 1024, so that air is near 0 and any image library reads the full grey scale."""

from pathlib import Path

import numpy as np

from lungsynth.release.exporter import PerImage
from lungsynth.release.png import write_png
from lungsynth.release.registry import EXPORTERS
from lungsynth.study.errors import DataError

OFFSET_HU = 1024


@EXPORTERS.register("png16")
class Png16(PerImage):
    """uint16 grey PNG; a PNG knows no spacing in mm that readers honour, so the sidecar states it."""

    suffix = ".png"
    image_values = f"uint16, value = HU + {OFFSET_HU}"

    def write_image(self, path: Path, hu: np.ndarray) -> None:
        """See `PerImage`.

        Raises:
            DataError: a value under -1024 HU, which has no place on this scale.
        """
        if hu.min() < -OFFSET_HU:
            raise DataError(
                f"{path.name}: {hu.min()} HU lies under -{OFFSET_HU}, the least a 16-bit PNG holds; clip it"
            )
        write_png(path, (np.asarray(hu, np.int32) + OFFSET_HU).astype(np.uint16))

    def write_mask(self, path: Path, mask: np.ndarray) -> None:
        """See `PerImage`."""
        write_png(path, np.asarray(mask, np.uint8))
