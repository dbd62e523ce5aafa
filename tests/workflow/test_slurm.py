"""The tiny study through a real SLURM: `make test-slurm`, with a cluster that answers `sinfo`."""

import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import TEST_STUDY, copy_of_repository, snakemake

from lungsynth.workflow.records import hashes

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(3600)]


def cluster_answers() -> bool:
    """Whether a SLURM controller can be asked from here."""
    if shutil.which("sbatch") is None:
        return False
    return subprocess.run(["sinfo", "--noheader"], capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="module")
def through_slurm(tmp_path_factory) -> Path:
    """A copy in which the tiny study ran as SLURM jobs."""
    if not cluster_answers():
        pytest.skip("no SLURM cluster answers sinfo")
    folder = copy_of_repository(tmp_path_factory.mktemp("slurm"))
    snakemake(folder, "--profile", "profiles/slurm", *TEST_STUDY)
    return folder


@pytest.mark.parametrize("part", ["release", "generate", "score"])
def test_the_cluster_makes_the_bytes_of_a_local_run(finished, through_slurm, part):
    local, remote = (
        {Path(path).relative_to(folder): digest for path, digest in hashes(folder / "results/test" / part).items()}
        for folder in (finished, through_slurm)
    )
    assert local and remote == local
