"""The ledger: what made every file, from the records that the steps left."""

import hashlib
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from lungsynth.workflow import provenance, records

STUDY = Path("results/tiny")


def sha(text):
    return hashlib.sha256(text.encode()).hexdigest()


def put(path, text):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text)


def finish(rule, inputs, outputs, wildcards=None, **facts):
    """Write a record as a finished step does."""
    job = SimpleNamespace(
        rule=rule,
        wildcards=SimpleNamespace(**(wildcards or {})),
        view={"seed": 1},
        params=SimpleNamespace(code=f"code of {rule}"),
        facts=facts,
    )
    records.write(job, inputs, outputs)


@pytest.fixture(autouse=True)
def chain(tmp_path, monkeypatch):
    """A study of three steps: two batches of scans, a bank, and a user's file that one of them read."""
    monkeypatch.chdir(tmp_path)
    put("own.csv", "the user's")
    for batch in ("0", "1"):
        put(f"results/tiny/scans/{batch}/s.nii.gz", f"scan {batch}")
        finish("prepare", ["own.csv"], [f"results/tiny/scans/{batch}"], {"batch": batch})
    put("results/tiny/banks/fit.npz", "bank")
    finish("cut", ["results/tiny/scans/0", "results/tiny/scans/1"], ["results/tiny/banks/fit.npz"], device="cpu")


def test_every_file_has_its_hash_maker_settings_code_and_facts():
    ledger = provenance.gather(STUDY)
    assert ledger["study"] == "tiny"
    assert list(ledger["files"]) == [
        "results/tiny/banks/fit.npz",
        "results/tiny/scans/0/s.nii.gz",
        "results/tiny/scans/1/s.nii.gz",
    ]
    entry = ledger["files"]["results/tiny/banks/fit.npz"]
    assert (entry["sha256"], entry["rule"]) == (sha("bank"), "cut")
    assert (entry["settings"], entry["code"], entry["facts"]) == ({"seed": 1}, "code of cut", {"device": "cpu"})


def test_a_folder_as_input_is_named_file_by_file():
    assert provenance.gather(STUDY)["files"]["results/tiny/banks/fit.npz"]["inputs"] == {
        "results/tiny/scans/0/s.nii.gz": sha("scan 0"),
        "results/tiny/scans/1/s.nii.gz": sha("scan 1"),
    }


def test_the_users_own_files_are_hashed_too():
    assert provenance.gather(STUDY)["files"]["results/tiny/scans/0/s.nii.gz"]["inputs"] == {
        "own.csv": sha("the user's")
    }


def test_an_edit_after_the_step_does_not_get_into_the_ledger():
    put("results/tiny/banks/fit.npz", "edited")
    put("results/tiny/scans/0/s.nii.gz", "edited")
    files = provenance.gather(STUDY)["files"]
    assert files["results/tiny/banks/fit.npz"]["sha256"] == sha("bank")
    assert files["results/tiny/banks/fit.npz"]["inputs"]["results/tiny/scans/0/s.nii.gz"] == sha("scan 0")


def test_a_step_that_ran_again_is_there_once():
    put("results/tiny/banks/fit.npz", "bank two")
    finish("cut", [], ["results/tiny/banks/fit.npz"])
    assert provenance.gather(STUDY)["files"]["results/tiny/banks/fit.npz"]["sha256"] == sha("bank two")


def test_what_was_removed_with_its_step_is_forgotten():
    Path("results/tiny/banks/fit.npz").unlink()
    assert "results/tiny/banks/fit.npz" not in provenance.gather(STUDY)["files"]


def test_the_ledger_is_not_in_itself():
    put("results/tiny/provenance.json", "an earlier ledger")
    finish("record_provenance", [], ["results/tiny/provenance.json"])
    assert "results/tiny/provenance.json" not in provenance.gather(STUDY)["files"]


def test_the_ledger_is_json_and_repeats_itself():
    one, other = (json.dumps(provenance.gather(STUDY), allow_nan=False) for _ in range(2))
    assert one == other


def test_the_jobs_are_there_as_snakemake_knows_them_with_the_one_that_writes_the_ledger():
    itself = {"rule": "record", "inputs": [], "outputs": ["results/tiny/provenance.json"], "params": {}}
    jobs = provenance.gather(STUDY, itself)["jobs"]
    assert [job["outputs"] for job in jobs] == [
        ["results/tiny/banks/fit.npz"],
        ["results/tiny/provenance.json"],
        ["results/tiny/scans/0"],
        ["results/tiny/scans/1"],
    ]
    cut = {"rule": "cut", "inputs": ["results/tiny/scans/0", "results/tiny/scans/1"]}
    assert jobs[0] == {**cut, "outputs": ["results/tiny/banks/fit.npz"], "params": {"code": "code of cut"}}


def test_the_environment_names_code_lock_packages_and_machine():
    found = provenance.environment()
    assert set(found) == {"tree", "lock", "packages", "python", "machine"}
    assert len(found["tree"]) == len(found["lock"]) == 64
    assert found["packages"]["numpy"] == __import__("numpy").__version__


def test_versions_are_compared_without_the_builds_label(monkeypatch):
    monkeypatch.setattr(provenance.metadata, "version", lambda name: "2.13.0+cpu")
    assert provenance.installed()["torch"] == "2.13.0"


def test_the_lock_is_read_with_names_as_packages_know_them(tmp_path, monkeypatch):
    (tmp_path / "lock.txt").write_text(
        "# comment\nPyYAML==6.0.3\nconnection_pool==0.0.3  # why\n\n--extra-index-url x\n"
    )
    monkeypatch.setattr(provenance, "LOCK", tmp_path / "lock.txt")
    assert provenance.locked() == {"pyyaml": "6.0.3", "connection-pool": "0.0.3"}


def test_a_study_is_found_from_any_of_its_files():
    assert records.study_folder("results/tiny/a/b/c.txt") == STUDY
    assert records.hashes("results/tiny/scans") == {
        "results/tiny/scans/0/s.nii.gz": sha("scan 0"),
        "results/tiny/scans/1/s.nii.gz": sha("scan 1"),
    }
