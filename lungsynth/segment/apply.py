"""A trained detector for others: whole scans, and single slices such as composites (the lesion gate uses it)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from lungsynth.ct.volume import Volume
from lungsynth.segment.detector import Detected, Detector
from lungsynth.segment.inference import found
from lungsynth.segment.inference.planes import Scan, scans_of
from lungsynth.segment.registry import DETECTORS
from lungsynth.segment.voxels import VoxelDetector
from lungsynth.sets.scans import Prepared
from lungsynth.sets.tables import read_json
from lungsynth.study.errors import StudyError
from lungsynth.study.stages.segment import ChosenDetector, Inference
from lungsynth.train import weights as released


@dataclass(frozen=True)
class Trained:
    """A detector with its weights, in eval mode, and how it is used."""

    kind: Detector
    modules: dict[str, nn.Module]
    inference: Inference

    @property
    def gives_probability(self) -> bool:
        """Whether it judges every voxel."""
        return isinstance(self.kind, VoxelDetector)


def make_kind(detector: ChosenDetector) -> Detector:
    """The kind that a study chooses, with its settings, as the training loop takes it."""
    own = DETECTORS.settings(detector.kind).model_validate(detector.settings)
    return DETECTORS.get(detector.kind)(own, detector.network)


def seen_through(recipe: Sequence[Path], own: ChosenDetector) -> ChosenDetector:
    """The detector of a shipped network's recipe, where one is given, else the study's own."""
    if not recipe:
        return own
    block = read_json(recipe[0])["segment"]
    return ChosenDetector(kind=block["kind"], settings=block[block["kind"]], network=block["network"])


def load(detector: ChosenDetector, weights: Path, device: Any = "cpu", inference: Inference | None = None) -> Trained:
    """A study's detector in eval mode.

    Args:
        detector: the study's `segment.detector`.
        weights: a training's state (averaged weights, where it keeps them) or released weights (.safetensors).
        inference: the study's `segment.inference`; None: its defaults.
    """
    kind = make_kind(detector)
    if weights.suffix == ".safetensors":
        modules = kind.build(kind.shape)
        released.fill(modules, weights)
        modules = {name: module.to(device).eval().requires_grad_(False) for name, module in modules.items()}
    else:
        from lungsynth.train.loop import load as load_modules

        modules = load_modules(kind, weights, device)
    return Trained(kind, modules, inference or Inference())


def detect(trained: Trained, scan: Scan) -> Detected:
    """What a detector of any kind finds in a scan, see `Detected`."""
    return trained.kind.detect(trained.modules, scan, trained.inference)


def write_found(folder: Path, trained: Trained, one: Prepared) -> None:
    """Write what a detector finds in a whole scan, see `lungsynth.segment.inference.found`."""
    if trained.gives_probability:
        found.write_probability(folder, one, segment_volume(trained, one.volume, one.lungs))
    else:
        (scan,) = scans_of(one)
        found.write_candidates(folder, one, detect(trained, scan).candidates)


def segment_volume(trained: Trained, volume: Volume, lungs: np.ndarray, every: int = 1) -> np.ndarray:
    """Probability of nodule in a scan, uint8 0..255 [z, y, x]; lungs: labels on the scan's grid.

    every: segment each n-th slice only, 0 in the others.

    Raises:
        StudyError: the kind gives no probability.
    """
    return _judges_voxels(trained).volume_probability(trained.modules, volume, lungs, trained.inference, every)


def segment_images(
    trained: Trained, images: np.ndarray, mm_per_px: float | np.ndarray, lungs: np.ndarray | None = None
) -> np.ndarray:
    """Probability of nodule in single slices, float32 0..1 [n, h, w].

    Args:
        images: HU int16 [n, h, w]; each is its own neighbour.
        mm_per_px: their pixel size, or one for each [n]; they are brought to the detector's grid and back.
        lungs: labels uint8 [n, h, w]; far from the lungs the probability is 0. None: the whole image is seen.

    Raises:
        StudyError: the kind gives no probability.
    """
    lungs = np.ones(images.shape, np.uint8) if lungs is None else lungs
    sizes = np.broadcast_to(np.asarray(mm_per_px, float), len(images))
    return _judges_voxels(trained).image_probability(trained.modules, images, sizes, lungs, trained.inference)


def _judges_voxels(trained: Trained) -> VoxelDetector:
    if not isinstance(trained.kind, VoxelDetector):
        raise StudyError(f"segment.kind: {type(trained.kind).__name__} gives no probability of every voxel")
    return trained.kind
