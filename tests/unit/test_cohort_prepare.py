"""A cohort from folders to tables: good scans are written, bad ones quarantined with their reason, nobody is twice."""

import hashlib
import io
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from chest_samples import SPACING_MM, chest, write_dicom, write_luna
from PIL import Image

from lungsynth.cohort import checks
from lungsynth.cohort.base import Mark, Scan, ScanRef
from lungsynth.cohort.conclude import conclude
from lungsynth.cohort.listing import from_row, list_scans, open_reader, to_row
from lungsynth.cohort.names import Names
from lungsynth.cohort.prepare import lungs_of, prepare_batch, prepare_scan, upright
from lungsynth.cohort.preview import preview
from lungsynth.cohort.qc import qc_page
from lungsynth.ct import volume as volumes
from lungsynth.ct.volume import Volume
from lungsynth.sets.tables import read_csv, write_csv
from lungsynth.study.errors import DataError
from lungsynth.study.stages.cohort import Split

SMALL = Split(fit=1, tune=1, domain=1, test=1)


def run(root, sources, out, split=SMALL, seed=1, batches=2):
    """All steps of the cohort stage, through its tables on disk."""
    readers = [open_reader(source, root) for source in sources]
    listed, unread = list_scans(readers, sources, split, batches, seed)
    write_csv(out / "scans.csv", listed)
    write_csv(out / "unread.csv", unread)
    listed, unread = read_csv(out / "scans.csv"), read_csv(out / "unread.csv")
    folders = [out / str(k) for k in range(batches)]
    for k, folder in enumerate(folders):
        prepare_batch(listed[listed.batch == k].to_dict("records"), readers, folder)
    return listed, unread, folders


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """Five scans: four chests, one of them with a nodule, and one that is truncated."""
    root = tmp_path_factory.mktemp("data")
    out = tmp_path_factory.mktemp("out")
    scans = {f"s{k}": chest(seed=k)[0] for k in range(3)}
    scans["s3"] = chest(nodule_mm=((0, 0, -65), 20), seed=3)[0]
    scans["s4"] = chest(seed=4)[0]
    centre = (-100 + 127 * 1.25 - 65, -90 + 127 * 1.25, -200 + 39 * 2.5)
    write_luna(root / "luna", scans, [("s3", *centre, 20)])
    raw = root / "luna" / "subset0" / "s4.raw"
    raw.write_bytes(raw.read_bytes()[:1000])
    return root, out, run(root, [{"reader": "luna16", "path": "luna"}], out)


def test_good_scans_are_written_and_the_bad_one_is_quarantined(cohort):
    _, _, (listed, unread, folders) = cohort
    made = conclude(listed, unread, folders, Split(fit=1, tune=0, domain=0, test=0), 2, "report")
    assert sorted(made.scans.scan) == ["s0", "s1", "s2", "s3"]
    assert made.quarantine.reason[0].startswith("subset0/s4.raw: truncated")
    assert set(made.every.scan) == {"s0", "s1", "s2", "s3", "s4"}
    assert made.marks.scan.tolist() == ["s3"]


def files(folders, name):
    return [folder / name for folder in folders if (folder / name).exists()]


def test_volumes_keep_hu_labels_and_place(cohort):
    root, _, (_, _, folders) = cohort
    given = volumes.read(root / "luna" / "subset0" / "s3.mhd")
    hu, lungs, nodules = (volumes.read(files(folders, f"s3{part}.nii.gz")[0]) for part in ("", "_lungs", "_nodules"))
    assert np.array_equal(hu.hu, given.hu)
    assert hu.hu.dtype == np.int16
    assert set(np.unique(lungs.hu)) == {0, 1, 2}
    assert np.argwhere(nodules.hu == 1).mean(0) == pytest.approx(hu.to_index((-6.25, 68.75, -102.5)), abs=1.0)
    assert hu.origin_mm == pytest.approx(given.origin_mm)


def test_the_tables_say_what_a_scan_is(cohort):
    _, _, (_, _, folders) = cohort
    table = pd.concat([read_csv(folder / "scans.csv") for folder in folders]).set_index("scan")
    row = table.loc["s3"]
    assert (row.slices, row.spacing_z_mm, row.nodules, row.verdict) == (40, 5.0, 1, "ok")
    assert row.hu_noise == pytest.approx(12, abs=2)
    truth = np.count_nonzero(chest()[1]) * np.prod(SPACING_MM) / 1e6
    assert row.lung_l == pytest.approx(truth, rel=0.03)
    marks = pd.concat([read_csv(folder / "marks.csv") for folder in folders])
    assert marks.inside_lung_mm.tolist() == [25.0]


