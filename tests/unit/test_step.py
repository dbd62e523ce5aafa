"""The wrapper of every script: typed values, a log, threads, no strays, and one line for a person's mistake."""

import hashlib
import json
import os
import subprocess
import sys
import textwrap
import time
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from lungsynth.ct.files import NO_ROOM, REASONS, write_text
from lungsynth.study.errors import DataError, StudyError, TrainingError
from lungsynth.workflow import step as steps

ROOT = Path(__file__).parents[2]


class Named(list):
    """Files as Snakemake hands them over: a list whose items may have names."""

    def __init__(self, **named):
        flat = [one for value in named.values() for one in (value if isinstance(value, list) else [value])]
        super().__init__(flat)
        self.named = named

    def items(self):
        return self.named.items()


def rule(**changes):
    """The object that Snakemake puts into a script."""
    view = {"seed": 7, "image": {"size_px": 64}, "study": "tiny"}
    values = {
        "rule": "make_thing",
        "input": Named(bank="in.txt", shards=["a.npy", "b.npy"]),
        "output": Named(thing="results/tiny/stage/thing.txt"),
        "wildcards": {"batch": "3"},
        "params": Params(settings=json.dumps(view), code="abc"),
        "log": ["logs/tiny/make_thing-3.log"],
    }
    return SimpleNamespace(**{**values, **changes})


