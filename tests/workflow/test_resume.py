"""A run that is killed inside a training, twice, ends with the bytes of an undisturbed one."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from conftest import TEST_STUDY, copy_of_repository, snakemake

from lungsynth.workflow.records import hashes

OMITTED = ("make_report", "draw_story", "count_networks", "record_provenance")
"""What nothing that is compared here stands on."""


def start(folder: Path) -> subprocess.Popen:
    """A run on one core in a session of its own."""
    command = [sys.executable, "-m", "snakemake", "--cores", "1", *TEST_STUDY]
    return subprocess.Popen(
        command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )


def wait_for(condition, seconds: float, run: subprocess.Popen) -> None:
    """Poll until a condition holds; the run must not end before."""
    end = time.monotonic() + seconds
    while not condition():
        assert run.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < end, "the step to be killed did not start"
        time.sleep(0.02)


def alive_in(folder: Path) -> list[psutil.Process]:
    """Processes, other than zombies, that work in a folder."""
    found = []
    for process in psutil.process_iter(["cwd", "status"]):
        if process.info["cwd"] == str(folder) and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


def kill_in(folder: Path, log: str, whole_group: bool) -> None:
    """Start a run and kill it as soon as the step with that log works."""
    (folder / "logs/test" / log).unlink(missing_ok=True)
    run = start(folder)
    wait_for((folder / "logs/test" / log).exists, 400, run)
    if whole_group:
        os.killpg(run.pid, signal.SIGKILL)
    else:
        os.kill(run.pid, signal.SIGKILL)
    run.wait()
    end = time.monotonic() + 15
    while alive_in(folder) and time.monotonic() < end:
        time.sleep(0.1)
    assert not alive_in(folder), f"orphans: {[process.cmdline() for process in alive_in(folder)]}"


@pytest.fixture(scope="module")
def resumed(tmp_path_factory) -> Path:
    """Killed at the scheduler alone, then with its whole group, each inside a GAN's training; then finished."""
    folder = copy_of_repository(tmp_path_factory.mktemp("killed"))
    kill_in(folder, "train_generator-nodules-w_capsule-2023-0.log", whole_group=False)
    assert not (folder / "results/test/generate/nodules/w_capsule-2023/state-0.pt").exists()
    snakemake(folder, "--unlock", "--cores", "1", *TEST_STUDY)
    kill_in(folder, "train_generator-nodules-w_capsule-2023-1.log", whole_group=True)
    assert (folder / "results/test/generate/nodules/w_capsule-2023/state-0.pt").exists()
    snakemake(folder, "--unlock", "--cores", "1", *TEST_STUDY)
    snakemake(folder, "--omit-from", *OMITTED, "--cores", "1", *TEST_STUDY)
    return folder


def relative(folder: Path, part: str) -> dict[str, str]:
    """Hashes of all files of a part of the results, by their path in it."""
    root = folder / "results/test" / part
    return {str(Path(path).relative_to(root)): digest for path, digest in hashes(root).items()}


@pytest.mark.parametrize("part", ["release", "generate", "segment", "refine", "score", "banks"])
def test_killed_twice_and_on_one_core_the_bytes_are_those_of_an_undisturbed_run_on_two(finished, resumed, part):
    assert relative(resumed, part) == relative(finished, part)


def test_nothing_half_written_is_left(resumed):
    assert not list((resumed / "results").rglob(".*.part"))
