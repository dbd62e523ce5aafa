"""Results and checkouts that are moved about: a copy without times, a blank in the path, a run from another folder."""

import os
import shutil
import subprocess
import sys

from conftest import ROOT, TEST_STUDY, copy_of_repository, snakemake


def test_results_that_were_copied_without_their_times_are_taken_over_whole(finished, tmp_path):
    folder = copy_of_repository(tmp_path)
    copy = shutil.copytree(finished / "results", folder / "results", copy_function=shutil.copyfile)
    for number, path in enumerate(sorted(copy.rglob("*"), reverse=True)):
        os.utime(path, (1e9 + number, 1e9 + number))
    command = [sys.executable, "-m", "lungsynth.workflow.adopt", *TEST_STUDY]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "every file is what the ledger says; nothing to do" in run.stdout
    study = folder / "studies/test.yaml"
    study.write_text(study.read_text().replace("score: {bootstrap: 20", "score: {bootstrap: 21"))
    assert "score_sets" in snakemake(folder, "--dry-run", "--cores", "1", *TEST_STUDY).stdout


def test_a_checkout_with_a_blank_in_its_path_runs_from_any_folder(tmp_path):
    checkout, here = copy_of_repository(tmp_path / "a checkout"), tmp_path / "a place"
    here.mkdir()
    target = "results/test/cohort/phantom/annotations.csv"
    overlay = ["--configfile", str(checkout / "studies/test.yaml")]
    run = snakemake(
        here, "--snakefile", str(checkout / "Snakefile"), "--dry-run", "--cores", "1", *overlay, "--", target
    )
    assert "annotate_phantom" in run.stdout
    assert not (checkout / ".snakemake/metadata").exists()


def test_make_finds_its_folder_and_an_environment_whose_path_has_no_blank(tmp_path):
    checkout = tmp_path / "a checkout"
    checkout.mkdir()
    shutil.copyfile(ROOT / "Makefile", checkout / "Makefile")
    (checkout / "requirements.txt").write_text("")
    unnamed = {key: value for key, value in os.environ.items() if key not in ("LOGNAME", "USER", "LUNGSYNTH_ENV")}
    environment = {**unnamed, "XDG_CACHE_HOME": str(tmp_path / "cache")}

    def make(*arguments, **more):
        command = ["make", "--file", str(checkout / "Makefile"), *arguments]
        return subprocess.run(
            command, cwd=tmp_path, env={**environment, **more}, capture_output=True, text=True, check=False
        )

    said = make("--dry-run", "demo", "STUDY=test").stdout
    assert f'snakemake --snakefile "{checkout}/Snakefile"' in said
    assert f'--configfile "{checkout}/studies/test.yaml"' in said
    assert f'python3 -m venv "{tmp_path}/cache/lungsynth/env-' in said
    assert "adopt " in make("help").stdout
    refused = make("status", LUNGSYNTH_ENV=str(tmp_path / "an environment"))
    assert refused.returncode != 0
    assert "lungsynth: " in refused.stderr and "may have no blank" in refused.stderr
