"""The shipped segmenter over a whole scan: batches of slices cut to the lungs (ours) against MONAI's sliding window.

Both give a probability for every voxel of the lungs on the scan's own grid. Ours runs each slice once, cut to the box
of each lung, two slices in a call; MONAI's sliding window goes over whole slices in tiles that overlap by a quarter.
Run with `make bench`; the scan of 133 slices lies under LUNGSYNTH_DATA (LIDC-IDRI-0001, unpacked or packed), and
without it nothing is measured. Writes benchmarks/whole_scan.csv.
"""

import os
import statistics
import tarfile
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from monai.inferers import sliding_window_inference

from lungsynth.cohort.dicom.headers import candidates
from lungsynth.cohort.dicom.series import read_series
from lungsynth.ct.lungs import segment_volume as find_lungs
from lungsynth.segment import apply
from lungsynth.sets.tables import write_csv
from lungsynth.study import models
from lungsynth.study.stages.segment import Segment

PACKED = "ct_scans/LIDC-IDRI-0001.tar.xz"
REPEATS = 2
TILE_PX, TILES = 128, 8


def sliding_window(segmenter: apply.Trained, hu: np.ndarray) -> np.ndarray:
    """Probabilities float32 [z, y, x] of all slices by MONAI."""
    network = segmenter.modules["segmenter"]
    with torch.inference_mode():
        x = torch.from_numpy(hu.astype(np.float32))[:, None]
        tiles = (TILE_PX, TILE_PX)
        logits = [sliding_window_inference(one[None], tiles, TILES, network, overlap=0.25) for one in x]
        return torch.cat(logits).sigmoid()[:, 0].numpy()


def folder_of_slices(scratch: str) -> Path | None:
    """The folder with the series, unpacked where it has to be."""
    root = Path(os.environ.get("LUNGSYNTH_DATA", "data"))
    if (root / PACKED).is_file():
        with tarfile.open(root / PACKED) as archive:
            archive.extractall(scratch, filter="data")
        root = Path(scratch)
    found = sorted((root / "LIDC-IDRI-0001").rglob("*.dcm"))
    return found[0].parent if found else None


def main() -> None:
    """Time both in turn, on one thread and on two, and write the medians."""
    recipe = models.recipe_of("nodule_segmenter")
    segmenter = apply.load(Segment(**recipe["segment"]).detector, Path(models.weights_path("nodule_segmenter")))
    with tempfile.TemporaryDirectory() as scratch:
        folder = folder_of_slices(scratch)
        if folder is None:
            print("LUNGSYNTH_DATA holds no LIDC-IDRI-0001: nothing measured")
            return
        volume = read_series(list(candidates(folder)), max_tilt_deg=0.5)[0]
    lungs = find_lungs(volume)
    systems = {
        "slices cut to the lungs": lambda: apply.segment_volume(segmenter, volume, lungs) / 255,
        "sliding window": lambda: sliding_window(segmenter, volume.hu),
    }
    rows = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        times, seen = {name: [] for name in systems}, {}
        for _ in range(REPEATS):
            for name, system in systems.items():
                start = time.perf_counter()
                seen[name] = system()
                times[name].append(time.perf_counter() - start)
        ours, theirs = ((seen[name] >= 0.5) & (lungs > 0) for name in systems)
        agreement = 2 * np.count_nonzero(ours & theirs) / max(1, np.count_nonzero(ours) + np.count_nonzero(theirs))
        for name in systems:
            seconds = statistics.median(times[name])
            rows.append({"system": name, "threads": threads, "seconds": round(seconds, 2), "dice": round(agreement, 4)})
            print(rows[-1], flush=True)
    table = pd.DataFrame(rows).assign(slices=len(volume.hu), rows_px=volume.hu.shape[1])
    write_csv(Path(__file__).with_suffix(".csv"), table)


if __name__ == "__main__":
    main()
