"""What a reader must know before any number: digital chests, one patient, few nodules, unmarked targets, few images."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from lungsynth.report.scores import METRIC_WORDS, REFERENCES
from lungsynth.sets.catalogue import DRAWN
from lungsynth.sets.seen import learnt_from
from lungsynth.sets.tables import read_csv, read_json
from lungsynth.study import models

ENOUGH_NODULES = 40
MOST_FINDINGS = 0.2
"""Share of normal slices in which a segmenter may find something and still be believed."""
LEAST_FOUND = 0.85
"""Share of the lesions laid that the judge must find to be believed."""
STRANGE = 0.2
"""Share of what real images score in precision, under which generated ones are like nothing real."""
EYES = {"gate": "the gate's segmenter", "judge": "the judge of refinement"}

Files = Mapping[str, Path | list[Path]]


def cautions(files: Files, sources: Sequence[Mapping[str, Any]] = ()) -> list[str]:
    """One line each, in the order of their weight; files that are not named say nothing.

    Args:
        files: by name: nodules_test, normals_test, lesions_test, lesions_domain (banks, of which the tables are read),
            detection, quarantine, gate_threshold, judge, judge_threshold, and lists: score_facts, recipes (of the
            shipped networks that the study uses, the scores of a generator beside its recipe); verdict_nodules and
            verdict_normals.
        sources: the study's, each with its `reader`.
    """
    lines = [*_phantoms(sources), *_shipped(files.get("recipes", ())), *_strangers(files, sources), *_patients(files)]
    lines += _collapsed(files)
    if "detection" in files:
        lines += _few_nodules(read_csv(files["detection"]))
    for eye, words in EYES.items():
        if f"{eye}_threshold" in files:
            lines += _weak_eye(read_json(files[f"{eye}_threshold"]), words)
    if "judge" in files:
        lines += _blind_judge(read_csv(files["judge"]))
    if "lesions_domain" in files:
        lines += _unmarked(_table(files["lesions_domain"]))
    scores = [score for path in files.get("score_facts", ()) for score in read_json(path)]
    lines += [*_like_nothing(scores), *_doubtful(scores)]
    if "quarantine" in files and (count := len(read_csv(files["quarantine"]))):
        lines.append(f"{count} scan{'s were' if count > 1 else ' was'} left out; the reasons stand at the end.")
    return lines


def _table(bank: Path) -> pd.DataFrame:
    """The rows of a bank; its images are not needed here."""
    return read_csv(Path(bank).with_suffix(".csv"))


def _phantoms(sources: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    readers = [source.get("reader") for source in sources]
    if models.PHANTOM in readers:
        which = "All" if set(readers) == {models.PHANTOM} else "Some"
        yield f"{which} scans are digital chests made by this software: its numbers tell nothing about patients."


def _shipped(recipes: Sequence[Path]) -> Iterator[str]:
    """Generators that others have trained: what from, and how well their training patients are told from others."""
    for path in map(Path, recipes):
        recipe = read_json(path)
        if "generate" not in recipe:
            continue
        target = next(iter(recipe["generate"]))
        line = f"Generated {target} come from {models.called(path.parent)}, which learnt from {learnt_from(recipe)}"
        told = _membership(path.with_name(models.SCORES))
        yield line + (
            f"; these are told from others by its images with an AUC of {told:.2f} (.5: not at all)." if told else "."
        )


def _collapsed(files: Files) -> Iterator[str]:
    """Generators that draw few images again and again."""
    for target in DRAWN:
        verdict = read_json(files[f"verdict_{target}"]) if f"verdict_{target}" in files else {}
        if verdict.get("collapsed"):
            yield (
                f"The generator of {target} has collapsed: its images spread {verdict['spread']:.2f} times as far as "
                "real ones; train it with a lower learning rate or another seed."
            )


def _strangers(files: Files, sources: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Networks that know digital chests only, at work on people."""
    recipes = {models.called(Path(path).parent): read_json(path) for path in files.get("recipes", ())}
    names = [name for name, recipe in recipes.items() if models.of_phantoms(recipe)]
    if names and sources and all(source.get("reader") != models.PHANTOM for source in sources):
        yield f"Digital chests are all that {', '.join(names)} learnt from, and no scan of this study is one."


