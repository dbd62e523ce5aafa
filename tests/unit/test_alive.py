"""A run that lives is left alone; what a dead one has left is taken away."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lungsynth.study.errors import WriteError
from lungsynth.workflow import alive, jobs

ROOT = Path(__file__).parents[2]
HOLD = f"""
import sys, time
sys.path.insert(0, {str(ROOT)!r})
from lungsynth.workflow.alive import hold
hold('tiny')
print('held', flush=True)
time.sleep(60)
"""


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    """A folder with a study, the locks of two, and no run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(alive, "ROOT", tmp_path)
    monkeypatch.setattr(alive, "_held", [])
    Path("config.yaml").write_text("study: demo\n")
    Path("tiny.yaml").write_text("study: tiny\n")
    Path("more.yaml").write_text("score: {bootstrap: 3}\n")
    Path(".snakemake/locks").mkdir(parents=True)
    for number, study in enumerate(("tiny", "tiny2")):
        for side in ("input", "output"):
            Path(f".snakemake/locks/{number}.{side}.lock").write_text(f"models/a\nresults/{study}/a.csv\n")
    return tmp_path


@pytest.fixture
def running():
    """A process that runs the study."""
    process = subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def locks():
    return sorted(path.name for path in Path(".snakemake/locks").iterdir())


@pytest.mark.parametrize(
    ("arguments", "study"),
    [
        ([], "demo"),
        (["--configfile", "tiny.yaml"], "tiny"),
        (["--configfile", "config.yaml", "tiny.yaml", "more.yaml"], "tiny"),
    ],
)
def test_a_study_is_the_one_that_the_last_file_names(arguments, study):
    assert alive.study_of(arguments) == study


def test_beside_a_live_run_nothing_is_unlocked(running, capsys):
    assert alive.main(["--configfile", "tiny.yaml"]) == 1
    assert (
        capsys.readouterr().err == "lungsynth resume: a run of study tiny is alive in this folder; wait for its end\n"
    )
    assert len(locks()) == 4
    assert alive.main(["--configfile", "config.yaml"]) == 0  # another study may go on


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_a_dead_run_s_locks_are_taken_and_no_other_study_s(running, end):
    running.send_signal(end)
    running.wait()
    assert alive.main(["--configfile", "tiny.yaml"]) == 0
    assert locks() == ["1.input.lock", "1.output.lock"]


def test_two_runs_of_one_study_may_live_and_both_count(running):
    alive.hold("tiny")
    running.kill()
    running.wait()
    assert alive.lives("tiny")
    alive._held.pop().close()
    assert not alive.lives("tiny")


def test_where_no_run_was_nothing_is_made_and_nothing_refused(tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    assert alive.main([str(tmp_path / "tiny.yaml")]) == 0
    assert not list(Path().iterdir())


@pytest.mark.parametrize("error", [KeyError("getpwuid(): uid not found: 12345"), OSError("no username")])
def test_a_user_without_a_name_gets_one(monkeypatch, error):
    def nobody():
        raise error

    for name in ("LOGNAME", "PYTHONPATH", "LUNGSYNTH_SCHEDULER"):
        monkeypatch.setenv(name, "")
    monkeypatch.setattr(jobs.getpass, "getuser", nobody)
    jobs.tell_jobs("/here")
    assert os.environ["LOGNAME"] == f"user{os.getuid()}"


def test_a_user_s_own_name_stays(monkeypatch):
    for name in ("PYTHONPATH", "LUNGSYNTH_SCHEDULER"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("LOGNAME", "ada")
    jobs.tell_jobs("/here")
    assert os.environ["LOGNAME"] == "ada"


def test_a_folder_that_cannot_be_written_is_said_before_anything_starts(monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(WriteError, match=r"cannot be written, and results go where one stands; .*/here/Snakefile"):
        jobs.tell_jobs("/here")
