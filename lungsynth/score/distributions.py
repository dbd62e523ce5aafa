"""Whether generated nodules have the sizes, densities, shapes and places of real ones, and generated lungs the size
of lungs."""

import numpy as np
import pandas as pd
from scipy.stats import ks_2samp, wasserstein_distance

from lungsynth.ct import nodule
from lungsynth.ct.shape import areas_mm2, eccentricity, two_lungs
from lungsynth.sets.bank import ImageSet
from lungsynth.sets.proportions import wilson
from lungsynth.sets.resampling import draw_counts, percentile_interval

MEASURES = ("diameter_mm", "mean_hu", "eccentricity", "u", "v", "clearance_mm", "lung_area_mm2")
COLUMNS = ["set", "reference", "measure", "n_set", "n_reference", "median_set", "median_reference", "ks", "ks_low"]
COLUMNS += ["ks_high", "wasserstein", "wasserstein_low", "wasserstein_high"]


def measures_of(one: ImageSet) -> pd.DataFrame:
    """Diameter (2 sqrt(area / pi), mm), mean HU in the mask and eccentricity of each nodule; positions where the
    table has them.

    Columns: patient (the table's, else empty), diameter_mm, mean_hu, eccentricity, and u, v or clearance_mm as given.
    """
    masks = one.masks > 0
    measured = [nodule.measure(image, mask, one.mm_per_px) for image, mask in zip(one.images, masks, strict=True)]
    table = pd.DataFrame(measured, columns=["diameter_mm", "mean_hu"])
    table["mean_hu"] = table["mean_hu"].where(masks.any((1, 2)))
    table["eccentricity"] = [eccentricity(mask) for mask in masks]
    table.insert(0, "patient", one.table.get("patient", pd.Series("", index=one.table.index)).to_numpy())
    for name in ("u", "v", "clearance_mm"):
        if name in one.table:
            values = pd.to_numeric(one.table[name], errors="coerce").to_numpy(float)
            # Patches show no lung to have a place in: side 0.
            table[name] = np.where(one.table["side"].eq(0), np.nan, values) if "side" in one.table else values
    return table


def lungs_of(one: ImageSet) -> pd.DataFrame:
    """Area of both lungs of each normal slice, and whether it shows two.

    Columns: patient (the table's, else empty), lung_area_mm2, two_lungs.
    """
    area, both = areas_mm2(one.masks, one.mm_per_px), two_lungs(one.masks)
    patients = one.table.get("patient", pd.Series("", index=one.table.index)).to_numpy()
    return pd.DataFrame({"patient": patients, "lung_area_mm2": area, "two_lungs": both})


def measured(*groups: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """All that was measured, one row a nodule or slice: set, and MEASURES, empty where a set has none."""
    tables = [table.assign(set=name) for sets in groups for name, table in sets.items()]
    return pd.concat(tables, ignore_index=True).reindex(columns=["set", *MEASURES])


def _resamples(table: pd.DataFrame, draws: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Row numbers of each bootstrap draw: patients are drawn where there are two or more, rows else."""
    patients = table["patient"].fillna("").to_numpy() if "patient" in table else np.array([""])
    units = np.unique(patients, return_inverse=True)[1] if len(set(patients)) > 1 else np.arange(len(table))
    counts = draw_counts(int(units.max()) + 1, draws, rng).astype(int)
    return [np.repeat(np.arange(len(units)), count[units]) for count in counts]


def _no_bounds(reference: pd.DataFrame) -> dict[str, float]:
    """The bounds of a comparison with one patient, which are empty; nothing where there are several, or none named."""
    patients = set(reference["patient"].fillna("")) if "patient" in reference else {""}
    alone = len(patients) == 1 and patients != {""}
    return dict.fromkeys(("ks_low", "ks_high", "wasserstein_low", "wasserstein_high"), float("nan")) if alone else {}


def compare(
    first: np.ndarray,
    second: np.ndarray,
    first_draws: list[np.ndarray],
    second_draws: list[np.ndarray],
    level: float = 0.95,
) -> dict[str, float]:
    """KS and Wasserstein-1 distance of two lists of numbers, with bootstrap intervals (not below 0; KS not above 1)."""
    result = {}
    distances = {"ks": lambda x, y: ks_2samp(x, y, method="asymp").statistic, "wasserstein": wasserstein_distance}
    for name, distance in distances.items():
        value = float(distance(first, second))
        drawn = [distance(first[a], second[b]) for a, b in zip(first_draws, second_draws, strict=True)]
        low, high = percentile_interval(value, np.array(drawn), level)
        top = 1.0 if name == "ks" else np.inf
        result |= {name: value, f"{name}_low": max(0.0, low), f"{name}_high": min(top, high)}
    return result


def rows(
    sets: dict[str, pd.DataFrame],
    reference: tuple[str, pd.DataFrame],
    rng: np.random.Generator,
    draws: int = 200,
    level: float = 0.95,
) -> pd.DataFrame:
    """Each set against the reference, one row a measure that both have.

    Args:
        sets: tables of `measures_of` by name, such as generated, selected, fit.
        reference: name and table of the test bank.
        rng: source of the resamples.
        draws: resamples.
        level: of the intervals.
    """
    other_name, other = reference
    found = []
    for name, table in sets.items():
        for measure in MEASURES:
            if measure not in table or measure not in other:
                continue
            mine, theirs = (side[side[measure].notna()] for side in (table, other))
            if len(mine) < 2 or len(theirs) < 2:
                continue
            first, second = mine[measure].to_numpy(float), theirs[measure].to_numpy(float)
            found.append(
                {
                    "set": name,
                    "reference": other_name,
                    "measure": measure,
                    "n_set": len(mine),
                    "n_reference": len(theirs),
                    "median_set": float(np.median(first)),
                    "median_reference": float(np.median(second)),
                    **compare(first, second, _resamples(mine, draws, rng), _resamples(theirs, draws, rng), level),
                    **_no_bounds(theirs),
                }
            )
    return pd.DataFrame(found, columns=COLUMNS)


def lung_shape(
    sets: dict[str, pd.DataFrame],
    real_areas_mm2: np.ndarray,
    quantiles: tuple[float, float] = (0.05, 0.95),
    level: float = 0.95,
) -> pd.DataFrame:
    """Share of slices with two lungs whose area together lies where real normals' does, with Wilson's interval.

    Args:
        sets: tables of `lungs_of` by name.
        real_areas_mm2: of the real normals.
        quantiles: the range of real areas that counts.
        level: of the interval.
    """
    low, high = np.quantile(real_areas_mm2, quantiles)
    table = []
    for name, lungs in sets.items():
        good = lungs["two_lungs"] & lungs["lung_area_mm2"].between(low, high)
        share_low, share_high = wilson(int(good.sum()), len(good), level)
        table.append(
            {
                "set": name,
                "n": len(good),
                "two_lungs": int(lungs["two_lungs"].sum()),
                "plausible": int(good.sum()),
                "share": float(good.mean()) if len(good) else float("nan"),
                "low": share_low,
                "high": share_high,
                "area_low_mm2": float(low),
                "area_high_mm2": float(high),
            }
        )
    return pd.DataFrame(table)
