"""Copies of the repository in which the tiny study runs: undisturbed, and killed and resumed."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

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
def finished(tmp_path_factory) -> Path:
    """A copy in which the tiny study ran to its end on two cores; tests put back what they change."""
    folder = copy_of_repository(tmp_path_factory.mktemp("finished"))
    snakemake(folder, "--cores", "2", *TEST_STUDY)
    return folder