class Params(SimpleNamespace):
    def items(self):
        return vars(self).items()


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    """An empty working directory; the test's own process shall not die with its parent, nor keep the step's threads."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(steps, "_die_with_scheduler", lambda: None)
    for name in steps.THREAD_VARIABLES:
        monkeypatch.setenv(name, "1")
    monkeypatch.delenv("LUNGSYNTH_DEBUG", raising=False)
    for name in ("in.txt", "a.npy", "b.npy"):
        (tmp_path / name).write_text(name)
    (tmp_path / "results/tiny/stage").mkdir(parents=True)
    return tmp_path


@contextmanager
def begun(snakemake, **options):
    """A step with the streams of a plain process: they write to the descriptors 1 and 2, which the step redirects."""
    with pytest.MonkeyPatch.context() as patch:
        for name, descriptor in (("stdout", 1), ("stderr", 2)):
            patch.setattr(sys, name, os.fdopen(descriptor, "w", buffering=1, closefd=False))
        with steps.step(snakemake, **options) as job:
            yield job


def test_a_script_gets_typed_values():
    with begun(rule()) as job:
        assert job.input.bank == Path("in.txt")
        assert job.input.shards == [Path("a.npy"), Path("b.npy")]
        assert job.input.all == [Path("in.txt"), Path("a.npy"), Path("b.npy")]
        assert job.output.thing == Path("results/tiny/stage/thing.txt")
        assert (job.wildcards.batch, job.seed) == ("3", 7)
        assert job.settings("image").size_px == 64
        assert job.settings("study") == "tiny"
        job.output.thing.write_text("made")


def test_what_is_said_stands_in_the_log_and_streams_are_given_back(capfd):
    with begun(rule()) as job:
        job.output.thing.write_text("made")
        for _ in job.bar(range(3)):
            print("printed")
        os.system("echo from a child")
        job.say("3 things")
    print("after")
    print("aside", file=sys.stderr)
    log = Path("logs/tiny/make_thing-3.log").read_text()
    assert log.count("printed") == 3
    assert "from a child" in log
    assert "make_thing" in log
    assert log.splitlines()[-1] == "3 things"
    screen = capfd.readouterr()
    assert screen.out == "after\n"
    assert screen.err == "aside\n"


def test_no_file_handle_is_left_open():
    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0
    for _ in range(3):
        with begun(rule()) as job:
            job.output.thing.write_text("made")
    assert (len(os.listdir("/proc/self/fd")) if before else 0) == before


@pytest.mark.parametrize("kind", [DataError, StudyError, TrainingError])
def test_a_persons_mistake_is_one_line_and_status_1(kind, capfd):
    with pytest.raises(SystemExit) as caught, begun(rule()):
        raise kind("marks.csv: row 3, diameter_mm: -1 is not above 0")
    line = "lungsynth: make_thing: marks.csv: row 3, diameter_mm: -1 is not above 0\n"
    assert caught.value.code == 1
    assert capfd.readouterr().err == line
    assert Path("logs/tiny/make_thing-3.log").read_text() == line
    assert not Path("results/tiny/.records").exists()


def test_without_a_log_the_line_is_said_once(capfd):
    with pytest.raises(SystemExit), begun(rule(log=[])):
        raise DataError("broken")
    assert capfd.readouterr().err == "lungsynth: make_thing: broken\n"


def test_with_debug_the_traceback_is_shown(monkeypatch):
    monkeypatch.setenv("LUNGSYNTH_DEBUG", "1")
    with pytest.raises(DataError), begun(rule()):
        raise DataError("broken")
    log = Path("logs/tiny/make_thing-3.log").read_text()
    assert "Traceback" in log
    assert "lungsynth: make_thing: broken" in log


def test_a_fault_of_the_program_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError), begun(rule()):
        _ = 1 / 0
    assert "ZeroDivisionError" in Path("logs/tiny/make_thing-3.log").read_text()


@pytest.mark.parametrize("name", ["results/tiny/stage/thing.txt", None])
@pytest.mark.parametrize("number", NO_ROOM)
def test_no_room_for_a_file_is_one_line_wherever_it_shows(number, name, capfd):
    with pytest.raises(SystemExit) as caught, begun(rule()):
        raise OSError(number, os.strerror(number), name)
    assert caught.value.code == 1
    line = f"lungsynth: make_thing: results/tiny/stage/thing.txt: cannot be written, {REASONS[number]}, run again\n"
    assert capfd.readouterr().err == line


def test_an_error_of_reading_is_not_taken_for_a_full_disk():
    with pytest.raises(PermissionError), begun(rule()):
        raise PermissionError(13, "Permission denied", "x")


def test_what_a_writer_meets_is_one_line_in_the_log_and_on_the_screen(capfd):
    Path("results/tiny/stage/file").write_text("no folder")
    with pytest.raises(SystemExit) as caught, begun(rule()):
        write_text("results/tiny/stage/file/thing.txt", "made")
    assert caught.value.code == 1
    line = "results/tiny/stage/file/thing.txt: cannot be written, Not a directory; mend that, run again\n"
    assert capfd.readouterr().err == f"lungsynth: make_thing: {line}"
    assert Path("logs/tiny/make_thing-3.log").read_text() == f"lungsynth: make_thing: {line}"


def test_a_log_that_cannot_be_written_is_one_line(capfd):
    Path("logs").write_text("no folder")
    with pytest.raises(SystemExit) as caught, begun(rule()):
        raise AssertionError("the step must not begin")
    assert caught.value.code == 1
    said = capfd.readouterr().err
    assert said.startswith("lungsynth: make_thing: logs/tiny/make_thing-3.log: cannot be written")
    assert said.count("\n") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux's")
def test_the_line_reaches_the_screen_though_the_log_s_disk_is_full(capfd):
    with pytest.raises(SystemExit) as caught, begun(rule(log=["/dev/full"])) as job:
        job.say("half of the work is done")
    assert caught.value.code == 1
    assert "lungsynth: make_thing: results/tiny/stage/thing.txt: cannot be written, the disk is full" in (
        capfd.readouterr().err
    )


def test_strays_of_a_killed_run_are_cleared_and_nothing_else():
    stage = Path("results/tiny/stage")
    for name in (".thing.txt.part", ".other.txt.part"):
        (stage / name).mkdir()
        (stage / name / "half").write_text("half")
    with begun(rule()) as job:
        assert not (stage / ".thing.txt.part").exists()
        job.output.thing.write_text("made")
    assert (stage / ".other.txt.part").exists()


def test_a_step_has_the_threads_that_are_declared_whatever_the_machine_has():
    np.linalg.svd(np.eye(4))
    with begun(rule(), threads=1) as job:
        assert {pool["num_threads"] for pool in threadpool_info()} == {1}
        assert os.environ["OMP_NUM_THREADS"] == "1"
        job.output.thing.write_text("made")
    view = json.dumps({"seed": 7, "features.training": {"threads": 2}})
    with begun(rule(params=Params(settings=view, code="abc"))) as job:
        assert {pool["num_threads"] for pool in threadpool_info()} == {2}
        assert os.environ["ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"] == "2"
        job.output.thing.write_text("made")
    steps.set_threads(1)


def test_a_finished_step_leaves_a_record():
    with begun(rule()) as job:
        job.output.thing.write_text("made")
        job.record(device="cpu")
    record = json.loads(Path("results/tiny/.records/make_thing-3.json").read_text())
    assert record == {
        "rule": "make_thing",
        "settings": {"seed": 7, "image": {"size_px": 64}, "study": "tiny"},
        "code": "abc",
        "inputs": ["a.npy", "b.npy", "in.txt"],
        "outputs": {"results/tiny/stage/thing.txt": hashlib.sha256(b"made").hexdigest()},
        "facts": {"device": "cpu"},
        "asked": {
            "rule": "make_thing",
            "inputs": ["a.npy", "b.npy", "in.txt"],
            "outputs": ["results/tiny/stage/thing.txt"],
            "params": {"settings": json.dumps({"seed": 7, "image": {"size_px": 64}, "study": "tiny"}), "code": "abc"},
        },
    }


def test_a_folder_is_recorded_file_by_file_without_hidden_ones():
    folder = Path("results/tiny/stage/scans")
    with begun(rule(output=Named(folder=str(folder)))) as job:
        for name in ("b.txt", "a.txt", ".hidden", "deep/c.txt"):
            (job.output.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (job.output.folder / name).write_text(name)
    record = json.loads(Path("results/tiny/.records/make_thing-3.json").read_text())
    assert list(record["outputs"]) == [f"{folder}/a.txt", f"{folder}/b.txt", f"{folder}/deep/c.txt"]


PROGRAM = """
    import sys
    sys.path[:0] = [{root!r}, {tests!r}]
    from test_step import rule
    from lungsynth.study.errors import DataError
    from lungsynth.workflow.step import step
    with step(rule()) as job:
        {body}
