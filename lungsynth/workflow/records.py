"""One small record for every job: what it read and wrote, with which settings and code; provenance is made of them."""

import os
from pathlib import Path
from typing import Any

import pandas as pd

from lungsynth.ct.files import sha256, write_text
from lungsynth.sets.tables import to_json

FOLDER = ".records"


def write(job: Any, inputs: list[str], outputs: list[str]) -> None:
    """Write the record of a finished job to results/STUDY/.records/RULE-WILDCARDS.json."""
    if not outputs:
        return
    root = study_folder(outputs[0])
    name = "-".join([job.rule, *(str(value) for value in vars(job.wildcards).values())])
    record = {
        "rule": job.rule,
        "settings": job.view,
        "code": getattr(job.params, "code", ""),
        "inputs": sorted(inputs),
        "outputs": {path: digest for output in sorted(outputs) for path, digest in hashes(output).items()},
        "facts": job.facts,
        "asked": asked(job, inputs, outputs),
    }
    write_text(root / FOLDER / f"{name}.json", to_json(record))


def asked(job: Any, inputs: list[str], outputs: list[str]) -> dict[str, Any]:
    """A job as Snakemake knows it: files and folders by the names that its rule gives them, and its params."""
    return {"rule": job.rule, "inputs": sorted(inputs), "outputs": sorted(outputs), "params": dict(vars(job.params))}


def study_folder(path: str) -> Path:
    """results/STUDY of a file in it."""
    parts = Path(path).parts
    return Path(*parts[: parts.index("results") + 2])


def hashes(path: str | Path) -> dict[str, str]:
    """sha256 of a file, or of every file under a folder, by path; names in order. Hidden files are no results."""
    path = Path(path)
    if path.is_file():
        return {str(path): sha256(path)}
    found = {}
    for folder, folders, files in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found.update({f"{folder}/{name}": sha256(Path(folder, name)) for name in sorted(files) if name[0] != "."})
    return found


def seconds_of(logs: Path, rule: str, target: str, run: str) -> float:
    """Wall time of all checkpoints of a run, from the benchmark files beside its logs; NaN where there are none."""
    files = sorted(logs.glob(f"{rule}-{target}-{run}-*.tsv"))
    return sum(float(pd.read_csv(path, sep="\t")["s"].iloc[0]) for path in files) if files else float("nan")


def job_seconds(logs: Path, name: str) -> float:
    """Wall time of one job, from the benchmark file of its name; NaN where there is none."""
    path = logs / f"{name}.tsv"
    return float(pd.read_csv(path, sep="\t")["s"].iloc[0]) if path.is_file() else float("nan")
