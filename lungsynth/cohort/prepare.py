"""From a scan as a reader gives it to files that every later step reads: HU, lungs, nodules, two tables, pictures.

This is where a scan is turned upright: what is written here has the patient's right at low columns, the front at low
rows and the feet at low slices, and no later step asks.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lungsynth.cohort import checks
from lungsynth.cohort.base import Mark, Reader, Scan, ScanRef
from lungsynth.cohort.listing import from_row
from lungsynth.cohort.names import Names, printable
from lungsynth.cohort.preview import preview
from lungsynth.cohort.shapes import depth_mm
from lungsynth.ct import lungs as lung_masks
from lungsynth.ct import volume as volumes
from lungsynth.ct.files import write_bytes
from lungsynth.sets import boxes
from lungsynth.sets.tables import write_csv
from lungsynth.study.errors import DataError

SCAN_COLUMNS = (
    "scan", "patient", "source", "kind", "class", "copy_of", "slices", "rows", "columns", "spacing_z_mm", "spacing_mm",
    "axes", "lung_l", "lung_cm2", "hu_noise", "kernel", "nodules", "outside_lungs", "pixels", "verdict", "reason",
)  # fmt: skip
MARK_COLUMNS = (
    "scan", "patient", "mark", "x_mm", "y_mm", "z_mm", "diameter_mm", "texture", "readers", "label",
    "inside_lung_mm", "note", *boxes.BOX,
)  # fmt: skip


def prepare_batch(rows: Iterable[Mapping[str, Any]], readers: Sequence[Reader], folder: str | Path) -> pd.DataFrame:
    """Prepare scans one after the other.

    For a usable scan: SCAN.nii.gz (int16 HU), SCAN_lungs.nii.gz (uint8, 1 right, 2 left), SCAN_nodules.nii.gz (label k
    of the mark with label k), SCAN_shares.nii.gz where the reader has shares; for every one that could be read,
    SCAN.png; in the end scans.csv, marks.csv, boxes.csv. A scan that cannot be read or fails a check is a row with
    verdict `quarantined` and the reason, and no volume. A scan that is used may have a reason too, to look at it: one
    lung was not found.

    Args:
        rows: of the list of scans (listing.list_scans), of this batch.
        readers: all readers of the study, in the order of cohort.sources.
        folder: where the files go.

    Returns:
        The table that went into scans.csv.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    names = [Names(reader.root) for reader in readers]
    scans, marks = [], []
    for row in rows:
        ref, source = from_row(row), int(row["source"])
        try:
            scan = readers[source].read(names[source].reveal(ref))
        except (DataError, OSError) as error:
            scans.append(_unreadable(ref, source, _reason(error, readers[source], names[source])))
            continue
        facts, found = prepare_scan(ref, scan, folder, readers[source].chest_ct, readers[source].mask_names)
        scans.append({**facts, "source": source})
        marks += found
    table = pd.DataFrame(scans, columns=list(SCAN_COLUMNS))
    write_csv(folder / "scans.csv", table)
    write_csv(folder / "marks.csv", pd.DataFrame(marks, columns=list(MARK_COLUMNS)))
    slabs = [slab for mark in marks for slab in mark["boxes"]]
    write_csv(folder / "boxes.csv", pd.DataFrame(slabs, columns=list(boxes.COLUMNS)))
    return table


