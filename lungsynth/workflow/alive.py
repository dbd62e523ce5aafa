"""Which runs live in a folder: `make resume` takes the locks of the dead, and never those of the living.

Snakemake's `--unlock` takes every lock, whoever holds it. So a run holds a lock of the system beside Snakemake's, which
is gone with its process however that ends.
"""

import fcntl
import sys
from contextlib import suppress
from pathlib import Path

import yaml

from lungsynth.workflow.digest import ROOT

FOLDER = Path(".snakemake")
_held = []


def study_of(arguments: list[str]) -> str:
    """The study that the configuration files among a command's `arguments` name, the last one that names any."""
    name = "demo"
    files = [one for one in arguments if one.endswith((".yaml", ".yml"))] or [str(ROOT / "config.yaml")]
    for path in files:
        name = (yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {}).get("study", name)
    return name


def hold(study: str) -> None:
    """Say that a run of a study lives in this folder until this process ends. No error where that cannot be said."""
    with suppress(OSError):
        FOLDER.mkdir(exist_ok=True)
        file = (FOLDER / f"run-{study}.lock").open("a+")
        _held.append(file)  # closing it would give the lock away
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)


def lives(study: str) -> bool:
    """Whether a run of a study lives in this folder."""
    try:
        with (FOLDER / f"run-{study}.lock").open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # no run was here, or the file system knows no such locks
        return False
    return False


def unlock(study: str) -> None:
    """Take away the locks that dead runs of a study have left of Snakemake's, and no other study's."""
    for lock in sorted((FOLDER / "locks").glob("*.lock")):
        with suppress(OSError):
            if any(line.startswith(f"results/{study}/") for line in lock.read_text(encoding="utf-8").splitlines()):
                lock.unlink()


def main(arguments: list[str]) -> int:
    """Clear the way for a run of the study that the `arguments` name; status 1 and one line where one lives."""
    study = study_of(arguments)
    if lives(study):
        print(f"lungsynth resume: a run of study {study} is alive in this folder; wait for its end", file=sys.stderr)
        return 1
    unlock(study)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
