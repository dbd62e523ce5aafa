"""A NIfTI file as a volume, in the place that its header gives it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from lungsynth.cohort.nifti.header import check
from lungsynth.ct import volume as volumes
from lungsynth.ct.volume import Volume
from lungsynth.study.errors import DataError


def read_nifti(path: Path, axes: str = "") -> Volume:
    """A scan or a mask on the grid of its file, which lies where the sform says if its code is above 0, else the qform.

    Args:
        axes: where i, j, k point to in files that have neither (LPS, RAS ...); empty: such files are refused.

    Raises:
        DataError: as `header.check` and `ct.volume.read`.
    """
    header = check(path)
    volume = volumes.read(path)
    if header.ignored_offset:
        volume = volume.like(volume.hu - np.float32(header.ignored_offset))
    if header.place is not None:
        turn, origin_mm = header.place.axes.ravel(), header.place.origin_mm
        return replace(volume, direction=tuple(turn.tolist()), origin_mm=tuple(origin_mm.tolist()))
    if not axes:
        raise DataError(
            f"{path}: has neither sform nor qform, so that left and right cannot be told; set the source's axes"
        )
    way = sitk.DICOMOrientImageFilter.GetDirectionCosinesFromOrientation(axes)
    return replace(volume, direction=tuple(way))
