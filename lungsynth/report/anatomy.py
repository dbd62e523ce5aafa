"""Anatomy beside real CT: the share of slices in range as a map of measures and sets, and what it says in words."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from lungsynth.report.blocks import Chart, number
from lungsynth.report.charts import css_of
from lungsynth.report.plot import COLOURS, as_svg, canvas, frame, tip

MEAN_SHARE, RIPPLE = "mean share", "ripple"
SETS = {
    "normals_fit": "real, fit",
    "normals_test": "real, test",
    "lesions_test": "real, nodule",
    "normals_generated": "generated",
    "normals_selected": "selected",
    "lesions_composite": "composite",
    "lesions_refined": "refined",
    "released": "released",
}
"""Names in the table -> words on the page, in the order of the chain."""
MADE = tuple(SETS)[3:]
FLOOR = "normals_test"
CELL, LINE, GAP, LEFT, TOP = 41, 17, 9, 148, 84
CAPTION = (
    "Share of the slices whose measure lies in the range of real CT. A good column is as full as the real ones: pixels "
    "larger than those that the ranges were taken on, 1.25 mm, keep these below 1 too."
)


def share_of(table: pd.DataFrame, name: str, measure: str) -> pd.Series | None:
    """The row of a set and measure; None where there is none, or no slice could answer."""
    rows = table[(table["set"] == name) & (table["measure"] == measure)]
    return None if rows.empty or pd.isna(rows["share"].iloc[0]) else rows.iloc[0]


def chart(table: pd.DataFrame | None) -> Chart | None:
    """The map; None without a table."""
    return None if table is None or table.empty else Chart(share_map(table), "Anatomy beside real CT", CAPTION, [])


@as_svg
def share_map(table: pd.DataFrame) -> tuple[Figure, str]:
    """A cell for every measure (rows, by group) and set (columns): the fuller, the more slices lie in range.

    Columns: set, group, measure, share, low, high, unit, median, n.
    """
    names = [name for name in SETS if name in set(table["set"])]
    measures = table.drop_duplicates("measure")
    groups = measures["group"].to_numpy()
    # A gap before every group but the first.
    tops = LINE * np.arange(len(measures)) + GAP * np.cumsum(np.r_[False, groups[1:] != groups[:-1]])
    height = int(tops[-1]) + LINE
    figure = canvas(LEFT + CELL * len(names) + 26, TOP + height + 6)
    axes = frame(figure, LEFT, TOP, CELL * len(names), height)
    axes.set(xlim=(0, CELL * len(names)), ylim=(height, 0), xticks=[])
    axes.grid(False)
    axes.spines["bottom"].set_visible(False)
    axes.set_yticks(tops + LINE / 2, measures["measure"])
    axes.tick_params(axis="y", labelcolor=COLOURS["ink"])
    for column, name in enumerate(names):
        left = CELL * column
        axes.text(left + CELL / 2 - 4, -7, SETS[name], rotation=52, ha="left", va="bottom", color=COLOURS["ink"])
        _column(axes, left, tops, table[table["set"] == name].set_index("measure").loc[measures["measure"]], name)
    return figure, "Share of slices in the range of real CT, by measure, of " + ", ".join(SETS[name] for name in names)


def _column(axes: Axes, left: int, tops: np.ndarray, rows: pd.DataFrame, name: str) -> None:
    """The cells of a set, with their numbers."""
    colour = COLOURS[css_of(SETS[name])]
    for top, (measure, row) in zip(tops, rows.iterrows(), strict=True):
        if pd.isna(row["share"]):
            continue
        cell = Rectangle((left + 1, top + 1), CELL - 2, LINE - 2, color=colour, alpha=0.08 + 0.67 * row["share"])
        cell.set(linewidth=0, gid=tip(_tip(name, str(measure), row)))
        axes.add_patch(cell)
        weight = "bold" if measure == MEAN_SHARE else "normal"
        look = {"ha": "center", "va": "center", "fontsize": 10, "color": COLOURS["ink"], "weight": weight}
        axes.text(left + CELL / 2, top + LINE / 2, share_text(row["share"]), **look)


def _tip(name: str, measure: str, row: pd.Series) -> str:
    """What stands under the mouse."""
    unit = "" if pd.isna(row["unit"]) else f" {row['unit']}"
    counted = f"{SETS[name]}, {measure}: {share_text(row['share'])} of {row['n']}"
    if pd.isna(row["low"]):
        return counted
    return f"{counted}; median {number(row['median'])}, range {number(row['low'])} to {number(row['high'])}{unit}"


def words(table: pd.DataFrame | None) -> str:
    """One sentence on the mean share of every set beside the real ones, and one on the ripple; "" without a table."""
    if table is None or table.empty:
        return ""
    floors = {"without a nodule": FLOOR, "with one": "lesions_test"}
    real = [f"{words_of(table, name, MEAN_SHARE)} {which}" for which, name in floors.items()]
    made = [f"{SETS[name]} {words_of(table, name, MEAN_SHARE)}" for name in MADE]
    ripple = [f"{SETS[name]} {words_of(table, name, RIPPLE)}" for name in MADE]
    return (
        f"Mean share in range: {', '.join(made)}; real test slices, the floor, {' and '.join(real)}. "
        f"Ripple under the bound that .95 of the real test slices keep: {', '.join(ripple)}."
    )


def words_of(table: pd.DataFrame, name: str, measure: str) -> str:
    """A share as text, a dash where there is none."""
    row = share_of(table, name, measure)
    return "–" if row is None else share_text(row["share"])


def share_text(share: float) -> str:
    """.62, and 1.00 for all."""
    return f"{share:.2f}".removeprefix("0")
