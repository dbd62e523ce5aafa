"""DATASHEET.md: what the data set is, what it may be used for, what was left out and how good it is."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from lungsynth.study.errors import DataError

TEMPLATES = Path(__file__).parent / "templates"


def markdown(table: pd.DataFrame) -> str:
    """A table as Markdown: numbers to 3 digits, nothing where a cell is empty; "" for an empty table."""
    if table.empty:
        return ""

    def cell(value: object) -> str:
        if isinstance(value, float):
            return "" if value != value else f"{value:.3g}"
        return str(value).replace("|", "\\|")

    lines = [table.columns.tolist(), ["---"] * table.shape[1], *table.itertuples(index=False)]
    return "\n".join("| " + " | ".join(cell(value) for value in line) + " |" for line in lines)


def lesion_summary(lesions: pd.DataFrame) -> pd.DataFrame:
    """Count and diameters (mm: 5, 50 and 95 %) of each texture and of all lesions."""
    groups: Iterable = [*lesions.groupby("texture", sort=True), ("all", lesions)]
    return pd.DataFrame(
        [
            {"texture": name, "lesions": len(rows)}
            | {f"diameter_mm {q:.0%}": float(rows.diameter_mm.quantile(q)) for q in (0.05, 0.5, 0.95)}
            for name, rows in groups
            if len(rows)
        ]
    )


def left_out(refused: Mapping[str, Mapping[str, int]], gate: pd.DataFrame | None = None) -> pd.DataFrame:
    """What selection refused of each kind of generated image, by reason, and the gate of the composites, if any."""
    rows = [
        {"what": f"generated {name}", "why": why, "count": count}
        for name, reasons in refused.items()
        for why, count in reasons.items()
    ]
    if gate is None:
        return pd.DataFrame(rows)
    rows += [
        {"what": "composites after refinement", "why": row.what, "count": row.hits, "of": f"{row.n} {row.of}"}
        for row in gate.itertuples()
        if row.what != "kept"
    ]
    return pd.DataFrame(rows).fillna("")


def cohort_summary(scans: pd.DataFrame) -> pd.DataFrame:
    """Patients and scans of each role, from rows with `patient` and `role`."""
    roles = [role for role in ("fit", "tune", "domain", "test") if role in set(scans.role)]
    return pd.DataFrame(
        [
            {
                "role": role,
                "patients": scans[scans.role == role].patient.nunique(),
                "scans": int((scans.role == role).sum()),
            }
            for role in roles
        ]
    )


def pictures_summary(listed: pd.DataFrame) -> pd.DataFrame:
    """Patients and pictures of each role and class, from rows with `patient`, `role` and `class`."""
    groups = listed.groupby(["role", "class"], sort=False)
    return groups.agg(patients=("patient", "nunique"), pictures=("id", "size")).reset_index()


@dataclass(frozen=True)
class Sheet:
    """What the datasheet says; tables are Markdown, made by `markdown`.

    Attributes:
        title, study, seed, version, licence, source_note: plain words.
        images, lesions, size_px, mm_per_px, window_hu: of the release.
        values: format -> {image, mask}, a sentence each on the stored values (`Exporter`).
        lesion_table, cohort_table, left_out_table, score_table: Markdown, "" where there is nothing to say.

    Raises:
        DataError: there is no image.
    """

    title: str
    study: str
    seed: int
    version: str
    licence: str
    source_note: str
    images: int
    lesions: int
    size_px: int
    mm_per_px: float
    window_hu: tuple[float, float]
    values: dict[str, dict[str, str]]
    lesion_table: str
    cohort_table: str = ""
    left_out_table: str = ""
    score_table: str = ""

    def __post_init__(self) -> None:
        if not self.images:
            raise DataError("the release is empty: the gate kept no composite; see refine/gate.csv for the reasons")


def datasheet(sheet: Sheet) -> str:
    """The datasheet as Markdown; a function of its facts alone, without a date."""
    return rendered("DATASHEET.md.j2", {"sheet": sheet})


def rendered(template: str, facts: Mapping[str, Any]) -> str:
    """A datasheet's template as Markdown."""
    loader = jinja2.FileSystemLoader(TEMPLATES)
    page = jinja2.Environment(
        loader=loader, undefined=jinja2.StrictUndefined, autoescape=False, keep_trailing_newline=True
    )
    return page.get_template(template).render(facts)
