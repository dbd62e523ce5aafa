"""Whole files or none: an error or a kill leaves the old file or nothing, never half of the new one."""

import errno
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import textwrap
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
from PIL import Image

from lungsynth.ct import proof, volume
from lungsynth.ct.files import whole, whole_folder, whole_folders, write_bytes, write_text
from lungsynth.sets import bank, shard, tables
from lungsynth.study.errors import LungsynthError, WriteError


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_complete_and_alone(tmp_path):
    with whole(tmp_path / "a.txt") as draft:
        draft.write_text("new")
        assert not (tmp_path / "a.txt").exists()
    assert names(tmp_path) == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "new"


def test_companions_move_with_the_named_file_which_comes_last(tmp_path, monkeypatch):
    moved, replace = [], os.replace
    monkeypatch.setattr(os, "replace", lambda source, target: (moved.append(target.name), replace(source, target)))
    with whole(tmp_path / "a.mhd") as draft:
        draft.write_text("header")
        draft.with_suffix(".zraw").write_text("pixels")
    assert moved == ["a.zraw", "a.mhd"]
    assert names(tmp_path) == ["a.mhd", "a.zraw"]


def test_an_error_keeps_the_old_file(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(RuntimeError, match="half"), whole(tmp_path / "a.txt") as draft:
        draft.write_text("half")
        raise RuntimeError("half written")
    assert names(tmp_path) == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"


def test_a_stray_of_a_killed_run_does_not_get_into_the_next_one(tmp_path):
    stray = tmp_path / ".a.txt.part"
    stray.mkdir()
    (stray / "companion.raw").write_text("of another run")
    write_text(tmp_path / "a.txt", "new")
    assert names(tmp_path) == ["a.txt"]


def test_parents_are_made_and_bytes_kept(tmp_path):
    write_bytes(tmp_path / "deep" / "er" / "a.bin", b"\r\n\0")
    assert (tmp_path / "deep" / "er" / "a.bin").read_bytes() == b"\r\n\0"
    write_text(tmp_path / "u.txt", "µ\n")
    assert (tmp_path / "u.txt").read_bytes() == "µ\n".encode()


def test_a_folder_takes_the_place_of_the_old_one(tmp_path):
    (tmp_path / "scans").mkdir()
    (tmp_path / "scans" / "old.txt").write_text("old")
    with whole_folder(tmp_path / "scans") as draft:
        (draft / "new.txt").write_text("new")
        assert (tmp_path / "scans" / "old.txt").exists()
    assert names(tmp_path) == ["scans"]
    assert names(tmp_path / "scans") == ["new.txt"]


def test_an_error_keeps_the_old_folder(tmp_path):
    (tmp_path / "scans").mkdir()
    (tmp_path / "scans" / "old.txt").write_text("old")
    with pytest.raises(RuntimeError), whole_folder(tmp_path / "scans") as draft:
        (draft / "new.txt").write_text("half")
        raise RuntimeError
    assert names(tmp_path) == ["scans"]
    assert names(tmp_path / "scans") == ["old.txt"]


@pytest.mark.parametrize("manager", ["whole", "whole_folder"])
def test_a_kill_leaves_nothing_under_the_name(tmp_path, manager):
    program = f"""
        import os, signal
        from lungsynth.ct.files import {manager}
        with {manager}("{tmp_path}/made") as draft:
            (draft / "x" if "{manager}" == "whole_folder" else draft).write_text("half")
            os.kill(os.getpid(), signal.SIGKILL)
    """
    run = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=False)
    assert run.returncode == -signal.SIGKILL
    assert names(tmp_path) == [".made.part"]
    write_text(tmp_path / "made", "again")
    assert names(tmp_path) == ["made"]


