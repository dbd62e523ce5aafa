"""NIfTI: HU as they are, with the pixel's size; opens in ITK-SNAP, 3D Slicer and every deep-learning toolkit."""

from pathlib import Path

import numpy as np

from lungsynth.ct import volume
from lungsynth.release.exporter import Exporter
from lungsynth.release.registry import EXPORTERS


@EXPORTERS.register("nifti")
class Nifti(Exporter):
    """A slice as a volume of one layer [1, h, w], so that its spacing in mm travels with it."""

    suffix = ".nii.gz"
    image_values = "int16, value = HU; one layer, spacing in mm"

    def write_image(self, path: Path, hu: np.ndarray, spacing_mm: tuple[float, float, float]) -> None:
        """See `Exporter`."""
        volume.write(path, volume.Volume(np.asarray(hu, np.int16)[None], spacing_mm))

    def write_mask(self, path: Path, mask: np.ndarray, spacing_mm: tuple[float, float, float]) -> None:
        """See `Exporter`."""
        volume.write(path, volume.Volume(np.asarray(mask, np.uint8)[None], spacing_mm))

    def read_image(self, path: Path) -> np.ndarray:
        """See `Exporter`."""
        return volume.read(path).hu[0].astype(np.int16, copy=False)

    def read_mask(self, path: Path) -> np.ndarray:
        """See `Exporter`."""
        return volume.read(path).hu[0].astype(np.uint8, copy=False)
