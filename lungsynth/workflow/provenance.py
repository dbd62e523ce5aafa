"""results/STUDY/provenance.json: what made every file, gathered from the records that the steps wrote."""

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

from lungsynth.sets.tables import read_json
from lungsynth.workflow.digest import ROOT, tree_digest
from lungsynth.workflow.records import FOLDER, hashes, sha256

LOCK = ROOT / "requirements.txt"
LEDGER = "provenance.json"


def gather(study_folder: Path, itself: dict[str, Any] | None = None) -> dict[str, Any]:
    """The ledger of a study: one entry a file, the jobs that made them, and what holds for all of them.

    An entry has the file's sha256, the rule, its settings view and code digest, what the step noted (device, ...), and
    its inputs with the sha256 that their own makers recorded (or, for the user's files, that they have now).

    Args:
        study_folder: results/STUDY.
        itself: the job that writes the ledger (`records.asked`), which has no record yet.
    """
    records = [read_json(path) for path in sorted((study_folder / FOLDER).glob("*.json"))]
    records = [record for record in records if any(Path(path).exists() for path in record["outputs"])]
    # The ledger cannot hold its own hash; a record of an earlier one would be an error that explains nothing.
    records = [record for record in records if str(study_folder / LEDGER) not in record["outputs"]]
    made = {path: digest for record in records for path, digest in record["outputs"].items()}
    files = {}
    for record in records:
        inputs = {path: digest for name in record["inputs"] for path, digest in _input(name, made).items()}
        for path, digest in record["outputs"].items():
            files[path] = {
                "sha256": digest,
                "rule": record["rule"],
                "settings": record["settings"],
                "code": record["code"],
                "facts": record["facts"],
                "inputs": inputs,
            }
    jobs = [*(record["asked"] for record in records if "asked" in record), *([itself] if itself else [])]
    return {
        "study": study_folder.name,
        "environment": environment(),
        "files": dict(sorted(files.items())),
        "jobs": sorted(jobs, key=lambda job: job["outputs"]),
    }


def environment() -> dict[str, Any]:
    """What holds for a whole run: code of the repository, lock, packages as installed, machine."""
    return {
        "tree": tree_digest(),
        "lock": sha256(LOCK),
        "packages": installed(),
        "python": platform.python_version(),
        "machine": platform.machine(),
    }


def locked() -> dict[str, str]:
    """Package -> version, as requirements.txt says."""
    lines = (line.split("#")[0].strip() for line in LOCK.read_text(encoding="utf-8").splitlines())
    return {_name(line.split("==")[0]): line.split("==")[1] for line in lines if "==" in line}


def installed() -> dict[str, str]:
    """Package -> version of every locked package as installed here, without local label; empty where it is missing."""
    found = {}
    for name in locked():
        try:
            found[name] = metadata.version(name).split("+")[0]
        except metadata.PackageNotFoundError:
            found[name] = ""
    return found


def _name(package: str) -> str:
    return package.strip().lower().replace("_", "-").replace(".", "-")


def _input(name: str, made: dict[str, str]) -> dict[str, str]:
    if name in made:
        return {name: made[name]}
    inside = {path: digest for path, digest in made.items() if path.startswith(name + os.sep)}
    return inside or hashes(name)
