"""All measures of one axial slice, by the names of `ranges.RANGES`."""

import numpy as np
from scipy import ndimage as ndi
from skimage.morphology import convex_hull_image, skeletonize

from lungsynth.score.anatomy.chest import EVERY_SIDE, GRID_MM, Chest, chest_of
from lungsynth.score.anatomy.discs import eroded
from lungsynth.score.anatomy.ranges import RANGES
from lungsynth.score.anatomy.ripple import ripple_db
from lungsynth.score.anatomy.texture import edge_mm, lung_texture, noise

RIPPLE = "ripple"
MEASURES = (*(one.measure for one in RANGES), RIPPLE)
PIXEL_MM2 = GRID_MM**2
VESSEL_HU, PARENCHYMA_HU, BONE_HU, RIB_HU = -500.0, -700.0, 250.0, 170.0
FAT_HU = (-160.0, -40.0)
HULL_PX = 5
RIB_MM2 = (18.0, 900.0)
VESSELS_MM = {
    "vessels 1-2 mm": (1, 2),
    "vessels 2-3 mm": (2, 3),
    "vessels 3-5 mm": (3, 5),
    "vessels 5-8 mm": (5, 8),
    "vessels > 8 mm": (8, 40),
}


def measure(hu: np.ndarray, mm_per_px: float) -> dict[str, float]:
    """MEASURES of an axial slice [h, w] in HU, front at low rows.

    What the slice cannot answer is NaN: all but the ripple where it shows no lungs.
    """
    found = dict.fromkeys(MEASURES, float("nan")) | {RIPPLE: ripple_db(hu)}
    chest = chest_of(hu, mm_per_px)
    if chest is not None:
        found |= {**shape(chest), **density(chest), **texture(chest), **vessels(chest)}
    return found


def shape(chest: Chest) -> dict[str, float]:
    """Sizes of body and lungs, and what the body is made of."""
    rows, columns = (np.flatnonzero(chest.body.any(axis)) for axis in (1, 0))
    middle = int(np.average(np.arange(chest.lungs.shape[1]), weights=chest.lungs.sum(0)))
    sides = (np.flatnonzero(side.any(0)) for side in np.split(chest.lungs, [middle], 1))
    tissue, size = chest.hu[chest.body & ~chest.lungs], np.count_nonzero(chest.body)
    return {
        "body width": (columns[-1] - columns[0] + 1) * GRID_MM,
        "body depth": (rows[-1] - rows[0] + 1) * GRID_MM,
        "lung width": float(np.mean([np.ptp(side) * GRID_MM for side in sides if len(side)])),
        "fat share": np.count_nonzero((tissue > FAT_HU[0]) & (tissue < FAT_HU[1])) / size,
        "bone share": np.count_nonzero(tissue > BONE_HU) / size,
        "rib sections": _bones(chest),
    }


def _bones(chest: Chest) -> float:
    """How many sections of bone lie round the lungs: ribs, spine, scapulae, sternum."""
    hull = np.zeros_like(chest.lungs)
    box = ndi.find_objects(chest.lungs.view(np.uint8))[0]
    hull[box] = convex_hull_image(chest.lungs[box])
    outside = chest.body & ~eroded(hull, HULL_PX)
    bone = ndi.binary_opening((ndi.gaussian_filter(chest.hu, 0.6) > RIB_HU) & outside)
    areas = _areas_mm2(bone)
    return float(np.count_nonzero((areas > RIB_MM2[0]) & (areas < RIB_MM2[1])))


def _areas_mm2(mask: np.ndarray) -> np.ndarray:
    """Areas of the parts of a mask on the grid, 8-connected."""
    return np.bincount(ndi.label(mask, EVERY_SIDE)[0].ravel())[1:] * PIXEL_MM2


def density(chest: Chest) -> dict[str, float]:
    """HU of the lungs 5 mm inside their edge, their slope from front to back, and the peaks of fat and soft tissue."""
    lung = chest.hu[chest.inner]
    low, middle, high = (float(value) for value in np.percentile(lung, (5, 50, 95)))
    parenchyma = chest.inner & (chest.hu < PARENCHYMA_HU)
    rows_cm = np.nonzero(parenchyma)[0] * GRID_MM / 10
    level = np.ptp(rows_cm) > 0 if len(rows_cm) else False
    fat, soft = _peaks(chest.hu[chest.body & ~chest.lungs])
    return {
        "lung HU mean": float(lung.mean()),
        "lung HU sd": float(lung.std()),
        "lung HU 5 %": low,
        "lung HU 50 %": middle,
        "lung HU 95 %": high,
        "lung HU 50 to 95 %": high - middle,
        "gravity slope": float(np.polyfit(rows_cm, chest.hu[parenchyma], 1)[0]) if level else float("nan"),
        "fat peak": fat,
        "soft tissue peak": soft,
    }


def _peaks(tissue: np.ndarray) -> tuple[float, float]:
    """The most frequent HU of fat and of soft tissue, in a histogram of 2 HU smoothed by 6 HU."""
    counts = ndi.gaussian_filter1d(np.histogram(tissue, np.arange(-200, 301, 2))[0].astype(float), 3)
    centres = np.arange(-199, 300, 2)
    fat, soft = centres < -50, (centres > 0) & (centres < 110)
    return tuple(float(centres[part][np.argmax(counts[part])]) for part in (fat, soft))


def texture(chest: Chest) -> dict[str, float]:
    """Grain of lung and soft tissue, and the sharpness of the lung's edge."""
    slope, wide, between = lung_texture(chest)
    sd, length = noise(chest)
    return {
        "texture slope": slope,
        "texture sd": wide,
        "parenchyma sd": between,
        "noise sd": sd,
        "noise length": length,
        "edge 10 to 90 %": edge_mm(chest),
    }


def vessels(chest: Chest) -> dict[str, float]:
    """What is denser than -500 HU in the inner lungs: parts by diameter (of the disc of equal area), area, length."""
    dense = chest.inner & (chest.hu > VESSEL_HU)
    lung_cm2 = np.count_nonzero(chest.inner) * PIXEL_MM2 / 100
    diameters = 2 * np.sqrt(_areas_mm2(dense) / np.pi)
    return {
        **{
            name: np.count_nonzero((diameters >= low) & (diameters < high)) / lung_cm2 * 100
            for name, (low, high) in VESSELS_MM.items()
        },
        "vessel area": 100 * np.count_nonzero(dense) / np.count_nonzero(chest.inner),
        "vessel length": np.count_nonzero(skeletonize(dense)) * GRID_MM / lung_cm2,
    }
