"""Copies of the repository in which the tiny study runs: undisturbed, and killed and resumed."""

import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from filelock import FileLock

ROOT = Path(__file__).resolve().parents[2]
TEST_STUDY = ["--configfile", "config.yaml", "studies/test.yaml"]


def copy_of_repository(folder: Path) -> Path:
    """All files that are, or would be, in the repository, in a folder of their own."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, target)
    return folder


SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["snakemake.cli"])
"""A process that has imported Snakemake and nothing of ours, from which plans are forked."""


def _plan(folder: str, arguments: list[str], environment: dict[str, str], out: str, err: str) -> None:
    """What `python -m snakemake` does, in a fork: its own folder, environment and output."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[0] = folder  # as `-m` has it
    for number, path in ((1, out), (2, err)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    sys.argv = ["snakemake", *arguments]
    from snakemake.cli import main

    main()


def planned(folder: Path, arguments: Sequence[str]) -> subprocess.CompletedProcess:
    """A dry run without the seconds that Snakemake's own imports take."""
    with tempfile.TemporaryDirectory() as place:
        out, err = (Path(place, name) for name in ("out", "err"))
        fork = SERVER.Process(target=_plan, args=(str(folder), list(arguments), dict(os.environ), str(out), str(err)))
        fork.start()
        fork.join()
        return subprocess.CompletedProcess(arguments, fork.exitcode, out.read_text(), err.read_text())


def snakemake(folder: Path, *arguments: str, check: bool = True) -> subprocess.CompletedProcess:
    """Run Snakemake in a copy; its output is part of the failure's message."""
    if "--dry-run" in arguments:
        run = planned(folder, arguments)
    else:
        command = [sys.executable, "-m", "snakemake", *arguments]
        run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if check:
        assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-6000:]
    return run


@pytest.fixture(scope="session")
def fresh(tmp_path_factory) -> Path:
    """A copy in which nothing has run."""
    return copy_of_repository(tmp_path_factory.mktemp("fresh"))


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> Path:
    """A copy in which the tiny study ran to its end on two cores: made once, whatever number of processes test."""
    root = tmp_path_factory.getbasetemp()
    root = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root
    folder = root / "made"
    with FileLock(root / "made.lock"):
        if not (folder / "results/test/provenance.json").exists():
            copy_of_repository(folder)
            snakemake(folder, "--cores", "2", *TEST_STUDY)
    return folder


@pytest.fixture(scope="module")
def finished(made, tmp_path_factory) -> Path:
    """The finished tiny study, a copy for each file of tests with all times; tests put back what they change."""
    return shutil.copytree(made, tmp_path_factory.mktemp("finished") / "study", symlinks=True)
