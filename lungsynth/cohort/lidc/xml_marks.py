"""What four readers wrote about a scan: LIDC-IDRI's XML (FACTS 2.2)."""

import math
from pathlib import Path
from typing import NamedTuple
from xml.etree.ElementTree import Element

from lungsynth.cohort.xml import parse
from lungsynth.study.errors import DataError

Point = tuple[int, int]
MESSAGE = "LidcReadMessage"
"""The root of a reading of CT; radiographs have another one."""
RATINGS = (1, 5)


class Contour(NamedTuple):
    """An outline in one slice: (row, column) points, 0-based; `inside` False for a hole."""

    sop: str
    z_mm: float
    inside: bool
    points: tuple[Point, ...]


class Reading(NamedTuple):
    """One reader's mark of one nodule of 3 mm or more. `texture` 1 to 5, NaN where not rated."""

    reader: int
    contours: tuple[Contour, ...]
    texture: float


def series_of(root: Element) -> str:
    """The SeriesInstanceUid that the file speaks of; empty for another kind of file (radiographs)."""
    if root.tag != MESSAGE:
        return ""
    named = (element.text for element in root.iter() if element.tag.lower() == "seriesinstanceuid")
    return (next(named, "") or "").strip()


def read_readings(path: Path) -> list[Reading]:
    """All marks of nodules of 3 mm or more, reader by reader; smaller ones and non-nodules are points, left out.

    Raises:
        DataError: no XML of this kind, or a number that is none.
    """
    root = parse(path)
    if root.tag != MESSAGE:
        raise DataError(f"{path}: root element {root.tag}, a CT reading has {MESSAGE}")
    readings = []
    for reader, session in enumerate(root.findall("readingSession")):
        for number, nodule in enumerate(session.findall("unblindedReadNodule"), 1):
            try:
                contours = tuple(_contour(roi) for roi in nodule.findall("roi"))
                texture = _rating(nodule.findtext("characteristics/texture"))
            except (TypeError, ValueError):
                which = f"nodule {number} of reader {reader + 1}"
                raise DataError(f"{path}: {which} has a coordinate or rating that is no number") from None
            if any(len(contour.points) > 1 for contour in contours):
                readings.append(Reading(reader, contours, texture))
    return readings


def _contour(roi: Element) -> Contour:
    points = tuple((_pixel(p.findtext("yCoord")), _pixel(p.findtext("xCoord"))) for p in roi.findall("edgeMap"))
    inside = (roi.findtext("inclusion") or "TRUE").strip().upper() != "FALSE"
    z_mm = float((roi.findtext("imageZposition") or "").strip() or math.nan)
    return Contour((roi.findtext("imageSOP_UID") or "").strip(), z_mm, inside, points)


def _pixel(text: str | None) -> int:
    """A coordinate as a pixel: other programs write 312.0, or a place between two pixels, which is rounded.

    Raises:
        TypeError, ValueError: no number.
    """
    number = float(text)
    if not math.isfinite(number):
        raise ValueError
    return math.floor(number + 0.5)


def _rating(text: str | None) -> float:
    """A rating from 1 to 5; NaN for none, which some programs write as 0."""
    rating = float((text or "").strip() or math.nan)
    return rating if RATINGS[0] <= rating <= RATINGS[1] else math.nan
