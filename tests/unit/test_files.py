"""Whole files or none: an error or a kill leaves the old file or nothing, never half of the new one."""

import os
import signal
import subprocess
import sys
import textwrap

import pytest

from lungsynth.ct.files import whole, whole_folder, write_bytes, write_text


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
