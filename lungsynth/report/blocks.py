"""What a section of the page is built from: charts with words and legend, tables, cards as text."""

import math
from dataclasses import dataclass
from typing import Any

import markupsafe
import numpy as np
import pandas as pd

from lungsynth.report.data import Card, Counted

MINUS = "\N{MINUS SIGN}"
VERDICTS = {"good": "reached", "open": "reached, not sure", "bad": "missed", "none": ""}


@dataclass(frozen=True)
class Chart:
    """A drawing with its words and legend: (css class, name, n)."""

    svg: markupsafe.Markup
    title: str
    caption: str
    legend: list[tuple[str, str, str]]
    verdict: str = ""


@dataclass(frozen=True)
class Table:
    """A table as text cells; `numeric` says which columns stand to the right."""

    columns: list[str]
    rows: list[list[str]]
    numeric: list[bool]


def number(value: float | None, digits: int = 3) -> str:
    """A number for people: `digits` significant digits, a true minus sign, no exponent between 1e-4 and 1e6."""
    if value is None or not math.isfinite(value):
        return "–"
    if value == int(value) and abs(value) < 1e6:
        text = f"{int(value)}"
    else:
        text = f"{value:.{digits}g}"
        if "e" in text and 1e-4 <= abs(value) < 1e6:
            text = f"{value:.0f}"
    return text.replace("-", MINUS)


def table_of(frame: pd.DataFrame, digits: int = 3) -> Table:
    """A frame for people: headings without underscores, numbers rounded, nothing where a cell is empty."""
    numeric = [pd.api.types.is_numeric_dtype(frame[name]) for name in frame.columns]

    def cell(value: Any) -> str:
        if isinstance(value, float | np.floating):
            return "" if not np.isfinite(value) else number(float(value), digits)
        return "" if value is None or value is pd.NA else str(value)

    rows = [[cell(value) for value in line] for line in frame.itertuples(index=False)]
    return Table([str(name).replace("_", " ") for name in frame.columns], rows, numeric)


def card_words(card: Card) -> dict[str, str]:
    """A card's number, interval and verdict as text."""
    unit = f" {card.unit}" if card.unit else ""
    spread = ""
    if pd.notna(card.low) and pd.notna(card.high):
        spread = f"{number(card.low)} to {number(card.high)}{unit}"
    return {"value": number(card.value), "unit": card.unit, "spread": spread, "verdict": VERDICTS[card.verdict]}


def part_classes(counted: Counted) -> list[str]:
    """The colour class of each part: one colour for what stayed (the second paler), another for each reason."""
    seen, classes = {True: 0, False: 0}, []
    for _, _, stayed in counted.parts:
        classes.append(f"kept kept-{min(seen[stayed], 1)}" if stayed else f"lost lost-{seen[stayed] % 4}")
        seen[stayed] += 1
    return classes