"""


def run(body, **environment):
    """A step as a process of its own, as Snakemake starts it."""
    program = textwrap.dedent(PROGRAM).format(root=str(ROOT), tests=str(ROOT / "tests" / "unit"), body=body)
    return subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


def test_a_script_that_fails_shows_one_line_and_no_traceback():
    made = run("raise DataError('scan 3: is broken')")
    assert (made.returncode, made.stderr, made.stdout) == (1, "lungsynth: make_thing: scan 3: is broken\n", "")
    made = run("raise DataError('scan 3: is broken')", LUNGSYNTH_DEBUG="1")
    assert made.returncode == 1
    assert "Traceback" in made.stderr


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the signal at the parent's death is Linux's")
def test_a_step_whose_scheduler_is_gone_does_not_begin():
    gone = subprocess.Popen(["true"])
    gone.wait()
    made = run("print('began'); job.output.thing.write_text('made')", LUNGSYNTH_SCHEDULER=str(gone.pid))
    assert made.returncode == 1
    assert not Path("results/tiny/stage/thing.txt").exists()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the signal at the parent's death is Linux's")
def test_a_step_dies_with_its_parent(tmp_path):
    body = "open('alive', 'w').close(); import time; time.sleep(60)"
    program = textwrap.dedent(PROGRAM).format(root=str(ROOT), tests=str(ROOT / "tests" / "unit"), body=body)
    (tmp_path / "child.py").write_text(program)
    parent = """
        import os, signal, subprocess, sys, time
        child = subprocess.Popen([sys.executable, "child.py"])
        while not os.path.exists("alive"):
            time.sleep(0.02)
        print(child.pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    made = subprocess.run([sys.executable, "-c", textwrap.dedent(parent)], capture_output=True, text=True, timeout=60)
    child = int(made.stdout)
    deadline = time.monotonic() + 20
    while is_running(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_running(child)


def is_running(pid):
    """Whether a process lives; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_freed_memory_is_kept_for_what_is_asked_for_next():
    script = """
        import resource, sys
        import numpy as np
        from lungsynth.workflow.step import keep_freed_memory
        print(int(keep_freed_memory() if sys.argv[1] == "kept" else True))
        np.ones(2**24)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(4):
            np.ones(2**24)  # 128 MiB
        print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    """
    faults = {}
    for name in ("kept", "given back"):
        command = [sys.executable, "-c", textwrap.dedent(script), name]
        can, faults[name] = map(int, subprocess.run(command, check=True, capture_output=True, cwd=ROOT).stdout.split())
        if not can:
            pytest.skip("this C library cannot be told to keep memory")
    assert faults["kept"] * 10 < faults["given back"]
