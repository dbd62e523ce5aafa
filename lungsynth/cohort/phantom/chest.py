"""The chain that makes a patient: frame, organs, vessels, nodules, paint, scan."""

from dataclasses import dataclass, replace

import numpy as np

from lungsynth.cohort.phantom.body import outline, paint_body
from lungsynth.cohort.phantom.bones import make_bones, paint_bones
from lungsynth.cohort.phantom.frame import Frame, make_frame
from lungsynth.cohort.phantom.grid import Grid, blend, coverage, paint, random_field
from lungsynth.cohort.phantom.lungs import make_lungs, paint_abdomen
from lungsynth.cohort.phantom.mediastinum import (
    Airways,
    make_airways,
    make_border,
    make_great_vessels,
    make_heart,
    paint_airways,
    paint_mediastinum,
    rest_heart,
)
from lungsynth.cohort.phantom.nodules import Nodule, add_nodules
from lungsynth.cohort.phantom.parenchyma import make_parenchyma
from lungsynth.cohort.phantom.scanner import scan
from lungsynth.cohort.phantom.vessels import make_vessels
from lungsynth.study.seeds import rng
from lungsynth.study.stages.cohort import Phantom

VERSION = 2
"""Goes up with every change that changes a patient."""

LEFT_LUNG, RIGHT_LUNG, AIRWAY = 3, 4, 5
"""Labels of LUNA16's lung masks."""


@dataclass(frozen=True)
class Patient:
    """A digital patient: the scan and the truth about it.

    Volumes are [z, y, x], in LPS with identity direction: `image` int16 HU, `lungs` uint8 (3 left, 4 right, 5 trachea
    and main bronchi; nodules at the wall belong to the lungs), `labels` uint8 (k: the k-th of `nodules`). `spacing_mm`
    and `origin_mm` are (x, y, z).
    """

    uid: str
    image: np.ndarray
    lungs: np.ndarray
    labels: np.ndarray
    nodules: tuple[Nodule, ...]
    spacing_mm: tuple[float, float, float]
    origin_mm: tuple[float, float, float]


def patient_uid(index: int) -> str:
    """The pseudonymous id of the `index`-th patient, which is also its scan's."""
    return f"phantom-{index:04d}"


def make_patient(settings: Phantom, seed: int, index: int) -> Patient:
    """The `index`-th digital patient of the study's `seed`: a function of its arguments alone.

    Raises DataError if the nodules that the settings ask for find no room.
    """

    def stream(part: str) -> np.random.Generator:
        return rng(seed, "phantom", index, part)

    grid = Grid(settings.size_px, settings.slices, settings.pixel_mm, settings.slice_mm)
    frame = make_frame(stream("frame"), grid)
    heart = make_heart(frame, stream("heart"))
    airways = make_airways(frame, stream("airways"))
    great = make_great_vessels(frame, stream("great vessels"), airways)
    border = make_border(frame, stream("mediastinum"), heart)
    lungs = make_lungs(frame, stream("lungs"), border)
    heart = rest_heart(heart, lungs.diaphragm)
    # the large vessels and airways push the lung aside
    lung = grid.up(lungs.distance)
    np.maximum(lung, np.float32(0.9) - great, out=lung)
    np.maximum(lung, np.float32(1.5) - airways.distance, out=lung)
    vessels = make_vessels(frame, stream("vessels"), lungs, airways)
    tissue = make_parenchyma(frame, stream("parenchyma"), lungs, vessels)
    thick, trees = vessels.thick, vessels.trees
    del vessels
    nodules, labels = add_nodules(stream("nodules"), grid, settings, tissue, lung, thick, trees)
    del thick

    body = outline(frame)
    volume = grid.full(-1000)
    skin = paint_body(frame, stream("body"), volume, body)
    inside = _inside(frame, lungs.distance, border)
    paint(grid, volume, inside, -100 + 9 * random_field(stream("fat"), grid, 6.0))
    paint_abdomen(frame, stream("abdomen"), volume, lungs, heart.centre[1])
    paint_mediastinum(frame, stream("mediastinum"), volume, heart, great)
    del great
    paint_bones(frame, stream("bone"), volume, *make_bones(frame, stream("bones")))
    cover = coverage(lung)
    blend(volume, cover, tissue)
    del tissue
    paint_airways(volume, airways, cover)
    mask = _lung_mask(frame, lung, airways)
    del cover, lung
    image = scan(frame, stream("scanner"), volume, skin, body)
    return _patient(grid, stream("origin"), index, image, mask, labels, nodules)


def _inside(frame: Frame, lung: np.ndarray, border: np.ndarray) -> np.ndarray:
    """Distance to the space that fat fills inside the thorax; above, that is what lies around lungs and vessels."""
    low = 1 - np.clip((frame.t - 0.84) / 0.06, 0, 1).astype(np.float32)
    near = np.minimum(lung - 2, border - 6) - 100 * low
    return np.maximum(frame.cage - np.float32(0.3), near)


def _lung_mask(frame: Frame, lung: np.ndarray, airways: Airways) -> np.ndarray:
    """LUNA16's labels: 3 left, 4 right, 5 airway."""
    left = frame.grid.up(frame.from_septum) > 0
    mask = np.where(left, np.uint8(LEFT_LUNG), np.uint8(RIGHT_LUNG))
    mask[lung >= 0] = 0
    mask[(airways.distance < 0) & (lung >= 0)] = AIRWAY
    return mask


def _patient(grid: Grid, stream, index: int, image, mask, labels, nodules: list[Nodule]) -> Patient:
    """Puts the grid into a scanner's coordinates and measures the nodules in the finished scan."""
    labels[(mask != LEFT_LUNG) & (mask != RIGHT_LUNG)] = 0
    half = (grid.size_px - 1) / 2 * grid.pixel_mm
    corner = np.array([-half, -half, 0.0])
    offset = np.array([stream.uniform(-12, 12), stream.uniform(-20, 15), stream.uniform(-380, -260)])
    origin = np.round(corner + offset, 3)
    placed = []
    for number, nodule in enumerate(nodules, 1):
        centre = tuple(float(v) for v in np.asarray(nodule.centre_mm) + origin - corner)
        placed.append(replace(nodule, centre_mm=centre, mean_hu=float(image[labels == number].mean())))
    spacing = (grid.pixel_mm, grid.pixel_mm, grid.slice_mm)
    return Patient(patient_uid(index), image, mask, labels, tuple(placed), spacing, tuple(float(v) for v in origin))
