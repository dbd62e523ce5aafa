"""The digest of the user's data: what is added, removed or replaced is seen; dates and places are not."""

import os
import shutil

import numpy as np
import pytest

from lungsynth.sets.gist_zip import write_gist_zip
from lungsynth.workflow.sources import data_digest, pictures_digest

SOURCES = [{"reader": "phantom"}, {"reader": "luna16", "path": "luna"}]


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A data root with one source."""
    root = tmp_path / "data"
    (root / "luna/subset0").mkdir(parents=True)
    (root / "luna/subset0/a.mhd").write_text("header")
    (root / "luna/subset0/a.raw").write_bytes(b"12345678")
    monkeypatch.setenv("LUNGSYNTH_DATA", str(root))
    return root


@pytest.mark.parametrize(
    "change",
    [
        lambda luna: (luna / "subset0/b.mhd").write_text("another"),
        lambda luna: (luna / "subset0/a.raw").unlink(),
        lambda luna: (luna / "subset0/a.raw").write_bytes(b"1234"),
        lambda luna: (luna / "subset0/a.raw").write_bytes(b"12344678"),
        lambda luna: (luna / "subset0/a.mhd").rename(luna / "subset0/c.mhd"),
    ],
)
def test_a_scan_added_removed_replaced_or_renamed_changes_it(data, change):
    before = data_digest(SOURCES)
    change(data / "luna")
    assert data_digest(SOURCES) != before


def test_a_mended_table_or_header_changes_it_among_many_files(data):
    """The sample of bytes would pass over them."""
    for k in range(300):
        (data / f"luna/subset0/z{k:03d}.raw").write_bytes(b"1")
    table, seen = data / "luna/zz.csv", set()
    for text in ("seriesuid,1\n" * 1000, "seriesuid,2\n" + "seriesuid,1\n" * 999):
        table.write_text(text)
        seen.add(data_digest(SOURCES))
    (data / "luna/subset0/a.mhd").write_text("headed")
    assert len({*seen, data_digest(SOURCES)}) == 3


def test_date_and_place_do_not_change_it(data, tmp_path, monkeypatch):
    before = data_digest(SOURCES)
    os.utime(data / "luna/subset0/a.mhd", (1, 1))
    shutil.copytree(data, tmp_path / "elsewhere")
    monkeypatch.setenv("LUNGSYNTH_DATA", str(tmp_path / "elsewhere"))
    assert data_digest(SOURCES) == before


def test_files_of_other_folders_do_not_count(data):
    before = data_digest(SOURCES)
    (data / "notes.txt").write_text("mine")
    assert data_digest(SOURCES) == before


def test_without_data_it_is_empty(data):
    shutil.rmtree(data / "luna")
    assert data_digest(SOURCES) == ""
    assert data_digest(SOURCES[:1]) == ""


def test_another_folder_of_many_files_of_the_same_names_and_sizes_changes_it(data):
    for k in range(1000):
        (data / f"luna/{k}.dcm").write_bytes(b"one patient")
    before = data_digest(SOURCES)
    for k in range(1000):
        (data / f"luna/{k}.dcm").write_bytes(b"two patient")
    assert data_digest(SOURCES) != before


def test_what_a_link_leads_to_is_seen(data, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "nodules.csv").write_text(f"of {name}")
    digests = []
    for name in ("one", "two"):
        (data / "luna/folder").symlink_to(tmp_path / name)
        digests.append(data_digest(SOURCES))
        (data / "luna/folder").unlink()
        (data / "luna/file.csv").symlink_to(tmp_path / name / "nodules.csv")
        digests.append(data_digest(SOURCES))
        (data / "luna/file.csv").unlink()
    assert len(set(digests)) == 4


def test_what_cannot_be_read_does_no_harm(data):
    (data / "luna/gone").symlink_to(data / "nothing")
    os.mkfifo(data / "luna/pipe")
    assert data_digest(SOURCES) == data_digest(SOURCES) != ""


def test_a_loop_of_links_ends(data):
    (data / "luna/loop").symlink_to(data / "luna")
    assert data_digest(SOURCES)


def test_a_folder_of_pictures_is_seen_as_any_source_is(data):
    (data / "films/ill").mkdir(parents=True)
    (data / "films/ill/a.png").write_bytes(b"one")
    before = pictures_digest("films")
    assert before
    (data / "films/ill/a.png").write_bytes(b"two")
    assert pictures_digest("films") != before
    assert pictures_digest(None) == pictures_digest("gone") == ""


def test_a_zip_whose_pictures_differ_in_a_pixel_is_another(data):
    images = np.random.default_rng(1).integers(0, 256, (40, 64, 64)).astype(np.uint8)
    write_gist_zip(data / "p.zip", images, None)
    before, size = pictures_digest("p.zip"), (data / "p.zip").stat().st_size
    write_gist_zip(data / "p.zip", images, None)
    assert pictures_digest("p.zip") == before
    images[3, 5, 7] ^= 1
    write_gist_zip(data / "p.zip", images, None)
    assert (data / "p.zip").stat().st_size == size
    assert pictures_digest("p.zip") != before
