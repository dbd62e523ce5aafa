"""`make audit`: is every result what the ledger says, made by this code, these settings, these packages?

Exit status 0 when nothing is wrong, 1 with one line for each finding.
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from lungsynth.sets.tables import read_json
from lungsynth.study.errors import LungsynthError
from lungsynth.workflow import provenance
from lungsynth.workflow.alive import study_of
from lungsynth.workflow.digest import ROOT
from lungsynth.workflow.provenance import LEDGER
from lungsynth.workflow.records import sha256

STATE = re.compile(r"state-(\d+)\.pt")
MOST_LINES = 60
TRIGGERS = {"mtime", "params", "input", "software-env"}


def findings(ledger: dict[str, Any], folder: Path) -> list[str]:
    """What the ledger of `folder` (results/STUDY) does not confirm; one line each."""
    wrong = wrong_files(ledger).values()
    return [*wrong, *_unknown_files(ledger, folder), *_environment(ledger["environment"])]


def wrong_files(ledger: dict[str, Any]) -> dict[str, str]:
    """Files that are not what they were when they were made -> a line on each. Cleaned-away states are not missed."""
    found = {}
    for path, entry in ledger["files"].items():
        if not Path(path).exists():
            if not _is_cleaned(Path(path)):
                found[path] = f"missing: {path} (made by {entry['rule']})"
        elif sha256(path) != entry["sha256"]:
            found[path] = f"edited: {path} is not what {entry['rule']} wrote"
    return found


def _is_cleaned(path: Path) -> bool:
    """Whether a state is one that `make clean-states` takes: a later one of its training is there."""
    number = STATE.fullmatch(path.name)
    later = (STATE.fullmatch(one.name) for one in path.parent.glob("state-*.pt")) if number else ()
    return any(int(one[1]) > int(number[1]) for one in later if one)


def _unknown_files(ledger: dict[str, Any], folder: Path) -> list[str]:
    found = []
    known = {*ledger["files"], str(folder / LEDGER)}
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.is_file() and not hidden and str(path) not in known:
            found.append(f"unknown: {path} was made by no step of the workflow")
    return found


def _environment(then: dict[str, Any]) -> list[str]:
    now, found = provenance.environment(), []
    if now["tree"] != then["tree"]:
        found.append("code: lungsynth, the rules or the scripts are not those that made the results")
    if now["lock"] != then["lock"]:
        found.append("lock: requirements.txt is not the one that was in force")
    for name, version in provenance.locked().items():
        have, had = now["packages"][name], then["packages"].get(name, "")
        if have != had:
            found.append(f"package: {name} is {have or 'missing'}, the results were made with {had or 'none'}")
        elif have != version:
            found.append(f"package: {name} is {have or 'missing'}, requirements.txt locks {version}")
    return found


def dry_run(arguments: list[str]) -> list[str]:
    """What Snakemake itself would make again, and whether the default profile is in force."""
    snakemake = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    command = [*snakemake, "--dry-run", "--cores", "1", "--quiet", "rules", *arguments]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    text = run.stdout + run.stderr
    if run.returncode:
        last = next((line for line in text.splitlines() if line.startswith("lungsynth:")), text.strip()[-300:])
        return [f"dry run: {last}"]
    if "Nothing to be done" in text:
        return []
    # The table of jobs and the reasons; what stands round them says nothing of this study.
    lines = text.rpartition("Job stats:")[2].partition("Some jobs were triggered")[0].splitlines()
    return [f"dry run: {line.strip()}" for line in lines if line.strip(" -")][:MOST_LINES]


def profile() -> list[str]:
    """The default profile must be there and set the triggers that make the code digests count."""
    path = ROOT / "profiles" / "default" / "config.yaml"
    triggers = set((yaml.safe_load(path.read_text()) or {}).get("rerun-triggers", [])) if path.is_file() else set()
    if triggers == TRIGGERS and not os.environ.get("SNAKEMAKE_PROFILE"):
        return []
    return [f"profile: profiles/default must set rerun-triggers {sorted(TRIGGERS)}, and SNAKEMAKE_PROFILE be unset"]


def main(arguments: list[str]) -> int:
    """Audit the study that the configuration files among `arguments` describe; print one page."""
    folder = Path("results") / study_of(arguments)
    try:
        ledger = read_json(folder / LEDGER)
    except LungsynthError as error:
        print(f"lungsynth audit: {error}; run the study first", file=sys.stderr)
        return 1
    found = [*findings(ledger, folder), *dry_run(arguments), *profile()]
    print(f"study {ledger['study']}: {len(ledger['files'])} files, tree {ledger['environment']['tree'][:12]}")
    print(
        "\n".join(found)
        if found
        else "every file is what the ledger says; nothing to do; code, lock and packages agree"
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
