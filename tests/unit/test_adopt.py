"""Results that were copied without their times: what is what the ledger says is taken over, and nothing else."""

import json
import os
from pathlib import Path

import pytest
from snakemake.persistence.file import FilePersistence
from test_provenance import STUDY, chain, put  # noqa: F401  (the chain is a fixture)

from lungsynth.workflow import adopt, alive, provenance

SCANS, BANK = [f"results/tiny/scans/{batch}" for batch in (0, 1)], "results/tiny/banks/fit.npz"


@pytest.fixture(autouse=True)
def copied(chain, monkeypatch, tmp_path):  # noqa: F811
    """The chain's results with a ledger, in times that mean nothing; the dry run has nothing to do."""
    put(f"{SCANS[0]}/.snakemake_timestamp", "")
    put("logs/tiny/cut.tsv", "s\n1\n")
    put("config.yaml", "study: tiny\n")
    ledger = provenance.gather(
        STUDY, {"rule": "record", "inputs": [BANK], "outputs": [f"{STUDY}/provenance.json"], "params": {}}
    )
    put(STUDY / "provenance.json", json.dumps(ledger))
    for number, path in enumerate(sorted(tmp_path.rglob("*"), reverse=True)):
        os.utime(path, (1000 + number, 1000 + number))
    monkeypatch.setattr(alive, "ROOT", tmp_path)
    monkeypatch.setattr(adopt, "dry_run", lambda arguments: [])
    monkeypatch.setattr(adopt, "profile", list)


def adopted() -> set[str]:
    """The results that Snakemake has a note of again; the bank has a new time if it is one of them."""
    noted = {name for name in (*SCANS, BANK) if FilePersistence()._read_record(name)}
    assert (BANK in noted) == (Path(BANK).stat().st_mtime > 1e6)
    return noted


def test_all_that_is_what_the_ledger_says_is_taken_over(capsys):
    assert adopt.main([]) == 0
    assert capsys.readouterr().out.startswith("study tiny: 4 of 4 jobs taken over\nevery file is what the ledger says")
    times = [
        Path(*parts).stat().st_mtime for parts in ((BANK,), (SCANS[0], ".snakemake_timestamp"), ("logs/tiny/cut.tsv",))
    ]
    assert len({*times, (STUDY / "provenance.json").stat().st_mtime}) == 1
    assert adopted() == {*SCANS, BANK}


def test_snakemake_knows_again_of_what_and_with_which_params_a_file_was_made():
    adopt.main([])
    note = FilePersistence()._read_record(BANK)
    assert (note.rule, note.input, note.params) == ("cut", SCANS, [repr("code of cut")])


@pytest.mark.parametrize(
    "harm", [lambda path: path.write_text("edited"), lambda path: path.unlink()], ids=["edited", "missing"]
)
def test_what_stands_on_a_wrong_file_is_left_alone(harm, capsys, request):
    harm(Path(SCANS[0], "s.nii.gz"))
    assert adopt.main([]) == 1
    said = capsys.readouterr().out
    assert "1 of 4 jobs taken over" in said
    assert f"{request.node.callspec.id}: {SCANS[0]}/s.nii.gz" in said
    assert adopted() == {SCANS[1]}
    assert (STUDY / "provenance.json").stat().st_mtime < 1e6


def test_what_was_made_of_another_file_of_the_user_s_is_left_alone(capsys):
    put("own.csv", "another")
    assert adopt.main([]) == 1
    assert "changed: own.csv, which prepare has read, is not what it was" in capsys.readouterr().out
    assert adopted() == set()


def test_what_snakemake_would_still_do_is_said(monkeypatch, capsys):
    monkeypatch.setattr(adopt, "dry_run", lambda arguments: ["dry run: cut_banks 1"])
    assert adopt.main([]) == 1
    assert "dry run: cut_banks 1" in capsys.readouterr().out


def test_a_ledger_that_names_no_jobs_and_a_study_without_one_are_one_line(capsys):
    put(STUDY / "provenance.json", json.dumps({**provenance.gather(STUDY), "jobs": []}))
    assert adopt.main([]) == 1
    assert "an earlier version made it; run the study" in capsys.readouterr().err
    (STUDY / "provenance.json").unlink()
    assert adopt.main([]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert adopted() == set()


def test_nothing_is_touched_beside_a_live_run(monkeypatch, capsys):
    monkeypatch.setattr(adopt, "lives", lambda study: study == "tiny")
    assert adopt.main([]) == 1
    assert capsys.readouterr().err == "lungsynth adopt: a run of study tiny is alive in this folder; wait for its end\n"
    assert adopted() == set()
