"""What every release format is: a suffix, a sentence on its values, and how image and mask are written and read."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

import numpy as np


class Exporter(ABC):
    """Base of the formats. What is written is read back equal, and the same arrays give the same bytes.

    Attributes:
        suffix: of both files, with its dot.
        image_values, mask_values: a sentence for the sidecar: what a stored value means.
    """

    suffix: ClassVar[str]
    image_values: ClassVar[str]
    mask_values: ClassVar[str] = "uint8, 0 background, k the k-th lesion"

    @abstractmethod
    def write_image(self, path: Path, hu: np.ndarray, spacing_mm: tuple[float, float, float]) -> None:
        """Write int16 HU [h, w]; `spacing_mm` is (slice thickness, row, column)."""

    @abstractmethod
    def write_mask(self, path: Path, mask: np.ndarray, spacing_mm: tuple[float, float, float]) -> None:
        """Write a uint8 mask [h, w]."""

    @abstractmethod
    def read_image(self, path: Path) -> np.ndarray:
        """int16 HU [h, w], as it was given to `write_image`."""

    @abstractmethod
    def read_mask(self, path: Path) -> np.ndarray:
        """uint8 [h, w], as it was given to `write_mask`."""
