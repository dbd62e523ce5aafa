"""The page of a cohort tells of every scan, whatever its kind, and stays of a size that a browser opens."""

import io
import re

import numpy as np
import pandas as pd
import pytest
from chest_samples import SPACING_MM, chest
from PIL import Image

from lungsynth.cohort.base import Mark, Scan, ScanRef
from lungsynth.cohort.prepare import SCAN_COLUMNS, prepare_scan
from lungsynth.cohort.preview import COLOURS, preview, shrunk
from lungsynth.cohort.qc import qc_page
from lungsynth.ct import volume as volumes
from lungsynth.ct.volume import Volume

FACTS = ("kind", "size", "pixel", "lungs", "noise", "nodules", "kernel")


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def drawn(png: bytes, name: str) -> np.ndarray:
    """Pixels of exactly the colour of right, left or mark, as rows of (row, column)."""
    return np.argwhere((pixels(png) == COLOURS[name]).all(-1))


def patches(marks, masks=True):
    """Two patches of lung, the marks at given planes in the middle."""
    hu = np.full((2, 71, 71), -850, np.int16)
    nodules = np.zeros(hu.shape, np.uint8)
    y, x = np.ogrid[:71, :71]
    made = []
    for k, plane in enumerate(marks, 1):
        inside = (y - 35) ** 2 + (x - 35) ** 2 <= 36
        hu[plane][inside] = 40
        nodules[plane][inside] = k
        made.append(Mark((24.5, 24.5, float(plane)), 8.4, label=k if masks else 0))
    return Scan(Volume(hu, (1.0, 0.7, 0.7)), nodules=nodules if masks else None, marks=tuple(made))


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """One scan of each kind, and one that could not be read, as tables and pictures."""
    folder = tmp_path_factory.mktemp("scans")
    hu = chest()[0]
    grey = np.random.default_rng(1).integers(-1000, 400, (1, 64, 64)).astype(np.int16)
    scans = {
        "volume": (Scan(Volume(hu, SPACING_MM), kernel="B40f"), "volume", True),
        "slice": (Scan(Volume(hu[20:21], SPACING_MM), kernel="LUNG"), "slice", True),
        "abdomen": (Scan(Volume(np.where(hu[20:21] < -500, 40, hu[20:21]) - 300, SPACING_MM)), "slice", True),
        "patches": (patches([0, 1]), "patch", True),
        "picture": (Scan(Volume(grey, (1.0, 1.0, 1.0))), "slice", False),
    }
    rows = [
        prepare_scan(ScanRef(name, f"P{name}", kind, ()), scan, folder, chest_ct)[0]
        for name, (scan, kind, chest_ct) in scans.items()
    ]
    rows.append({"scan": "broken", "patient": "Pb", "kind": "volume", "verdict": "quarantined", "reason": "truncated"})
    table = pd.DataFrame(rows, columns=list(SCAN_COLUMNS)).assign(role="fit", batch=0)
    return table, {path.stem: path.read_bytes() for path in folder.glob("*.png")}


def cards(page: str) -> dict[str, str]:
    """Scan -> the text of its card."""
    articles = re.findall(r"<article.*?</article>", page, re.DOTALL)
    return {re.search("<h2>(.*?)</h2>", card)[1]: re.sub(r"\s*<[^>]*>\s*", "|", card) for card in articles}


def test_every_scan_has_all_facts_and_a_verdict(cohort):
    told = cards(qc_page(*cohort))
    assert set(told) == {"volume", "slice", "abdomen", "patches", "picture", "broken"}
    for name in set(told) - {"broken"}:
        assert [fact for fact in FACTS if f"|{fact}|" not in told[name]] == []
    for name, verdict in (("volume", "usable"), ("patches", "usable"), ("abdomen", "quarantined")):
        assert f"|{verdict}|" in told[name]
    assert "Quarantined: truncated" in told["broken"]
    assert "no picture" in told["broken"]
    assert "Quarantined: no lungs found" in told["abdomen"]


def test_facts_are_those_of_the_kind(cohort):
    table, pictures = cohort
    told = cards(qc_page(table, pictures))
    assert re.search(r"\|lungs\|+\d\.\d\d l\|", told["volume"])
    assert re.search(r"\|slices apart\|+5 mm\|", told["volume"])
    assert re.search(r"\|kernel\|+B40f\|", told["volume"])
    truth = np.count_nonzero(chest()[1][20]) * 2.5**2 / 100
    assert table.set_index("scan").lung_cm2["slice"] == pytest.approx(truth, rel=0.05)
    assert re.search(r"\|lungs\|+\d+ cm2\|", told["slice"])
    assert re.search(r"\|lungs\|+none\|", told["abdomen"])
    for name in ("patches", "picture"):
        assert re.search(r"\|lungs\|+not looked for\|", told[name])
        assert re.search(r"\|kernel\|+unknown\|", told[name])
        assert "slices apart" not in told[name]


def test_totals_stand_at_the_top(cohort):
    page = qc_page(*cohort)
    top = re.sub(r"\s*<[^>]*>\s*", "|", page[: page.index("<main")])
    for name, number in (("scans", 6), ("usable", 4), ("quarantined", 2), ("nodules", 2), ("patch scans", 1)):
        assert re.search(rf"\|{name}\|+{number}\|", top)