def prepare_scan(
    ref: ScanRef, scan: Scan, folder: Path, chest_ct: bool = True, mask_names: str = ""
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Check one scan, write its files and return its row of scans.csv and its rows of marks.csv.

    With `chest_ct` False the image needs no lungs, and its lung mask is empty. The column `axes` keeps where the axes
    of the scan's own file point to. `mask_names` (of the reader) is said of what looks like a mask.
    """
    axes, scan = volumes.axes_of(scan.volume), upright(scan)
    reason = checks.geometry_fault(scan.volume, ref.kind, scan.sized) or checks.image_fault(
        scan.volume, chest_ct, mask_names
    )
    looked = chest_ct and not reason
    lungs = lungs_of(scan, ref.kind) if looked else np.zeros(scan.volume.hu.shape, np.uint8)
    if chest_ct:
        reason = reason or checks.lung_fault(lungs, scan.volume, ref.kind)
        reason = reason or checks.lesion_fault(mark.diameter_mm for mark in scan.marks)
    marks = [] if reason else [_mark_row(ref, k, mark, scan, lungs) for k, mark in enumerate(scan.marks, 1)]
    if not reason:
        _write_volumes(ref, scan, lungs, folder)
    write_bytes(folder / f"{ref.scan}.png", preview(scan, lungs, ref.kind, chest_ct))
    noise = round(checks.noise_hu(scan.volume), 2) if chest_ct else math.nan
    row = _scan_row(ref, scan, lungs if looked else None, reason)
    outside = sum(mark["inside_lung_mm"] < 0 for mark in marks)
    note = reason or (_lung_note(scan, lungs, ref.kind) if looked else "")
    return {**row, "reason": note, "axes": axes, "hu_noise": noise, "outside_lungs": outside}, marks


def _lung_note(scan: Scan, lungs: np.ndarray, kind: str) -> str:
    """What the user must know about the lungs of a usable scan."""
    empty = scan.lungs is not None and not scan.lungs.any() and lungs.any()
    own = "its lung mask is empty: lungs were found without it" if empty else ""
    return "; ".join(filter(None, (own, checks.lung_note(lungs, kind))))


def upright(scan: Scan) -> Scan:
    """The scan with its arrays turned upright; marks are in mm of the patient and stay."""

    def turned(array: np.ndarray | None) -> np.ndarray | None:
        return None if array is None else volumes.upright(scan.volume.like(array)).hu

    volume = volumes.upright(scan.volume)
    arrays = {name: turned(getattr(scan, name)) for name in ("lungs", "nodules", "shares")}
    return replace(scan, volume=volume, **arrays)


def lungs_of(scan: Scan, kind: str) -> np.ndarray:
    """The upright scan's lung masks, or our own; nothing for patches, which show too little to tell."""
    if scan.lungs is not None and scan.lungs.any():
        return scan.lungs
    if kind == "patch":
        return np.zeros(scan.volume.hu.shape, np.uint8)
    if kind == "slice":
        mm_per_px = scan.volume.spacing_mm[1]
        return np.stack([lung_masks.segment_slice(plane, mm_per_px, both=False) for plane in scan.volume.hu])
    return lung_masks.segment_volume(scan.volume)


def _write_volumes(ref: ScanRef, scan: Scan, lungs: np.ndarray, folder: Path) -> None:
    nodules = np.zeros(scan.volume.hu.shape, np.uint8) if scan.nodules is None else scan.nodules
    for suffix, array in (("", scan.volume.hu), ("_lungs", lungs), ("_nodules", nodules), ("_shares", scan.shares)):
        if array is not None:
            volumes.write(folder / f"{ref.scan}{suffix}.nii.gz", scan.volume.like(array))


def _mark_row(ref: ScanRef, number: int, mark: Mark, scan: Scan, lungs: np.ndarray) -> dict[str, Any]:
    """A mark's row; its depth in the lung is empty where there are no lungs to measure in."""
    depth = depth_mm(scan.volume, lungs > 0, mark.centre_mm) if lungs.any() else math.nan
    x, y, z = (round(float(c), 4) for c in mark.centre_mm)
    return {
        "scan": ref.scan,
        "patient": ref.patient,
        "mark": number,
        "x_mm": x,
        "y_mm": y,
        "z_mm": z,
        "diameter_mm": round(float(mark.diameter_mm), 4),
        "texture": mark.texture,
        "readers": mark.readers,
        "label": mark.label,
        "inside_lung_mm": round(depth, 2),
        "note": mark.note,
        **_ends(mark.box_mm or (math.nan,) * 6),
        "boxes": [{"scan": ref.scan, "mark": number, **_ends(box)} for box in mark.boxes_mm],
    }


def _ends(box_mm: Sequence[float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in zip(boxes.BOX, box_mm, strict=True)}


def _scan_row(ref: ScanRef, scan: Scan, lungs: np.ndarray | None, reason: str) -> dict[str, Any]:
    """A scan's row; without lungs to measure (None: they were not looked for) their size is empty."""
    volume = scan.volume
    measure = {"volume": checks.lung_litres, "slice": checks.lung_cm2}.get(ref.kind)
    size = math.nan if measure is None or lungs is None else round(measure(lungs, volume), 4)
    slices, rows, columns = volume.hu.shape
    return {
        **_names(ref),
        "slices": slices,
        "rows": rows,
        "columns": columns,
        "spacing_z_mm": round(float(volume.spacing_mm[0]), 6),
        "spacing_mm": round(float(volume.spacing_mm[1]), 6) if scan.sized else math.nan,
        "lung_l": size if ref.kind == "volume" else math.nan,
        "lung_cm2": size if ref.kind == "slice" else math.nan,
        "kernel": scan.kernel,
        "nodules": len(scan.marks),
        "pixels": checks.pixel_hash(volume),
        "verdict": checks.BAD if reason else checks.OK,
        "reason": reason,
    }


def _reason(error: DataError | OSError, reader: Reader, names: Names) -> str:
    """Why a scan cannot be read. Neither this machine's paths nor patients' names belong into a table of the study."""
    text = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) else str(error)
    return printable(text.replace(f"{reader.root}/", "") if reader.public_names else names.without_names(text))


def _unreadable(ref: ScanRef, source: int, reason: str) -> dict[str, Any]:
    return {**_names(ref), "source": source, "verdict": checks.BAD, "reason": reason}


def _names(ref: ScanRef) -> dict[str, Any]:
    own = {name: ref.extra.get(name, "") for name in ("class", "copy_of")}
    return {"scan": ref.scan, "patient": ref.patient, "kind": ref.kind, **own}
