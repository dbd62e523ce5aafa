"""A folder of DICOM CT as a volume (ours) against SimpleITK's series reader, side by side.

SimpleITK sorts the files by their names or numbers and reads them; ours also checks the tags of every slice, sorts by
position, takes padding away and gives int16 HU. Run with `make bench`; the series of 133 slices lies packed under
LUNGSYNTH_DATA (ct_scans/LIDC-IDRI-0001.tar.xz), and without it nothing is measured. Writes benchmarks/read_dicom.csv.
The ratio counts, not the seconds.
"""

import os
import statistics
import tarfile
import tempfile
import time
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from lungsynth.cohort.dicom.headers import candidates
from lungsynth.cohort.dicom.series import read_series
from lungsynth.ct.volume import Volume

SCAN = "ct_scans/LIDC-IDRI-0001.tar.xz"
REPEATS = 5
THREADS = 1


def by_simpleitk(folder: Path) -> np.ndarray:
    """The series as SimpleITK's documentation reads one, as an array [z, y, x]."""
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder)))
    return sitk.GetArrayFromImage(reader.Execute())


def ours(folder: Path) -> Volume:
    """The series as the cohort's readers read one."""
    return read_series(list(candidates(folder)), max_tilt_deg=0.5)[0]


def main() -> None:
    """Time both in turn and write the medians."""
    packed = Path(os.environ.get("LUNGSYNTH_DATA", "data")) / SCAN
    if not packed.is_file():
        print(f"LUNGSYNTH_DATA holds no {SCAN}: nothing measured")
        return
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(THREADS)
    with tempfile.TemporaryDirectory() as scratch:
        with tarfile.open(packed) as archive:
            archive.extractall(scratch, filter="data")
        folder = next(path.parent for path in sorted(Path(scratch).rglob("*.dcm")))
        theirs, volume = by_simpleitk(folder), ours(folder)
        assert np.array_equal(volume.hu, np.clip(theirs, -1024, 3071)), "the two read different pixels"
        times = {"ours": [], "simpleitk": []}
        for _ in range(REPEATS):
            for name, function in (("simpleitk", by_simpleitk), ("ours", ours)):
                start = time.perf_counter()
                function(folder)
                times[name].append(time.perf_counter() - start)
    own, other = (statistics.median(times[name]) for name in ("ours", "simpleitk"))
    rows = [
        "slices,threads,ours_s,simpleitk_s,ratio",
        f"{len(volume.hu)},{THREADS},{own:.3f},{other:.3f},{own / other:.2f}",
    ]
    print(rows[-1])
    Path(__file__).with_suffix(".csv").write_text("\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
