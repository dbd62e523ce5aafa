"""Prepared scans as what windows are cut from: a volume as it is, unrelated slices one by one."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from lungsynth.ct.volume import Volume
from lungsynth.sets.scans import Prepared


@dataclass(frozen=True)
class Scan:
    """A fit scan on its own grid: HU volume, nodule labels and lungs (uint8 [z, y, x], 0 outside).

    `marked`, bool [z, y, x], is what may be a nodule beside the labels, from marks without a mask; None: nothing is.
    `shares`: see `Prepared`.
    """

    name: str
    patient: str
    volume: Volume
    nodules: np.ndarray
    lungs: np.ndarray
    marked: np.ndarray | None = None
    shares: np.ndarray | None = None

    def lesions(self) -> np.ndarray:
        """bool [z, y, x]: all that is no example of normal lung."""
        return self.nodules > 0 if self.marked is None else (self.nodules > 0) | self.marked


def scans_of(one: Prepared) -> Iterator[Scan]:
    """The volume, or each plane of a stack of patches or slices, whose neighbours are no neighbours in the body.

    A patch shows no whole lung; all of it that is darker than tissue counts as one, so that negatives can be cut.
    """
    if one.kind == "volume":
        marked = one.marked() if len(one.unmasked) else None
        yield Scan(one.scan, one.patient, one.volume, one.nodules, one.lungs, marked, one.shares)
        return
    for k in range(len(one.volume.hu)):
        plane = slice(k, k + 1)
        hu, lungs = one.volume.hu[plane], one.lungs[plane]
        lungs = lungs if lungs.any() else (hu < -500).astype(np.uint8)
        shares = None if one.shares is None else one.shares[plane]
        volume = replace(one.volume, hu=hu)
        yield Scan(f"{one.scan}-{k}", one.patient, volume, one.nodules[plane], lungs, shares=shares)