@contextmanager
def files_up_to(size):
    """No file may grow beyond `size` bytes, as under `ulimit -f`."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


RNG = np.random.default_rng(0)
HU = RNG.integers(-1000, 400, (6, 40, 40)).astype(np.int16)
SCAN = volume.Volume(HU, (2.5, 0.7, 0.7), (-180.0, -170.5, 31.25), (1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 1.0))
ROWS = pd.DataFrame({"id": [f"n{k}" for k in range(500)], "x": RNG.normal(size=500)})
BANK = bank.ImageSet(HU, HU > 0, 0.7, ROWS.iloc[: len(HU)])


def picture(path):
    with whole(path) as draft:
        Image.fromarray(HU[0].view(np.uint16)).save(draft, format="PNG")


# A file's name, what writes it, and which of the files that it leaves is cut short.
WRITERS = {
    "scan.nii.gz": (lambda path: volume.write(path, SCAN), "scan.nii.gz"),
    "mask.nii.gz": (lambda path: volume.write(path, SCAN.like((HU > 0).astype(np.uint8))), "mask.nii.gz"),
    "probability.nii.gz": (lambda path: volume.write(path, SCAN.like(HU / np.float32(3000))), "probability.nii.gz"),
    "scan.nii": (lambda path: volume.write(path, SCAN), "scan.nii"),
    "raw.mhd": (lambda path: volume.write(path, SCAN), "raw.raw"),
    "zraw.mhd": (lambda path: volume.write(path, SCAN, compress=True), "zraw.zraw"),
    "bank.npz": (lambda path: bank.write(path, BANK), "bank.npz"),
    "shard.npy": (lambda path: shard.save(path, HU), "shard.npy"),
    "small.npy": (lambda path: shard.save(path, HU[0]), "small.npy"),
    "rows.parquet": (lambda path: tables.write_parquet(path, ROWS), "rows.parquet"),
    "rows.csv": (lambda path: tables.write_csv(path, ROWS), "rows.csv"),
    "rows.json": (lambda path: tables.write_json(path, ROWS["x"].to_list()), "rows.json"),
    "page.html": (lambda path: write_text(path, "page" * 5000), "page.html"),
    "state.pt": (lambda path: write_bytes(path, b"state" * 5000), "state.pt"),
    "picture.png": (picture, "picture.png"),
}


@pytest.mark.parametrize("share", [0.5, 1], ids=["half", "all but the last byte"])
@pytest.mark.parametrize("name", WRITERS)
def test_a_file_that_may_not_grow_to_its_end_is_one_line_and_no_file(tmp_path, name, share):
    write, cut = WRITERS[name]
    write(tmp_path / name)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for place in (tmp_path, tmp_path / "new"):
        with files_up_to(int(share * len(before[cut])) - 1), pytest.raises(WriteError) as caught:
            write(place / name)
        assert str(caught.value).startswith(f"{place / name}: cannot be written, it is larger than a file may be here")
        assert caught.value.errno == errno.EFBIG
    assert not (tmp_path / "new" / name).exists()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


REFUSALS = {
    errno.ENOSPC: "the disk is full; free some space",
    errno.EDQUOT: "the quota of disk space is used up",
    errno.EACCES: "the folder is read-only for you",
    errno.EROFS: "the file system is read-only",
    errno.ENAMETOOLONG: "File name too long",
}


@pytest.mark.parametrize("number", REFUSALS)
@pytest.mark.parametrize("where", ["mkdir", "replace"])
@pytest.mark.parametrize("manager", [whole, whole_folder])
def test_what_the_system_refuses_is_one_line_on_the_file_that_was_meant(tmp_path, monkeypatch, manager, where, number):
    def refuse(path, *args, **kwargs):
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr("pathlib.Path.mkdir" if where == "mkdir" else "os.replace", refuse)
    with pytest.raises(WriteError) as caught, manager(tmp_path / ".0.part" / "a") as draft:
        (draft / "x" if manager is whole_folder else draft).write_text("new")
    line = str(caught.value)
    assert line.startswith(f"{tmp_path}/0/a: cannot be written, ") and REFUSALS[number] in line
    assert isinstance(caught.value, LungsynthError) and isinstance(caught.value, OSError)
    assert not (tmp_path / ".0.part" / ".a.part").exists()


def test_an_input_that_cannot_be_read_is_not_taken_for_a_file_that_cannot_be_written(tmp_path):
    with pytest.raises(FileNotFoundError), whole(tmp_path / "a.txt") as draft:
        shutil.copyfile(tmp_path / "absent.txt", draft)


@pytest.mark.parametrize("reason", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_what_simpleitk_says_of_a_full_disk_is_the_same_line(tmp_path, monkeypatch, reason):
    def fail(*args, **kwargs):
        raise RuntimeError(f"itk::ERROR: File cannot be written: x.mhd\nReason: {os.strerror(reason)}")

    monkeypatch.setattr(sitk, "WriteImage", fail)
    with pytest.raises(WriteError) as caught:
        volume.write(tmp_path / "x.mhd", SCAN)
    assert caught.value.errno == reason


def test_what_simpleitk_cannot_write_anywhere_stays_a_fault_of_the_program(tmp_path):
    with pytest.raises(RuntimeError, match="ImageIO"):
        volume.write(tmp_path / "x.unknown", SCAN)
    assert names(tmp_path) == []


DAMAGES = {
    "a wrong byte": lambda stored: (
        stored[: len(stored) // 2] + bytes([stored[len(stored) // 2] ^ 1]) + stored[len(stored) // 2 + 1 :]
    ),
    "too long": lambda stored: stored + b"x",
    "too short": lambda stored: stored[:-1],
    "empty": lambda stored: b"",
}


@pytest.mark.parametrize("damage", [*DAMAGES, "another grid"])
@pytest.mark.parametrize("name, data", [("x.nii.gz", "x.nii.gz"), ("x.nii", "x.nii"), ("x.mhd", "x.raw")])
def test_what_was_changed_on_its_way_to_the_disk_is_no_file(tmp_path, monkeypatch, name, data, damage):
    written = sitk.WriteImage

    def write(image, path, **options):
        image = sitk.Image(image)
        if damage == "another grid":
            image.SetSpacing((0.7, 0.7, 2.0))
        written(image, path, **options)
        stored = tmp_path / f".{name}.part" / data
        stored.write_bytes(DAMAGES.get(damage, bytes)(stored.read_bytes()))

    monkeypatch.setattr(sitk, "WriteImage", write)
    with pytest.raises(WriteError, match="does not keep what is written"):
        volume.write(tmp_path / name, SCAN)
    assert names(tmp_path) == []


def test_nothing_is_written_past_the_writers_that_look():
    """SimpleITK's writer of NIfTI and numpy's of .npy lose bytes in silence; each is called in one place."""
    root = Path(__file__).parents[2]
    calls = {
        (match, path.relative_to(root).as_posix())
        for room in ("lungsynth", "workflow_scripts")
        for path in (root / room).rglob("*.py")
        for match in re.findall(
            r"WriteImage\(|ImageFileWriter|np\.save\w*\(|\.tofile\(|write_array\(", path.read_text(encoding="utf-8")
        )
    }
    assert calls == {("WriteImage(", "lungsynth/ct/proof.py"), ("write_array(", "lungsynth/sets/bank.py")}


def test_an_image_without_a_voxel_more_or_less_is_whole(tmp_path):
    for name in ("x.nii.gz", "x.nii", "x.mhd"):
        with whole(tmp_path / name) as draft:
            proof.write_image(draft, SCAN.to_sitk(), name.endswith("gz"))
        np.testing.assert_array_equal(volume.read(tmp_path / name).hu, HU)


def test_folders_that_belong_together_take_their_places_together_or_not_at_all(tmp_path):
    (tmp_path / "images/0").mkdir(parents=True)
    (tmp_path / "images/0/old").write_text("old")
    with pytest.raises(RuntimeError), whole_folders(tmp_path, "images/0", "masks/0") as folder:
        (folder / "images/0/new").write_text("new")
        raise RuntimeError
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["old"]
    with whole_folders(tmp_path, "images/0", "masks/0") as folder:
        (folder / "images/0/new").write_text("new")
        (folder / "masks/0/mask").write_text("mask")
        assert not (tmp_path / "masks").exists()
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()) == [
        "images/0/new",
        "masks/0/mask",
    ]
    assert not list(tmp_path.rglob(".*"))
