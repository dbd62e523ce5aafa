"""PNG with 16 bits a pixel: HU + 1024, so that air is near 0 and any image library reads the full grey scale."""

from pathlib import Path

import numpy as np
from PIL import Image

from lungsynth.ct.files import whole
from lungsynth.release.exporter import Exporter
from lungsynth.release.registry import EXPORTERS
from lungsynth.study.errors import DataError

OFFSET_HU = 1024


@EXPORTERS.register("png16")
class Png16(Exporter):
    """uint16 grey PNG; a PNG knows no spacing in mm that readers honour, so the sidecar states it."""

    suffix = ".png"
    image_values = "uint16, value = HU + 1024"

    def write_image(self, path: Path, hu: np.ndarray, spacing_mm: tuple[float, float, float]) -> None:
        """See `Exporter`.

        Raises:
            DataError: a value under -1024 HU, which has no place on this scale.
        """
        if hu.min() < -OFFSET_HU:
            raise DataError(
                f"{path.name}: {hu.min()} HU lies under -{OFFSET_HU}, the least a 16-bit PNG holds; clip it"
            )
        stored = (np.asarray(hu, np.int32) + OFFSET_HU).astype(np.uint16)
        with whole(path) as draft:
            Image.fromarray(stored).save(draft, format="PNG", compress_level=6)

    def write_mask(self, path: Path, mask: np.ndarray, spacing_mm: tuple[float, float, float]) -> None:
        """See `Exporter`."""
        with whole(path) as draft:
            Image.fromarray(np.asarray(mask, np.uint8)).save(draft, format="PNG", compress_level=6)

    def read_image(self, path: Path) -> np.ndarray:
        """See `Exporter`."""
        with Image.open(path) as picture:
            return (np.asarray(picture).astype(np.int32) - OFFSET_HU).astype(np.int16)

    def read_mask(self, path: Path) -> np.ndarray:
        """See `Exporter`."""
        with Image.open(path) as picture:
            return np.asarray(picture).astype(np.uint8)
