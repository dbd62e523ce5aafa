"""Real and generated images side by side: sizes, densities, shapes and places as the scores measured them, and how
near a copy the generated ones come."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from lungsynth.features.neighbours import distances, nearest
from lungsynth.features.similarity import as_pixels
from lungsynth.report.data import Copies, Distribution, Pictures, Positions
from lungsynth.sets.bank import ImageSet

NODULES = {"selected": "generated", "fit": "fit bank", "generated": "generated, before selection"}
LUNGS = {"generated": "generated, before selection", "selected": "selected"}
# Column of the measures -> title, unit, how many of its own unit make one of that.
TITLES = {
    "diameter_mm": ("Diameter", "mm", 1),
    "mean_hu": ("Mean density in the mask", "HU", 1),
    "eccentricity": ("Eccentricity", "", 1),
    "lung_area_mm2": ("Lung area", "cm²", 100),
}


def distance(distributions: pd.DataFrame, name: str, measure: str, reference: str) -> tuple[float, float] | None:
    """(KS statistic, Wasserstein distance) of a set to a reference, as the scores have them; None for no such row."""
    rows = distributions.query("set == @name and measure == @measure and reference == @reference")
    return None if rows.empty else (float(rows["ks"].iloc[0]), float(rows["wasserstein"].iloc[0]))


def _values(measures: pd.DataFrame, name: str, measure: str) -> np.ndarray:
    """What was measured of one set; empty where nothing was."""
    return measures.loc[measures["set"] == name, measure].dropna().to_numpy(float)


def distribution(
    measures: pd.DataFrame, distributions: pd.DataFrame, measure: str, names: Mapping[str, str], reference: str
) -> Distribution:
    """One measure of the test patients' against the sets of `names`: name in the tables -> words on the page."""
    title, unit, per = TITLES[measure]
    others = {words: _values(measures, name, measure) / per for name, words in names.items()}
    found = {words: distance(distributions, name, measure, reference) for name, words in names.items()}
    apart = {words: (pair[0], pair[1] / per) for words, pair in found.items() if pair}
    return Distribution(title, unit, _values(measures, "test", measure) / per, others, apart)


def nodule_distributions(measures: pd.DataFrame, distributions: pd.DataFrame) -> list[Distribution]:
    """Diameter, density and eccentricity of test nodules against `selected`, `fit` and `generated`."""
    names = ("diameter_mm", "mean_hu", "eccentricity")
    return [distribution(measures, distributions, name, NODULES, "nodules_test") for name in names]


def lung_areas(measures: pd.DataFrame, distributions: pd.DataFrame, lungs: pd.DataFrame) -> Distribution:
    """Area of both lungs in cm2 of test, generated and selected normals; the band is what counts as lungs."""
    one = distribution(measures, distributions, "lung_area_mm2", LUNGS, "normals_test")
    bounds = lungs[["area_low_mm2", "area_high_mm2"]].head(1).to_numpy(float) / 100
    return replace(one, band=tuple(bounds[0])) if len(bounds) else one


def positions(measures: pd.DataFrame, distributions: pd.DataFrame) -> Positions:
    """Places of the test patients' nodules and of those in the groups of the plan."""
    places = measures[["set", "u", "v"]].dropna()
    real, placed = (places.loc[places["set"] == name, ["u", "v"]].to_numpy(float) for name in ("test", "placed"))
    sides = {"left to right": "u", "front to back": "v"}
    found = {words: distance(distributions, "placed", side, "nodules_test") for words, side in sides.items()}
    return Positions(real, placed, {words: pair for words, pair in found.items() if pair})


CLOSEST = {"nodules": 16, "normals": 12, "pictures": 16}
"""How many of the images nearest to what was learnt from are shown beside it."""


def copies(what: str, banks: Mapping[str, ImageSet], window_hu: tuple[float, float], quantile: float = 0.01) -> Copies:
    """Distances in pixels (root mean square HU, or grey levels) of selected images to training ones; closest pairs."""
    fit, selected = banks["fit"], banks["selected"]
    pixels = {name: as_pixels(one.images, window_hu) for name, one in banks.items() if name != "generated"}
    apart = distances(pixels["fit"], pixels["fit"])
    np.fill_diagonal(apart, np.inf)
    index, to_train = nearest(pixels["selected"], pixels["fit"])
    to_test = nearest(pixels["selected"], pixels["test"])[1] if "test" in pixels else None
    order = np.argsort(to_train, kind="stable")[: CLOSEST[what]]
    pair = (
        Pictures(selected.images[order], selected.mm_per_px),
        Pictures(fit.images[index[order]], fit.mm_per_px),
    )
    own, unit = apart.min(1), "grey levels" if what == "pictures" else "HU"
    return Copies(what, own, to_train, to_test, float(np.quantile(own, quantile)), unit, pair)