def test_the_same_scans_give_the_same_bytes(cohort, tmp_path):
    root, out, _ = cohort
    run(root, [{"reader": "luna16", "path": "luna"}], tmp_path)

    def digests(folder):
        return {
            str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(Path(folder).rglob("*"))
            if path.is_file()
        }

    assert digests(tmp_path) == digests(out)
    assert len(digests(out)) == 2 + 2 * 3 + 4 * 4


def test_the_page_shows_every_scan_the_bad_ones_first(cohort):
    _, _, (listed, unread, folders) = cohort
    every = conclude(listed, unread, folders, Split(fit=1, tune=0, domain=0, test=0), 2, "report").every
    pictures = {path.stem: path.read_bytes() for folder in folders for path in folder.glob("*.png")}
    page = qc_page(every, pictures, "A <study>")
    assert page.count("data:image/png;base64,") == 4
    places = [page.index(f"<h2>s{k}</h2>") for k in range(5)]
    assert places[4] == min(places)
    assert "Quarantined" in page
    assert "A &lt;study&gt;" in page
    assert "http" not in page


def test_quarantine_can_stop_the_run(cohort):
    _, _, (listed, unread, folders) = cohort
    with pytest.raises(DataError, match=r"1 scans are bad, the first is s4: .*truncated"):
        conclude(listed, unread, folders, Split(fit=1, tune=0, domain=0, test=0), 2, "stop")


def test_a_test_patient_that_was_learnt_from_stops_the_run_or_is_left_out(cohort):
    _, _, (listed, unread, folders) = cohort
    listed, split = listed.assign(role="test"), Split(fit=0, tune=0, domain=0, test=1)
    recipes = {"models/a": {"patients": {"fit": ["s1", "s4"]}}, "models/b": {"patients": {"tune": ["s1", "s2"]}}}
    with pytest.raises(DataError, match=r"s1 is a test patient here, and models/a has learnt from it .1 more"):
        conclude(listed, unread, folders, split, 1, "report", recipes)
    made = conclude(listed, unread, folders, split, 1, "report", recipes, "leave_out")
    assert made.scans.scan.tolist() == ["s0", "s3"]
    told = made.quarantine.set_index("scan").reason
    assert told["s1"].startswith("models/a has learnt from it") and told["s2"].startswith("models/b has")
    assert "truncated" in told["s4"]
    assert conclude(
        listed.assign(role="fit"), unread, folders, Split(fit=1, tune=0, domain=0, test=0), 1, "report", recipes
    )


def test_a_lesion_of_an_absurd_size_and_an_empty_lung_mask_are_told(tmp_path):
    hu, lungs = chest(seed=1)
    volume = Volume(hu, SPACING_MM)
    for diameter, word in (
        (0.01, "a lesion of 0.01 mm; 0.2 to 150 are possible"),
        (500, "a lesion of 500 mm"),
        (30, ""),
    ):
        marks = (Mark((0.0, 0.0, 50.0), 12), Mark((0.0, 0.0, 50.0), diameter))
        row, rows = prepare_scan(ScanRef("s", "p", "volume", ()), Scan(volume, lungs=lungs, marks=marks), tmp_path)
        assert row["reason"].startswith(word) and len(rows) == (0 if word else 2)
    row, _ = prepare_scan(ScanRef("s", "p", "volume", ()), Scan(volume, lungs=np.zeros_like(lungs)), tmp_path)
    assert row["verdict"] == "ok" and row["reason"] == "its lung mask is empty: lungs were found without it"


def test_too_few_usable_patients_are_one_line(cohort):
    _, _, (listed, unread, folders) = cohort
    with pytest.raises(DataError, match=r"4 usable patients, cohort.min_patients is 5; 1 are in quarantine") as caught:
        conclude(listed, unread, folders, SMALL, 5, "report")
    assert "\n" not in str(caught.value)


def test_a_role_that_lost_its_patients_is_named(cohort):
    _, _, (listed, unread, folders) = cohort
    moved = listed.assign(role=["fit", "fit", "tune", "domain", "test"])
    with pytest.raises(DataError, match=r"no usable patient for the role test; .*truncated"):
        conclude(moved, unread, folders, SMALL, 2, "report")


def test_one_image_under_two_names(tmp_path):
    hu = chest(seed=5)[0]
    scans = {"a": hu, "b": hu, **{f"c{k}": chest(seed=k)[0] for k in range(3)}}
    write_luna(tmp_path / "luna", scans)
    listed, unread, folders = run(tmp_path, [{"reader": "luna16", "path": "luna"}], tmp_path / "out")
    apart = listed.assign(role=["fit", "test", "fit", "tune", "domain"])
    with pytest.raises(DataError, match=r"path-\w+ \(fit, scan a\) = path-\w+ \(test, scan b\)") as told:
        conclude(apart, unread, folders, SMALL, 2, "report")
    tokens = re.findall(r"path-\w+", str(told.value))[:2]
    assert [Names(tmp_path / "luna").by_token[one].name for one in tokens] == ["a.mhd", "b.mhd"]
    together = listed.assign(role=["fit", "fit", "test", "tune", "domain"])
    made = conclude(together, unread, folders, SMALL, 2, "report")
    assert made.quarantine[["scan", "reason"]].to_numpy().tolist() == [["b", "the same image as scan a"]]


