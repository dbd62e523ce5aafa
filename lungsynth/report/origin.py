"""Where a study's report comes from: its settings, its trainings, the rules behind it, and what it was made with."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lungsynth.report.dag import edges_from
from lungsynth.report.data import Training
from lungsynth.report.gather import training
from lungsynth.sets.tables import read_json

# Name in the files -> title on the page, key of its settings; a block without kinds is named after what it is.
TRAININGS = {
    "segmenter": ("segmenter", "segment"),
    "nodules": ("nodule generator", "generate.nodules"),
    "normals": ("generator of normal slices", "generate.normals"),
    "detail": ("detail network of normal slices", "generate.normals.detail"),
    "refiner": ("refiner", "refine"),
    "pictures": ("generator of pictures", "generate.pictures"),
}
ONE_KIND = {"detail": "detail", "refiner": "cyclegan"}


def flat(view: Mapping[str, Any]) -> dict[str, Any]:
    """Nested settings as dotted keys; short lists stay values, lists of blocks are numbered: `sources[0].reader`."""
    return dict(_flat(view, ""))


def _flat(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _flat(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list) and any(isinstance(one, Mapping) for one in value):
        for index, inner in enumerate(value):
            yield from _flat(inner, f"{path}[{index}]")
    else:
        yield path, ", ".join(map(str, value)) if isinstance(value, list) else value


def trainings(files: Mapping[str, Any], settings: Mapping[str, Any]) -> list[Training]:
    """Losses and verdicts of all networks whose files `losses_NAME` and `verdict_NAME` are named; see TRAININGS.

    Slopes are taken where `slopes_NAME` is named too.

    Args:
        settings: flat, as `flat` gives them.
    """
    return [
        training(
            title,
            ONE_KIND.get(name) or settings[f"{key}.kind"],
            files[f"losses_{name}"],
            files[f"verdict_{name}"],
            settings[f"{key}.training.points_every"],
            files.get(f"slopes_{name}"),
        )
        for name, (title, key) in TRAININGS.items()
        if {f"losses_{name}", f"verdict_{name}"} <= set(files)
    ]


def read_records(folder: Path) -> list[dict[str, Any]]:
    """The records that the jobs of a study left; [] where there is no such folder."""
    return [read_json(path) for path in sorted(Path(folder).glob("*.json"))]


def first_checkpoints_apart(records: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The records, with a first checkpoint as a rule of its own where others than its training read it.

    Hard negatives are mined with the first checkpoint, and feed the second: as one rule, the training would stand
    on itself, and no graph of rules could be drawn.
    """
    readers: dict[str, set[str]] = {}
    for record in records:
        for path in record["inputs"]:
            readers.setdefault(path, set()).add(record["rule"])

    def apart(record: Mapping[str, Any]) -> bool:
        states = [path for path in record["outputs"] if path.endswith("/state-0.pt")]
        used_by = set().union(*(readers.get(path, set()) for path in states))
        return record["rule"] in used_by and len(used_by) > 1

    return [{**record, "rule": f"{record['rule']} (first)"} if apart(record) else record for record in records]


def behind(
    records: Sequence[Mapping[str, Any]], files: Mapping[str, Any], page: tuple[str, str]
) -> tuple[list[tuple[str, str]], dict[str, str], list[Mapping[str, Any]]]:
    """The graph of rules that a page stands on (edges, stages), and the records of the jobs in it.

    Args:
        page: the rule that makes it and the file's path, the end of the graph.
    """
    rule, path = page
    inputs = [str(one) for value in files.values() for one in (value if isinstance(value, list) else [value])]
    others = first_checkpoints_apart([record for record in records if record["rule"] != rule])
    edges, stages = edges_from([*others, {"rule": rule, "inputs": inputs, "outputs": [path]}], [path])
    return edges, stages, [record for record in others if record["rule"] in stages]


def provenance(records: Sequence[Mapping[str, Any]], environment: Mapping[str, Any]) -> dict[str, Any]:
    """What the page says about how its study was made; provenance.json beside the report holds the whole ledger.

    Args:
        records: of the jobs behind the report: rule, facts.
        environment: tree, lock (digests), python, machine, as the ledger has them.
    """
    trained = [record["facts"] for record in records if "device" in record.get("facts", {})]
    facts = {"code": environment.get("tree", ""), "lock": environment.get("lock", "")[:16]}
    facts |= {name: environment[name] for name in ("python", "machine") if name in environment}
    if trained:
        facts["trained_on"] = ", ".join(sorted({one["device"] for one in trained}))
        same = all(one.get("bitwise", True) for one in trained)
        facts["a second run gives"] = "equal bytes" if same else "equal scores within their intervals"
    facts["ledger"] = "provenance.json"
    return {name: value for name, value in facts.items() if value}
