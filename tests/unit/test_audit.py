"""The audit finds what Snakemake does not see."""

import json
import subprocess
from pathlib import Path

import pytest
from test_provenance import STUDY, chain, finish, put  # noqa: F401  (the chain is a fixture)

from lungsynth.workflow import alive, audit, provenance


@pytest.fixture
def ledger():
    """The ledger of the chain, as it stands on disk."""
    made = provenance.gather(STUDY)
    put(STUDY / "provenance.json", json.dumps(made))
    return made


def found(ledger):
    return audit.findings(ledger, STUDY)


def test_an_untouched_study_has_no_findings(ledger):
    assert [line for line in found(ledger) if not line.startswith("package:")] == []


def test_an_edited_output_is_found(ledger):
    put("results/tiny/banks/fit.npz", "better numbers")
    assert "edited: results/tiny/banks/fit.npz is not what cut wrote" in found(ledger)


def test_a_deleted_intermediate_is_found(ledger):
    Path("results/tiny/scans/1/s.nii.gz").unlink()
    assert "missing: results/tiny/scans/1/s.nii.gz (made by prepare)" in found(ledger)


def test_a_state_that_was_cleaned_away_is_not_missed(chain):  # noqa: F811
    for number in (1, 2, 10):
        put(f"results/tiny/gan/state-{number}.pt", f"state {number}")
        finish("train", [], [f"results/tiny/gan/state-{number}.pt"], {"segment": number})
    ledger = provenance.gather(STUDY)
    Path("results/tiny/gan/state-2.pt").unlink()
    assert not audit.wrong_files(ledger)
    Path("results/tiny/gan/state-10.pt").unlink()
    assert list(audit.wrong_files(ledger)) == [f"results/tiny/gan/state-{number}.pt" for number in (10, 2)]


def test_a_file_that_no_step_made_is_found_and_hidden_ones_are_not_asked(ledger):
    put("results/tiny/banks/own.npz", "from elsewhere")
    put("results/tiny/banks/.note", "hidden")
    assert "unknown: results/tiny/banks/own.npz was made by no step of the workflow" in found(ledger)
    assert not [line for line in found(ledger) if "hidden" in line or ".note" in line]


def test_an_edited_library_module_is_found(ledger, monkeypatch):
    monkeypatch.setattr(provenance, "tree_digest", lambda: "another")
    assert "code: lungsynth, the rules or the scripts are not those that made the results" in found(ledger)


def test_an_edit_in_the_real_tree_changes_what_the_audit_compares(tmp_path, monkeypatch):
    from lungsynth.workflow import digest

    for name in ("Snakefile", "lungsynth/workflow/step.py"):
        put(tmp_path / "tree" / name, "x = 1\n")
    monkeypatch.setattr(digest, "ROOT", tmp_path / "tree")
    then = provenance.environment()
    put(tmp_path / "tree" / "lungsynth/workflow/step.py", "x = 2\n")
    assert any(line.startswith("code:") for line in audit._environment(then))


def test_an_upgraded_package_is_found(ledger, monkeypatch):
    have = provenance.installed()
    monkeypatch.setattr(provenance, "installed", lambda: {**have, "numpy": "99.0", "scipy": ""})
    lines = found(ledger)
    assert f"package: numpy is 99.0, the results were made with {have['numpy']}" in lines
    assert f"package: scipy is missing, the results were made with {have['scipy']}" in lines


def test_a_package_that_was_never_the_locked_one_is_found(ledger, monkeypatch):
    have = {**provenance.installed(), "numpy": "99.0"}
    ledger["environment"]["packages"] = have
    monkeypatch.setattr(provenance, "installed", lambda: have)
    assert f"package: numpy is 99.0, requirements.txt locks {provenance.locked()['numpy']}" in found(ledger)


def test_a_changed_lock_is_found(ledger, tmp_path, monkeypatch):
    put(tmp_path / "lock.txt", provenance.LOCK.read_text() + "# edited\n")
    monkeypatch.setattr(provenance, "LOCK", tmp_path / "lock.txt")
    assert "lock: requirements.txt is not the one that was in force" in found(ledger)


@pytest.mark.parametrize(
    ("status", "text", "lines"),
    [
        (0, "Building DAG\nNothing to be done (all requested files are present).\n", []),
        (0, "rule cut_banks: 1\nall: 1\n", ["dry run: rule cut_banks: 1", "dry run: all: 1"]),
        (
            1,
            "noise\nlungsynth: sede: unknown key; did you mean 'seed'?\n",
            ["dry run: lungsynth: sede: unknown key; did you mean 'seed'?"],
        ),
    ],
)
def test_what_the_dry_run_says_is_a_finding(monkeypatch, status, text, lines):
    monkeypatch.setattr(subprocess, "run", lambda *a, **k: subprocess.CompletedProcess(a, status, text, ""))
    assert audit.dry_run([]) == lines


def test_a_profile_that_is_not_in_force_is_found(tmp_path, monkeypatch):
    monkeypatch.delenv("SNAKEMAKE_PROFILE", raising=False)
    assert audit.profile() == []
    monkeypatch.setenv("SNAKEMAKE_PROFILE", "none")
    assert len(audit.profile()) == 1
    monkeypatch.delenv("SNAKEMAKE_PROFILE")
    monkeypatch.setattr(audit, "ROOT", tmp_path)
    assert "rerun-triggers" in audit.profile()[0]
    put(tmp_path / "profiles/default/config.yaml", "rerun-triggers: [mtime, code]\n")
    assert len(audit.profile()) == 1


@pytest.fixture
def page(monkeypatch, tmp_path):
    """The audit's entry, in the chain's folder, with a dry run that has nothing to do."""
    put("config.yaml", "study: tiny\n")
    put("studies/other.yaml", "study: other\n")
    monkeypatch.setattr(alive, "ROOT", tmp_path)
    monkeypatch.setattr(audit, "dry_run", lambda arguments: [])
    monkeypatch.setattr(audit, "profile", list)
    have = provenance.locked()
    monkeypatch.setattr(provenance, "installed", lambda: have)
    return audit.main


def test_the_page_says_all_is_well_with_status_0(page, capsys):
    put(STUDY / "provenance.json", json.dumps(provenance.gather(STUDY)))
    assert page([]) == 0
    assert "every file is what the ledger says" in capsys.readouterr().out


def test_the_page_lists_findings_with_status_1(page, capsys):
    put(STUDY / "provenance.json", json.dumps(provenance.gather(STUDY)))
    put("results/tiny/banks/fit.npz", "edited")
    assert page([]) == 1
    assert "edited: results/tiny/banks/fit.npz" in capsys.readouterr().out


def test_a_study_that_never_ran_is_one_line(page, capsys):
    assert page(["--configfile", "config.yaml", "studies/other.yaml"]) == 1
    error = capsys.readouterr().err
    assert "results/other/provenance.json" in error
    assert "run the study first" in error
    assert error.count("\n") == 1
