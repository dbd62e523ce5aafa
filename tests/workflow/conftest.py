"""Copies of the repository in which the tiny study runs: undisturbed, and killed and resumed."""

import os
import shutil
import subprocess
import sys
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


def snakemake(folder: Path, *arguments: str, check: bool = True) -> subprocess.CompletedProcess:
    """Run Snakemake in a copy; its output is part of the failure's message."""
    run = subprocess.run(
        [sys.executable, "-m", "snakemake", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
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