def test_one_series_in_two_sources_is_refused(tmp_path):
    hu = chest((12, 64, 64), (5.0, 5.0, 5.0))[0]
    for name in ("one", "two"):
        write_dicom(tmp_path / name, hu, patient=name)
    sources = [{"reader": "dicom", "path": name} for name in ("one", "two")]
    readers = [open_reader(source, tmp_path) for source in sources]
    with pytest.raises(DataError, match=r"is there twice: patient P-\w+ in cohort.sources\[0\] and patient P-"):
        list_scans(readers, sources, SMALL, 1, 1)


def test_a_row_of_the_list_becomes_the_same_reference(tmp_path):
    write_dicom(tmp_path / "d", chest((12, 64, 64), (5.0, 5.0, 5.0))[0], patient="007")
    (ref,) = open_reader({"reader": "dicom", "path": "d", "keep_patient_ids": True}, tmp_path).list()
    write_csv(tmp_path / "t.csv", pd.DataFrame([to_row(ref)]))
    assert from_row(read_csv(tmp_path / "t.csv").to_dict("records")[0]) == ref


def volume(hu, spacing=SPACING_MM, **more):
    return Volume(np.asarray(hu, np.int16), spacing, **more)


@pytest.mark.parametrize(
    ("made", "kind", "pattern"),
    [
        (volume(np.zeros((5, 80, 80))), "volume", "5 slices"),
        (volume(np.zeros((20, 40, 80))), "volume", "40 x 80 pixels"),
        (volume(np.zeros((20, 80, 80)), (5.0, 0.05, 0.05)), "volume", "pixels of 0.05 x 0.05 mm"),
        (volume(np.zeros((20, 80, 80)), (5.0, 1.0, 2.0)), "slice", "not square"),
        (volume(np.zeros((20, 80, 80)), (25.0, 1.0, 1.0)), "volume", "slices 25 mm apart"),
        (volume(np.zeros((20, 80, 80)), direction=(0, 1, 0, 1, 0, 0, 0, 0, 1)), "volume", "not axial"),
    ],
)
def test_impossible_geometry_is_a_reason(made, kind, pattern):
    assert pattern in checks.geometry_fault(made, kind)


def test_a_constant_image_and_an_image_without_air():
    assert "constant image" in checks.image_fault(volume(np.full((20, 80, 80), -1000)))
    assert "no air" in checks.image_fault(volume(np.arange(20 * 80 * 80).reshape(20, 80, 80) % 1000))
    assert checks.image_fault(volume(chest()[0])) == ""


def test_the_sides_of_a_slice_follow_the_patient_and_not_the_array():
    hu = chest()[0][20:21]
    found = lungs_of(Scan(volume(hu)), "slice")
    assert set(np.unique(found)) == {0, 1, 2}
    turned = volume(hu[:, ::-1, ::-1], direction=(-1, 0, 0, 0, -1, 0, 0, 0, 1))
    assert np.array_equal(lungs_of(upright(Scan(turned)), "slice"), found)


def test_lungs_that_are_missing_or_too_small():
    hu, lungs = chest()
    assert checks.lung_fault(lungs, volume(hu), "volume") == ""
    assert checks.lung_fault(np.zeros_like(lungs), volume(hu), "slice") == "no lungs found"
    assert checks.lung_fault(np.zeros_like(lungs), volume(hu), "patch") == ""
    part = np.where(np.arange(40)[:, None, None] < 14, lungs, 0)
    assert "a chest scan has 0.8 l at least" in checks.lung_fault(part, volume(hu), "volume")


@pytest.mark.parametrize("sd", [5, 20])
def test_noise_is_measured_in_soft_tissue(sd):
    hu = np.random.default_rng(1).normal(50, sd, (12, 96, 96))
    assert checks.noise_hu(volume(np.rint(hu))) == pytest.approx(sd, rel=0.2)


@pytest.mark.parametrize("spacing_mm", [(1.0, 1e-9, 1e-9), (1e300, 1.0, 1e-300), (1.0, 1e9, 1e9)])
def test_the_picture_of_impossible_pixels_stays_small(spacing_mm):
    scan = Scan(Volume(np.zeros((12, 20, 20), np.int16), spacing_mm))
    picture = Image.open(io.BytesIO(preview(scan, np.zeros((12, 20, 20), np.uint8), "volume")))
    assert max(picture.size) <= 8 * 224
