"""One page with a picture of every scan, for a person who wants to see what goes into a study."""

import base64
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import jinja2
import pandas as pd


def qc_page(rows: pd.DataFrame, previews: Mapping[str, bytes], title: str = "Cohort") -> str:
    """A self-contained HTML page.

    Args:
        rows: one a scan: scan, patient, role, kind, slices, spacing_z_mm, spacing_mm, lung_l, hu_noise, nodules,
            verdict, reason (`Cohort.every`). Quarantined scans come first.
        previews: scan -> PNG bytes; a scan may have none.
        title: of the page.
    """
    ordered = rows.assign(_good=rows.verdict == "ok").sort_values(["_good", "role", "scan"])
    cards = [_card(row, previews.get(row["scan"])) for row in ordered.to_dict("records")]
    template = files("lungsynth.cohort").joinpath("qc.html.j2").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(template).render(title=title, cards=cards, totals=_totals(rows))


def _totals(rows: pd.DataFrame) -> list[tuple[str, str]]:
    good = rows[rows.verdict == "ok"]
    roles = good.groupby("role").patient.nunique()
    return [
        ("scans", str(len(rows))),
        ("usable", str(len(good))),
        ("quarantined", str(len(rows) - len(good))),
        ("patients", str(good.patient.nunique())),
        *((f"patients for {role}", str(roles[role])) for role in ("fit", "tune", "domain", "test") if role in roles),
        ("nodules", f"{good.nodules.sum():.0f}"),
    ]


def _card(row: Mapping[str, Any], png: bytes | None) -> dict[str, Any]:
    """What the template shows of a scan."""
    facts = [
        ("size", f"{row['columns']:.0f} x {row['rows']:.0f} x {row['slices']:.0f}" if _known(row["slices"]) else ""),
        ("pixel", f"{row['spacing_mm']:.3g} mm" if _known(row["spacing_mm"]) else ""),
        ("slices apart", f"{row['spacing_z_mm']:.3g} mm" if _known(row["spacing_z_mm"]) else ""),
        ("lungs", f"{row['lung_l']:.2f} l" if _known(row["lung_l"]) else ""),
        ("noise", f"{row['hu_noise']:.1f} HU" if _known(row["hu_noise"]) else ""),
        ("nodules", f"{row['nodules']:.0f}" if _known(row["nodules"]) else ""),
        ("kernel", str(row.get("kernel", "")) if _known(row.get("kernel")) else ""),
    ]
    if row["kind"] != "volume":  # planes that are no neighbours
        facts = [fact for fact in facts if fact[0] not in ("slices apart", "lungs")]
    picture = base64.b64encode(png).decode() if png else ""
    return {**row, "facts": [fact for fact in facts if fact[1]], "picture": picture, "bad": row["verdict"] != "ok"}


def _known(value: Any) -> bool:
    return value is not None and not pd.isna(value)
