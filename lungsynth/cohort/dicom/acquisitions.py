"""Is a series one acquisition? Two in one may lie on one even grid, slice by slice in turn, and look like one."""

import re
from collections.abc import Hashable, Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from lungsynth.cohort.dicom.headers import RESCALE, Header, Tags, is_blank

SAME = ("PatientID", "StudyInstanceUID", "FrameOfReferenceUID", "ConvolutionKernel", "KVP")
"""What one scan of one patient cannot have two of."""
TOTALS = ("NumberOfSeriesRelatedInstances", "ImagesInAcquisition")
PAUSE_S = 2.0
"""Slices whose times differ by less belong to one acquisition."""
TURNS = 0.25
"""Share of the slices at which numbers may turn from rising to falling or back."""
TIME = re.compile(r"(\d\d)(\d\d)?(\d\d(?:\.\d+)?)?")


def mixture(headers: Sequence[Header]) -> str:
    """Which tag says that the slices are of more than one scan; empty if none does."""
    for name in SAME:
        if len({_value(header.tags, name) for header in headers}) > 1:
            return f"the slices of the series differ in {name}; it is more than one scan"
    for name in RESCALE:
        absent = sum(is_blank(header.tags, name) for header in headers)
        if 0 < absent < len(headers):
            return f"{absent} of {len(headers)} slices lack the tag {name}; their HU cannot be told"
    return ""


def alternation(headers: Sequence[Header]) -> str:
    """What goes back and forth from slice to slice: stations of one scan follow each other, two scans alternate.

    Args:
        headers: in the order of the slices.
    """
    numbers = [_value(header.tags, "AcquisitionNumber") for header in headers]
    passes = _passes([_seconds(header.tags) for header in headers])
    types = [_value(header.tags, "ImageType") for header in headers]
    counted = [_number(header.tags, "AcquisitionNumber") for header in headers]
    found = {
        "AcquisitionNumber": _returns(numbers) or _wavers(counted),
        "AcquisitionTime": _returns(passes) or _wavers(passes),
        "ImageType": _returns(types),
    }
    name = next((name for name, speaks in found.items() if speaks), "")
    return f"from slice to slice {name} goes back and forth; it is more than one scan" if name else ""


def difference(one: Header, other: Header) -> str:
    """In what two slices at one place differ; empty if by nothing that is known."""
    numbers = [_value(header.tags, "AcquisitionNumber") for header in (one, other)]
    if numbers[0] != numbers[1]:
        low, high = sorted("/".join(number) or "unknown" for number in numbers)
        return f"of acquisitions {low} and {high}"
    if _seconds(one.tags) != _seconds(other.tags):
        return "of two times of acquisition"
    return "of two values of ImageType" if _value(one.tags, "ImageType") != _value(other.tags, "ImageType") else ""


def _value(tags: Tags, name: str) -> tuple[str, ...]:
    """A tag's value in a form that can be compared; a missing one is empty."""
    value = tags.get(name, None)
    if is_blank(tags, name):
        return ()
    if name == "KVP":
        return (f"{float(value):g}",)
    return tuple(str(part).strip(" \0") for part in ([value] if isinstance(value, str | int | float) else value))


def _returns(values: Sequence[Hashable]) -> bool:
    """Whether a value comes back after another one; None says nothing."""
    told = [value for value in values if value is not None]
    turns = sum(a != b for a, b in pairwise(told))
    return turns >= len(set(told)) > 1


def _wavers(values: Sequence[int | None]) -> bool:
    """Whether numbers that all differ rise and fall in turn, more often than some stations in any order do."""
    told = [value for value in values if value is not None]
    rises = [b > a for a, b in pairwise(told) if a != b]
    return sum(a != b for a, b in pairwise(rises)) > len(told) * TURNS


def _passes(seconds: Sequence[float | None]) -> list[int | None]:
    """For each slice the number of its pass: times without a pause between them are of one."""
    known = sorted({s for s in seconds if s is not None})
    number = dict.fromkeys(known[:1], 0)
    for before, now in pairwise(known):
        number[now] = number[before] + (now - before >= PAUSE_S)
    return [None if s is None else number[s] for s in seconds]


def _seconds(tags: Tags) -> float | None:
    """The time of day of a slice's acquisition; None where it is unknown."""
    text = str(tags.get("AcquisitionTime", None) or "").strip().replace(":", "")
    match = TIME.match(text or str(tags.get("AcquisitionDateTime", None) or "").strip()[8:])
    return (
        None
        if match is None
        else sum(float(part or 0) * s for part, s in zip(match.groups(), (3600, 60, 1), strict=True))
    )


def lacks(root: Path, series: Iterable[Sequence[Header]]) -> Iterator[tuple[str, str]]:
    """(first file, reason) of each series that is not all there, as far as its own numbers tell."""
    for headers in series:
        reason = _lack(headers) if len(headers) > 1 else ""
        if reason:
            yield str(min(header.path for header in headers).relative_to(root)), reason


def _lack(headers: Sequence[Header]) -> str:
    """What the slices' own numbers say is missing at an end of the series, where no gap shows it; empty if nothing."""
    count = len(headers)
    numbers = {_number(header.tags, "InstanceNumber") for header in headers}
    first, last = min(numbers), max(numbers)
    if len(numbers) == count == last - first + 1 and first > 1:
        return f"its slices are numbered from {first} on; those before are not in the folder"
    promised = max(_number(header.tags, name) for header in headers for name in TOTALS)
    return f"its tags count {promised} slices, the folder holds {count}" if promised > count else ""


def _number(tags: Tags, name: str) -> int:
    """A count; 0 where it is unknown."""
    try:
        return int(tags.get(name, None) or 0)
    except (TypeError, ValueError):
        return 0
