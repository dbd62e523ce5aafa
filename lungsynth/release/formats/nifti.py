"""NIfTI: HU as they are, with the pixel's size; opens in ITK-SNAP, 3D Slicer and every deep-learning toolkit."""

from pathlib import Path

import numpy as np

from lungsynth.ct import volume
from lungsynth.release.exporter import PerImage
from lungsynth.release.registry import EXPORTERS


@EXPORTERS.register("nifti")
class Nifti(PerImage):
    """A slice as a volume of one layer [1, h, w], so that its spacing in mm travels with it."""

    suffix = ".nii.gz"
    image_values = "int16, value = HU; one layer, spacing in mm"

    def write_image(self, path: Path, hu: np.ndarray) -> None:
        """See `PerImage`."""
        volume.write(path, volume.Volume(np.asarray(hu, np.int16)[None], self.about.spacing_mm))

    def write_mask(self, path: Path, mask: np.ndarray) -> None:
        """See `PerImage`."""
        volume.write(path, volume.Volume(np.asarray(mask, np.uint8)[None], self.about.spacing_mm))
