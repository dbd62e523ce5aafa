"""Real and generated images measured side by side: sizes, densities, shapes, places, and how near a copy they come."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from lungsynth.ct import shape
from lungsynth.features.neighbours import distances, nearest
from lungsynth.features.similarity import as_pixels
from lungsynth.report.charts import distances as ks_and_wasserstein
from lungsynth.report.data import Copies, Distribution, Pictures
from lungsynth.sets.bank import ImageSet


def measures(one: ImageSet) -> pd.DataFrame:
    """diameter_mm, mean_hu and eccentricity of every mask of a set of nodules; empty masks are left out."""
    rows = []
    for image, mask in zip(one.images, one.masks > 0, strict=True):
        if mask.any():
            diameter = shape.equivalent_diameter_mm(mask, one.mm_per_px)
            rows.append((diameter, float(image[mask].mean()), shape.eccentricity(mask)))
    return pd.DataFrame(rows, columns=["diameter_mm", "mean_hu", "eccentricity"])


def nodule_distributions(banks: Mapping[str, ImageSet]) -> list[Distribution]:
    """Diameter, density and eccentricity of test nodules against `selected`, `fit` and `generated`."""
    tables = {name: measures(one) for name, one in banks.items()}
    names = {"selected": "generated", "fit": "fit bank", "generated": "generated, before selection"}
    made = []
    for column, title, unit in (
        ("diameter_mm", "Diameter", "mm"),
        ("mean_hu", "Mean density in the mask", "HU"),
        ("eccentricity", "Eccentricity", ""),
    ):
        others = {words: tables[name][column].to_numpy() for name, words in names.items() if name in tables}
        made.append(Distribution(title, unit, tables["test"][column].to_numpy(), others))
    return made


def diameter_to_fit_mm(banks: Mapping[str, ImageSet]) -> float | None:
    """Wasserstein distance of the selected nodules' diameters to the fit bank's, mm."""
    if not {"selected", "fit"} <= set(banks):
        return None
    fit, selected = (measures(banks[name])["diameter_mm"].to_numpy() for name in ("fit", "selected"))
    return ks_and_wasserstein(Distribution("", "", fit, {"selected": selected}), "selected")[1]


def lung_areas(banks: Mapping[str, ImageSet], quantiles: tuple[float, float] = (0.05, 0.95)) -> Distribution:
    """Area of both lungs in cm2 of test, generated and selected normals; the band is the test slices' inner range."""
    areas = {name: np.count_nonzero(one.masks, axis=(1, 2)) * one.mm_per_px**2 / 100 for name, one in banks.items()}
    names = {"generated": "generated, before selection", "selected": "selected"}
    others = {words: areas[name] for name, words in names.items() if name in areas}
    low, high = np.quantile(areas["test"], quantiles)
    return Distribution("Lung area", "cm²", areas["test"], others, (float(low), float(high)))


def positions(nodules_test: ImageSet, rows: Sequence[pd.DataFrame], groups: pd.DataFrame) -> tuple | None:
    """(u, v) of real nodules and of those in the groups that were rendered."""
    if not {"u", "v"} <= set(nodules_test.table.columns):
        return None
    real = nodules_test.table[["u", "v"]].apply(pd.to_numeric, errors="coerce").dropna().to_numpy(float)
    used = pd.concat([table[["composite", "group"]].drop_duplicates() for table in rows])
    placed = used.merge(groups[["group", "u", "v"]], on="group")[["u", "v"]].to_numpy(float)
    return real, placed


def copies(what: str, banks: Mapping[str, ImageSet], window_hu: tuple[float, float], quantile: float = 0.01) -> Copies:
    """Distances in pixels (root mean square HU) of selected images to the training images, and the closest pairs."""
    fit, selected = banks["fit"], banks["selected"]
    pixels = {name: as_pixels(one.images, window_hu) for name, one in banks.items() if name != "generated"}
    apart = distances(pixels["fit"], pixels["fit"])
    np.fill_diagonal(apart, np.inf)
    index, to_train = nearest(pixels["selected"], pixels["fit"])
    to_test = nearest(pixels["selected"], pixels["test"])[1] if "test" in pixels else None
    order = np.argsort(to_train, kind="stable")[: 16 if what == "nodules" else 4]
    pair = (
        Pictures(selected.images[order], selected.mm_per_px),
        Pictures(fit.images[index[order]], fit.mm_per_px),
    )
    own = apart.min(1)
    return Copies(what, own, to_train, to_test, float(np.quantile(own, quantile)), "HU", pair)
