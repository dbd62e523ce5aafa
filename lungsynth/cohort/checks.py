"""Is a scan usable? Measures of one scan and the verdict on it."""

import hashlib
from collections.abc import Iterable

import numpy as np
from scipy import ndimage as ndi

from lungsynth.cohort.base import Kind
from lungsynth.ct.volume import Volume

OK, BAD = "ok", "quarantined"
LEAST_LUNG_L = 0.8
LEAST_LUNG_CM2 = 8.0
LEAST_LUNG_SHARE = 0.35
"""The smaller lung has this share of both and more, unless it is collapsed, removed, under water or was not found."""
LESION_MM = (0.2, 150.0)
LEAST_SLICES = 10
LEAST_PX = 64
IN_PLANE_MM = (0.2, 3.0)
BETWEEN_MM = (0.2, 10.0)
SOFT_TISSUE_HU = (-30, 130)
MOST_LABELS = 128
"""Different values in a mask of many organs; CT saved as a picture of 8 bits has more."""


def geometry_fault(volume: Volume, kind: Kind, sized: bool = True) -> str:
    """What is wrong with size, spacing or direction of an upright scan; empty if nothing is.

    sized: whether its spacing is known (`Scan.sized`).
    """
    slices, rows, columns = volume.hu.shape
    dz, dy, dx = volume.spacing_mm
    if kind == "volume" and slices < LEAST_SLICES:
        return f"{slices} slices; a volume needs {LEAST_SLICES}"
    if kind != "patch" and min(rows, columns) < LEAST_PX:
        return f"{rows} x {columns} pixels; a slice needs {LEAST_PX}"
    if sized and not all(IN_PLANE_MM[0] <= s <= IN_PLANE_MM[1] for s in (dy, dx)):
        return f"pixels of {dy:g} x {dx:g} mm; {IN_PLANE_MM[0]:g} to {IN_PLANE_MM[1]:g} are possible"
    if abs(dy - dx) > 0.01 * dx:
        return f"pixels of {dy:g} x {dx:g} mm are not square"
    if kind == "volume" and not BETWEEN_MM[0] <= dz <= BETWEEN_MM[1]:
        return f"slices {dz:g} mm apart; {BETWEEN_MM[0]:g} to {BETWEEN_MM[1]:g} are possible"
    axes = np.abs(np.reshape(volume.direction, (3, 3)))
    if not np.allclose(axes, np.eye(3), atol=0.02):
        return "the slices are not axial"
    return ""


def image_fault(volume: Volume, chest_ct: bool = True, mask_names: str = "") -> str:
    """What is wrong with the grey values; empty if nothing is. Only CT of a chest must show air.

    mask_names: how masks must be called to be read (`Reader.mask_names`), said of what looks like one.
    """
    low, high = int(volume.hu.min()), int(volume.hu.max())
    if low == 0 < high and chest_ct and _is_labels(volume.hu):
        told = f"looks like a mask and not like CT: whole numbers from 0 to {high}, most of them 0"
        return f"{told}; {mask_names}" if mask_names else told
    if high - low < 50:
        return f"constant image ({low} to {high} HU)"
    if chest_ct and low >= -200:
        return f"no air in the image (lowest value {low} HU); are these Hounsfield units?"
    return ""


def _is_labels(values: np.ndarray) -> bool:
    """Whether an image without values below 0 holds few different ones, and 0 in most places."""
    return len(np.unique(values)) <= MOST_LABELS and np.count_nonzero(values) < values.size / 2


def lung_litres(lungs: np.ndarray, volume: Volume) -> float:
    """Volume of both lungs."""
    return float(np.count_nonzero(lungs) * np.prod(volume.spacing_mm) / 1e6)


def lung_cm2(lungs: np.ndarray, volume: Volume) -> float:
    """Area of both lungs in a slice."""
    return float(np.count_nonzero(lungs) * volume.spacing_mm[1] * volume.spacing_mm[2] / 100)


def lung_fault(lungs: np.ndarray, volume: Volume, kind: Kind) -> str:
    """What is wrong with the lungs; empty if nothing is. Patches need none."""
    if kind == "patch":
        return ""
    if not lungs.any():
        return "no lungs found"
    litres = lung_litres(lungs, volume)
    if kind == "volume" and litres < LEAST_LUNG_L:
        return f"lungs of {litres:.2f} l; a chest scan has {LEAST_LUNG_L:g} l at least"
    area_cm2 = lung_cm2(lungs, volume)
    if kind == "slice" and area_cm2 < LEAST_LUNG_CM2:
        return f"lungs of {area_cm2:.0f} cm2"
    return ""


def lesion_fault(diameters_mm: Iterable[float]) -> str:
    """What is wrong with the size of a scan's lesions; empty if nothing is."""
    low, high = LESION_MM
    odd = next((diameter for diameter in diameters_mm if not low <= diameter <= high), None)
    return "" if odd is None else f"a lesion of {odd:.3g} mm; {low:g} to {high:g} are possible"


def lung_note(lungs: np.ndarray, kind: Kind) -> str:
    """What the user must know about the lungs of a usable scan; empty if nothing. Slices and patches may show one."""
    if kind != "volume" or not lungs.any():
        return ""
    voxels = {name: np.count_nonzero(lungs == side) for side, name in ((1, "right"), (2, "left"))}
    less = min(voxels, key=voxels.get)
    share = voxels[less] / sum(voxels.values())
    if share >= LEAST_LUNG_SHARE:
        return ""
    found = f"is {100 * share:.0f} % of both" if voxels[less] else "was not found"
    return f"the {less} lung {found}: no lesion is looked for where no lung is; look at the picture"


def noise_hu(volume: Volume, planes: int = 9) -> float:
    """Noise: standard deviation in 5 x 5 windows of soft tissue, over some slices; NaN without any.

    The 20th percentile of the windows, since in the others anatomy adds to the noise.
    """
    values = []
    for k in np.unique(np.linspace(0, len(volume.hu) - 1, planes).astype(int)):
        hu = np.clip(volume.hu[k], -300, 400).astype(np.float64)
        soft = (hu > SOFT_TISSUE_HU[0]) & (hu < SOFT_TISSUE_HU[1])
        inner = ndi.minimum_filter(soft, 5)
        mean = ndi.uniform_filter(hu, 5)
        variance = np.maximum(ndi.uniform_filter(hu**2, 5) - mean**2, 0) * 25 / 24
        values.append(np.sqrt(variance[inner]))
    found = np.concatenate(values)
    return float(np.percentile(found, 20)) if len(found) else float("nan")


def pixel_hash(volume: Volume) -> str:
    """A digest of the pixels, so that one image under two names is seen."""
    return hashlib.sha256(np.ascontiguousarray(volume.hu).tobytes()).hexdigest()[:16]