def test_files_that_never_became_a_scan_are_listed(cohort):
    unread = pd.DataFrame({"source": 0, "file": [f"path-{k}" for k in range(130)], "reason": "<no> DICOM"})
    page = qc_page(*cohort, unread=unread)
    assert page.count("&lt;no&gt; DICOM") == 100
    assert "and 30 more" in page
    assert "Files passed over" not in qc_page(*cohort, unread=unread[:0])


def test_lungs_and_masks_are_outlined_in_their_colours():
    hu, lungs = chest(nodule_mm=((0, 0, -65), 20))
    nodules = ((hu > -100) & (lungs == 1)).astype(np.uint8)
    centre = tuple(float(v) for v in Volume(hu, SPACING_MM).to_mm(np.argwhere(nodules).mean(0)))
    scan = Scan(Volume(hu, SPACING_MM), nodules=nodules, marks=(Mark(centre, 20.0, label=1),))
    png = preview(scan, lungs, "volume")
    for name in COLOURS:
        assert len(drawn(png, name)) > 30
    axial = pixels(png).shape[1] // 2
    right, left, mark = (
        points[points[:, 1] < axial].mean(0) for points in (drawn(png, name) for name in ("right", "left", "mark"))
    )
    assert right[1] < left[1]
    assert mark == pytest.approx(right, abs=12)


@pytest.mark.parametrize("masks", [True, False])
def test_a_patch_shows_its_own_lesion_only(masks):
    scan = patches([1], masks)
    png = preview(scan, np.zeros(scan.volume.hu.shape, np.uint8), "patch")
    points = drawn(png, "mark")
    middle = pixels(png).shape[1] / 2
    assert len(points) > 10
    assert (points[:, 1] > middle).all()
    assert points.mean(0) == pytest.approx((43.5, middle + 2 + 43.5), abs=2)


def test_marks_outside_the_lungs_are_said(tmp_path):
    hu, lungs = chest()
    volume = Volume(hu, SPACING_MM)
    inside = volume.to_mm(np.argwhere(lungs == 1).mean(0))
    marks = tuple(Mark(tuple(map(float, at)), 8.0) for at in (inside, volume.to_mm([20, 64, 64])))
    row, _ = prepare_scan(ScanRef("s", "p", "volume", ()), Scan(volume, lungs, marks=marks), tmp_path)
    assert row["outside_lungs"] == 1
    page = qc_page(pd.DataFrame([row]).assign(role="test", batch=0), {})
    assert "1 of 2 marks outside the lungs by mask" in page
    clean, _ = prepare_scan(ScanRef("s", "p", "volume", ()), Scan(volume, lungs, marks=marks[:1]), tmp_path)
    assert "outside the lungs" not in qc_page(pd.DataFrame([clean]).assign(role="test", batch=0), {})


@pytest.mark.parametrize("axes", ["LPS", "RAI"])
def test_a_box_is_drawn_where_it_is(tmp_path, axes):
    hu, lungs = chest()
    volume = Volume(hu, SPACING_MM)
    low, high = volume.to_mm([[19.5, 40, 30], [20.5, 60, 50]])
    mark = Mark(tuple(volume.to_mm([20, 50, 40]).tolist()), 50.0, boxes_mm=((*low, *high),))
    ref = ScanRef("s", "p", "volume", ())
    stored = volumes.turned(volume, axes)
    prepare_scan(ref, Scan(stored, volumes.turned(volume.like(lungs), axes).hu, marks=(mark,)), tmp_path)
    points = drawn((tmp_path / "s.png").read_bytes(), "mark")
    axial = points[points[:, 1] < 224]
    px = 224 / 128
    # The taller coronal cut stands beside: the axial one of 224 px is as high as wide.
    assert np.ptp(axial, axis=0) == pytest.approx((20 * px, 20 * px), abs=2)
    assert axial[:, 1].min() == pytest.approx(30.5 * px, abs=2)


def test_many_pictures_are_made_smaller(cohort):
    table, pictures = cohort
    row = table[table.scan == "volume"]
    many = pd.concat([row] * 60, ignore_index=True).assign(scan=[f"s{k}" for k in range(60)])
    previews = dict.fromkeys(many.scan, pictures["volume"])
    total = sum(map(len, previews.values()))
    page = qc_page(many, previews, most_bytes=total // 3)
    assert page.count("data:image/png;base64,") == 60
    assert len(page) < 4 / 3 * total / 3 + 2500 * 60 + 10_000
    assert qc_page(many, previews, most_bytes=total // 3) == page


def test_a_smaller_picture_keeps_the_colours(cohort):
    _, pictures = cohort
    small = shrunk(pictures["volume"], 0.5)
    assert pixels(small).shape[0] == pytest.approx(pixels(pictures["volume"]).shape[0] / 2, abs=1)
    assert len(drawn(small, "right")) > 20
    assert pixels(shrunk(pictures["patches"], 0.01)).shape[0] == 48