def _membership(scores: Path) -> float | None:
    """What stands in a released generator's scores, if they lie there."""
    if not scores.is_file():
        return None
    table = read_csv(scores)
    found = table[(table["set"] == "generated") & (table["metric"] == "membership")]["value"]
    return float(found.iloc[0]) if len(found) else None


def _patients(files: Files) -> Iterator[str]:
    """References that stand on one patient."""
    for name, words in REFERENCES.items():
        if name in files and _table(files[name])["patient"].nunique() == 1:
            yield (
                f"{words}: the reference holds one patient. Intervals are over his images and tell nothing about other "
                "patients."
            )


def _blind_judge(rates: pd.DataFrame) -> Iterator[str]:
    """A judge that does not find the lesions that were laid."""
    row = rates[rates["what"] == "not found before"].iloc[0]
    if 1 - row["share"] < LEAST_FOUND:
        yield (
            f"The judge of refinement finds {row.n - row.hits} of {row.n} lesions laid, and wants {LEAST_FOUND:.0%}: "
            "what it says of lesions lost or moved is of these."
        )


def _weak_eye(point: Mapping[str, Any], eye: str) -> Iterator[str]:
    """A segmenter that sees lesions everywhere."""
    if point["findings"] is not None and point["findings"] > MOST_FINDINGS:
        found, share = round(point["findings"] * point["normals"]), f"{point['sensitivity']:.0%}"
        yield (
            f"At the threshold that finds {share} of the nodules in tune slices, {eye} finds something "
            f"in {found} of {point['normals']} normal ones: that it finds nothing invented proves little."
        )


def _few_nodules(detection: pd.DataFrame) -> Iterator[str]:
    fewest = int(detection["nodules"].min()) if len(detection) else ENOUGH_NODULES
    if fewest < ENOUGH_NODULES:
        few = f"{fewest} nodule{'' if fewest == 1 else 's'}"
        yield f"The segmenter was tested on {few}; its sensitivity wants {ENOUGH_NODULES} or more."


def _unmarked(domain: pd.DataFrame) -> Iterator[str]:
    """Targets without marks: nobody knows the share that shows a lesion, which should equal the composites'."""
    lesions = pd.to_numeric(domain["lesions"], errors="coerce").fillna(0)
    if domain.empty:
        yield "There is no slice of domain patients: the refiner had no targets."
    elif not lesions.any():
        yield (
            "The domain patients' slices carry no marks: the share of lesions among the refiner's targets is unknown, "
            "and may differ from the composites'."
        )


def like_nothing(precision: float, floor: float) -> bool:
    """Whether of generated images hardly any lies among real ones; floor: the precision of other real ones."""
    return precision < STRANGE * floor


def _like_nothing(scores: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Generated images of which hardly any lies among real ones, where other real ones do."""
    for score in scores:
        floor = score["floor"] or 0
        if (score["set"], score["metric"]) == ("generated", "precision") and like_nothing(score["value"], floor):
            target = score["reference"].removesuffix("_test")
            yield (
                f"Of the generated {target} {score['value']:.0%} lie among real ones, and of other real ones "
                f"{floor:.0%}: they look like nothing real, and that none is a copy says nothing."
            )


def _doubtful(scores: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Metrics that warn of few images. What they say of few patients is in their intervals, and in the notes."""
    found = {
        score["metric"]
        for score in scores
        if any(not warning.startswith("the reference has") for warning in score["warnings"])
    }
    names = [words for metric, (words, _) in METRIC_WORDS.items() if metric in found]
    names += sorted(found - set(METRIC_WORDS))
    if names:
        yield f"Fewer images than wanted for {', '.join(names)}: the notes in the table of scores say where."
