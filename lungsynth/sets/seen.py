"""Who a released network has learnt from, as its recipe tells it."""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from lungsynth.study.models import PHANTOM


def who_was_seen(scans: pd.DataFrame, seed: int) -> dict[str, Any]:
    """Patients by role, and the digests of their scans' pixels, by which a scan under another name is known again.

    Digital patients are called alike in every study; the seed tells them apart. Nodule patches have no digests here:
    they are thousands, and no other reader gives the same pixels.

    Args:
        scans: rows of cohort.csv.
        seed: the study's.
    """
    named = scans.assign(
        patient=[f"seed {seed}: {name}" if name.startswith(f"{PHANTOM}-") else name for name in scans["patient"]]
    )
    people = {str(role): sorted(set(rows["patient"])) for role, rows in named.groupby("role", sort=True)}
    return {"patients": people, "scans": sorted(named.loc[named["kind"] != "patch", "pixels"])}


def with_crops(seen: Mapping[str, Any], people: Mapping[str, Iterable[str]]) -> dict[str, Any]:
    """Who was seen in scans, of `who_was_seen`, and the patients by role of crops that no scan of a cohort holds."""
    patients = seen["patients"]
    return {
        "patients": {role: _union(some.get(role, ()) for some in (patients, people)) for role in ("fit", "tune")},
        "scans": seen["scans"],
    }


PICTURE_DIGITS = 16
"""Of the SHA-256 of a picture's pixels, which a recipe keeps."""


def what_was_seen(pictures: pd.DataFrame) -> dict[str, Any]:
    """Patients by role, as hashes, and the digests of the pixels of their pictures; no name of a file.

    Args:
        pictures: rows of pictures.csv.
    """
    people = {str(role): sorted(set(rows["patient"])) for role, rows in pictures.groupby("role", sort=True)}
    return {"patients": people, "pictures": sorted(digest[:PICTURE_DIGITS] for digest in pictures["sha256"])}


def with_earlier(seen: Mapping[str, Any], earlier: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Who was seen, by a network and by those that it has started from: what these have learnt from is in it too.

    A patient with another role there stands under both.

    Args:
        seen: of `who_was_seen` or `what_was_seen`; earlier: recipes of the networks that it started from.
    """
    stated = [seen, *earlier]
    lists = {key for one in stated for key in ("scans", "pictures") if key in one}
    roles = {role for one in stated for role in one.get("patients", {})}
    return {
        "patients": {role: _union(one.get("patients", {}).get(role, ()) for one in stated) for role in sorted(roles)},
        **{key: _union(one.get(key, ()) for one in stated) for key in sorted(lists)},
        **({"started_from": [one["sha256"] for one in stated[1:]]} if stated[1:] else {}),
    }


def learnt_from(recipe: Mapping[str, Any], images: str = "images") -> str:
    """What a released network has learnt from: so many images, or what they are called, of so many patients."""
    before = ", and networks before it from others," if recipe.get("started_from") else ""
    return f"{recipe['images']} {images}{before} of {len(recipe['patients']['fit'])} patients"


def _union(lists: Iterable[Iterable[str]]) -> list[str]:
    return sorted({name for some in lists for name in some})
