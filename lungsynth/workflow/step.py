"""What every script of the workflow starts with: `with step(snakemake) as job:`.

It gives the script its settings, inputs and outputs as typed values, its log and bar, its threads and seeds; it writes
the record that provenance is made of, and turns a person's mistake into one line.
"""

import ctypes
import json
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from lungsynth.ct.files import NO_ROOM, write_error
from lungsynth.study.errors import LungsynthError
from lungsynth.workflow import records
from lungsynth.workflow.settings import typed

PR_SET_PDEATHSIG = 1
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
KEPT_BYTES = 2**31 - 1
"""Memory that a job frees and keeps at most; the largest number that `mallopt` takes."""
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
)


class Job:
    """A running step.

    Attributes:
        input, output: attributes are Paths, or lists of Paths where the rule names several files.
        wildcards: attributes are strings.
        log: its log, None where the rule names none.
        seed: the study's seed; draw from `lungsynth.study.seeds.rng(job.seed, ...)`.
    """

    def __init__(self, snakemake: Any):
        self.rule = snakemake.rule
        self.log = Path(snakemake.log[0]) if snakemake.log else None
        self.input = _paths(snakemake.input)
        self.output = _paths(snakemake.output)
        self.wildcards = SimpleNamespace(**dict(snakemake.wildcards.items()))
        self.params = SimpleNamespace(**dict(snakemake.params.items()))
        self.view: dict[str, Any] = json.loads(snakemake.params.settings)
        self.seed: int = self.view["seed"]
        self.facts: dict[str, Any] = {}

    def settings(self, path: str) -> Any:
        """The settings model at the dotted `path`, which must be in the rule's view."""
        return typed(path, self.view[path])

    def bar(self, steps: Iterable, total: int | None = None, what: str = "") -> Iterable:
        """The same iterable with a progress bar in the log."""
        from tqdm import tqdm

        return tqdm(steps, total=total, desc=what or self.rule, file=sys.stderr, mininterval=2, ascii=True)

    def say(self, line: str) -> None:
        """A line for the log; the last one is the step's summary."""
        print(line, file=sys.stderr, flush=True)

    def record(self, **facts: Any) -> None:
        """Facts for provenance: the device of a training, what a reader found."""
        self.facts.update(facts)


@contextmanager
def step(snakemake: Any, threads: int = 1) -> Iterator[Job]:
    """Run a script's body as a step of the workflow.

    Args:
        snakemake: the object that Snakemake puts into a script.
        threads: of torch, BLAS and SimpleITK, whatever cores the run has; a training's settings have their own.
    """
    _die_with_scheduler()
    keep_freed_memory()
    job = Job(snakemake)
    with _log(job.log, job.rule) as screen:
        try:
            _clear_drafts(snakemake.output)
            set_threads(_threads(job, threads))
            yield job
            records.write(job, [str(path) for path in snakemake.input], [str(path) for path in snakemake.output])
        except LungsynthError as error:
            _give_up(f"{job.rule}: {error}", screen)
        except OSError as error:
            if error.errno not in NO_ROOM:  # a full disk is no fault of the program, wherever it shows first
                raise
            _give_up(f"{job.rule}: {write_error(error.filename or job.output.all[0], error)}", screen)


def _threads(job: Job, otherwise: int) -> int:
    """The cores of the training that a job takes a piece of; `otherwise` where it takes none."""
    trainings = [block for path, block in job.view.items() if path.endswith(".training")]
    if hasattr(job.wildcards, "checkpoint") and "run" in job.view:
        trainings.append(job.view["run"]["training"])
    return max((block["threads"] for block in trainings), default=otherwise)


def set_threads(threads: int) -> None:
    """Give torch, BLAS and SimpleITK exactly this many threads; those loaded later read it from the environment."""
    from threadpoolctl import threadpool_limits

    for name in THREAD_VARIABLES:
        os.environ[name] = str(threads)
    threadpool_limits(threads)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
    if "SimpleITK" in sys.modules:
        sys.modules["SimpleITK"].ProcessObject.SetGlobalDefaultNumberOfThreads(threads)


def keep_freed_memory() -> bool:
    """Have the C library keep what is freed for what is asked for next; whether it can be told to (glibc).

    Left alone it fetches each of a network's maps from the system anew, which clears every page of it: on a processor
    that costs a network up to a fifth of its time (benchmarks/kept_memory.py).
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, KEPT_BYTES) & mallopt(M_TRIM_THRESHOLD, KEPT_BYTES))


def _die_with_scheduler() -> None:
    """End with the scheduler: a step that outlives it would write beside the run that takes its place."""
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    scheduler = os.environ.get("LUNGSYNTH_SCHEDULER")
    if scheduler and not Path(f"/proc/{scheduler}").exists():  # it died before the line above
        os._exit(1)


@contextmanager
def _log(path: Path | None, rule: str) -> Iterator[Any]:
    """Send both streams to the step's log, without buffering; yield the screen."""
    if path is None:
        yield sys.stderr
        return
    with _opened(path, rule) as log:
        out, screen = os.dup(1), os.fdopen(os.dup(2), "w")
        _flush()
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        try:
            yield screen
        except Exception:
            traceback.print_exc()
            raise
        finally:
            _flush()
            os.dup2(out, 1)
            os.dup2(screen.fileno(), 2)
            os.close(out)
            screen.close()


def _opened(path: Path, rule: str) -> Any:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return open(path, "w", encoding="utf-8")
    except OSError as error:
        _give_up(f"{rule}: {write_error(path, error)}", sys.stderr)


def _flush() -> None:
    """Nothing is kept from the person because the log's disk is full."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()


def _give_up(line: str, screen: Any) -> None:
    for stream in dict.fromkeys([sys.stderr, screen]):
        with suppress(OSError):
            print(f"lungsynth: {line}", file=stream, flush=True)
    if os.environ.get("LUNGSYNTH_DEBUG") == "1":
        raise
    sys.exit(1)


def _clear_drafts(outputs: Iterable[str]) -> None:
    """What a killed run of this step left half-written."""
    for path in map(Path, outputs):
        shutil.rmtree(path.parent / f".{path.name}.part", ignore_errors=True)


def _paths(files: Any) -> SimpleNamespace:
    named = {name: _path(value) for name, value in files.items()}
    return SimpleNamespace(all=[Path(path) for path in files], **named)


def _path(value: Any) -> Path | list[Path]:
    return Path(value) if isinstance(value, str) else [Path(one) for one in value]
