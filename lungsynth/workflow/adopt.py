"""`make adopt`: take over results that were copied without their times, where every byte is what the ledger says.

Snakemake goes by the times of files and by what it noted of their making in `.snakemake`. A copy has neither: times in
any order, and no notes, without which no change of a setting or of code would be seen. Both are set again from the
ledger, for each job whose files and whose inputs' files are those that were hashed when they were made. Nothing else is
touched. Then Snakemake's own dry run says what is left to do, as it would beside the original.

Exit status 0 when all was taken over and nothing is to be done, 1 with one line for each thing that does not agree.
"""

import os
import sys
import time
from pathlib import Path
from typing import Any

from lungsynth.sets.tables import read_json
from lungsynth.study.errors import LungsynthError
from lungsynth.workflow.alive import lives, study_of
from lungsynth.workflow.audit import dry_run, profile, wrong_files
from lungsynth.workflow.provenance import LEDGER
from lungsynth.workflow.records import hashes

STAMP = ".snakemake_timestamp"
"""Where Snakemake keeps the time of a folder."""


def sound_jobs(ledger: dict[str, Any]) -> tuple[list[dict[str, Any]], list[str]]:
    """The jobs of a ledger that can be taken over, and one line for each file that stands in the way."""
    makers = {name: job for job in ledger["jobs"] for name in job["outputs"]}
    wrong = wrong_files(ledger) | _changed_inputs(ledger, makers)
    known: dict[str, bool] = {}

    def is_sound(job: dict[str, Any]) -> bool:
        """Whether a job's files are what they were, and so are those of all jobs before it."""
        key = job["outputs"][0]
        if key not in known:
            names = (*job["outputs"], *job["inputs"])
            own = not any(_under(path, name) for path in wrong for name in names)
            known[key] = own and all(is_sound(makers[name]) for name in job["inputs"] if name in makers)
        return known[key]

    return [job for job in ledger["jobs"] if is_sound(job)], list(wrong.values())


def _changed_inputs(ledger: dict[str, Any], makers: dict[str, Any]) -> dict[str, str]:
    """Files that no job made and a job has read, and that are not what they were then -> a line on each."""
    found = {}
    for job in ledger["jobs"]:
        for name in job["inputs"]:
            if name not in makers and name not in found:
                then = _hashes_then(ledger, name, job)
                if then and then != (hashes(name) if Path(name).exists() else {}):
                    found[name] = f"changed: {name}, which {job['rule']} has read, is not what it was"
    return found


def _under(path: str, name: str) -> bool:
    return path == name or path.startswith(f"{name}/")


def _hashes_then(ledger: dict[str, Any], name: str, job: dict[str, Any]) -> dict[str, str]:
    """The hashes of an input when a job read it; empty where none of the job's files is left to say."""
    entries = (entry for path, entry in ledger["files"].items() if any(_under(path, own) for own in job["outputs"]))
    inputs = next((entry["inputs"] for entry in entries), {})
    return {path: digest for path, digest in inputs.items() if _under(path, name)}


def set_times(jobs: list[dict[str, Any]], study: str, now: float) -> None:
    """Give all files and folders of jobs one time: no input is newer than what was made of it.

    The benchmarks of a study get it too, whosever they are: Snakemake takes a job's for one of its results, and none is
    an input.
    """
    made = [Path(name) for job in jobs for name in job["outputs"]]
    stamps = [path / STAMP for path in made]
    for path in (*stamps, *made, *Path("logs", study).rglob("*.tsv")):
        if path.exists():
            os.utime(path, (now, now))


def note(jobs: list[dict[str, Any]], now: float) -> None:
    """Write into `.snakemake` what Snakemake itself has noted where the files were made."""
    from snakemake.persistence import RECORD_FORMAT_VERSION, MetadataRecord
    from snakemake.persistence.file import FilePersistence

    notes = FilePersistence()
    for job in jobs:
        record = MetadataRecord(
            rule=job["rule"],
            input=sorted(job["inputs"]),
            params=sorted(map(repr, job["params"].values())),
            record_format_version=RECORD_FORMAT_VERSION,
            starttime=now,
            endtime=now,
            incomplete=False,
        )
        for name in job["outputs"]:
            notes._write_record(name, record)
            notes._unmark_incomplete(name)


def main(arguments: list[str]) -> int:
    """Take over the results of the study that the configuration files among `arguments` describe; print one page."""
    study = study_of(arguments)
    try:
        if lives(study):
            raise LungsynthError(f"a run of study {study} is alive in this folder; wait for its end")
        ledger = read_json(Path("results") / study / LEDGER)
        if not ledger.get("jobs"):
            raise LungsynthError(f"results/{study}/{LEDGER} names no jobs: an earlier version made it; run the study")
        jobs, lines = sound_jobs(ledger)
        now = time.time()
        set_times(jobs, study, now)
        note(jobs, now)
    except (LungsynthError, OSError) as error:
        print(f"lungsynth adopt: {error}", file=sys.stderr)
        return 1
    lines += [*dry_run(arguments), *profile()]
    print(f"study {study}: {len(jobs)} of {len(ledger['jobs'])} jobs taken over")
    print("\n".join(lines) or "every file is what the ledger says; nothing to do")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
