"""One page with a picture of every scan, for a person who wants to see what goes into a study."""

import base64
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import jinja2
import pandas as pd

from lungsynth.cohort.preview import shrunk

PICTURES_BYTES = 20_000_000
"""Pictures of all scans together; in text they take a third more, which keeps the page below 30 MB."""
MOST_FILES = 100


def qc_page(
    rows: pd.DataFrame,
    previews: Mapping[str, bytes],
    title: str = "Cohort",
    unread: pd.DataFrame | None = None,
    most_bytes: int = PICTURES_BYTES,
) -> str:
    """A self-contained HTML page.

    Args:
        rows: one a scan: scan, patient, role, kind, class, copy_of, slices, spacing_z_mm, spacing_mm, lung_l,
            lung_cm2, hu_noise, kernel, nodules, outside_lungs, verdict, reason (`Cohort.every`). Quarantined scans come
            first.
        previews: scan -> PNG bytes; a scan may have none.
        title: of the page.
        unread: table file, reason of the files that never became a scan (`listing.list_scans`).
        most_bytes: pictures that are more than this together are made smaller.
    """
    ordered = rows.assign(_good=rows.verdict == "ok").sort_values(["_good", "role", "scan"])
    pictures = _within(previews, most_bytes)
    cards = [_card(row, pictures.get(row["scan"])) for row in ordered.to_dict("records")]
    files_left = [] if unread is None else unread[["file", "reason"]].to_dict("records")
    totals = _totals(rows) + ([("files passed over", str(len(files_left)))] if files_left else [])
    template = files("lungsynth.cohort").joinpath("qc.html.j2").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(template).render(
        title=title, cards=cards, totals=totals, files=files_left[:MOST_FILES], more=len(files_left) - MOST_FILES
    )


def _within(previews: Mapping[str, bytes], most_bytes: int) -> Mapping[str, bytes]:
    """The pictures, all made smaller by one factor where they are too many bytes."""
    total = sum(len(png) for png in previews.values())
    if total <= most_bytes:
        return previews
    # A picture's bytes fall more slowly than its pixels: a small one shows more detail per pixel.
    factor = (most_bytes / total) ** 0.75
    return {scan: shrunk(png, factor) for scan, png in previews.items()}


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
        *([("outside the lungs", f"{good.outside_lungs.sum():.0f}")] if good.outside_lungs.sum() else []),
        *((f"{kind} scans", str(count)) for kind, count in sorted(rows.kind.value_counts().items())),
    ]


def _card(row: Mapping[str, Any], png: bytes | None) -> dict[str, Any]:
    """What the template shows of a scan: every fact, and "unknown" where there is none."""
    facts = [
        ("kind", str(row["kind"])),
        ("size", f"{row['columns']:.0f} x {row['rows']:.0f} x {row['slices']:.0f}" if _known(row["slices"]) else ""),
        ("pixel", _number(row, "spacing_mm", ".3g", " mm")),
        ("lungs", _lungs(row)),
        ("noise", _number(row, "hu_noise", ".1f", " HU")),
        ("nodules", _number(row, "nodules", ".0f", "")),
        ("kernel", str(row["kernel"]) if _known(row.get("kernel")) else ""),
    ]
    for name, column in (("copy of", "copy_of"), ("class", "class")):
        if _known(row.get(column)):
            facts.insert(1, (name, str(row[column])))
    if row["kind"] == "volume":  # in others the planes are no neighbours
        facts.insert(3, ("slices apart", _number(row, "spacing_z_mm", ".3g", " mm")))
    if not _known(row["slices"]):  # it could not be read
        facts = facts[:1]
    picture = base64.b64encode(png).decode() if png else ""
    shown = [(name, value or "unknown") for name, value in facts]
    outside = int(row["outside_lungs"]) if _known(row.get("outside_lungs")) else 0
    reason = row["reason"] if _known(row.get("reason")) else ""
    shown_too = {"reason": reason, "facts": shown, "picture": picture, "outside": outside}
    return {**row, **shown_too, "bad": row["verdict"] != "ok"}


def _lungs(row: Mapping[str, Any]) -> str:
    """Volume, or area in a single slice. In patches, other images than CT and broken ones none are looked for."""
    for name, style, unit in (("lung_l", ".2f", " l"), ("lung_cm2", ".0f", " cm2")):
        if _known(row.get(name)):
            return f"{row[name]:{style}}{unit}" if row[name] > 0 else "none"
    return "not looked for"


def _number(row: Mapping[str, Any], name: str, style: str, unit: str) -> str:
    return f"{row[name]:{style}}{unit}" if _known(row.get(name)) else ""


def _known(value: Any) -> bool:
    return value is not None and not pd.isna(value) and value != ""
