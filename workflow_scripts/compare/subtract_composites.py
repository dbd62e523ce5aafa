"""The KID of every row of a comparison of whole slices less that of the chain's refined composites."""

from lungsynth.compare import composites
from lungsynth.features import apply
from lungsynth.score.pairs import kid_differences
from lungsynth.score.samples import patients_of
from lungsynth.score.scorer import embedded
from lungsynth.score.table import of_differences
from lungsynth.sets import bank
from lungsynth.sets.tables import read_json, write_csv
from lungsynth.study.seeds import rng
from lungsynth.train.loop import pick_device
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    extractor, _ = apply.read(job.input.extractor, pick_device(job.settings("device")))

    def seen(one):
        """Features with what belongs together."""
        return embedded("", extractor, one.images, one.masks, patients_of(one.table)).sample("features")

    kinds: dict[str, list[bank.ImageSet]] = {}
    for path, images in zip(job.input.facts, job.input.images, strict=True):
        if (one := read_json(path))["scores"]:
            kinds.setdefault(one["kind"], []).append(bank.read(images))
    samples = {kind: [seen(one) for one in sets] for kind, sets in kinds.items()}
    reference, found = seen(bank.read(job.input.test)), {}
    draws, level = 5 * job.settings("score.bootstrap"), job.settings("score.confidence")
    for lot in (composites.LOTS[key] for key in composites.AGAINST):
        if (title := lot.title) not in kinds:
            continue
        others = {kind: samples[kind] for kind in composites.held_against(lot, list(kinds))}
        ids = kinds[title][0].table["id"]
        pairs = {kind: all(one.table["id"].equals(ids) for one in kinds[kind]) for kind in others}
        stream = rng(job.seed, "compare", "differences", title)
        apart = kid_differences(reference, samples[title][0], others, pairs, stream, draws, level)
        found |= {(kind, title, "lesions_test", extractor.card.name): one for kind, one in apart.items()}
    write_csv(job.output.table, of_differences(found))
    job.say(f"{len(found)} differences, {sum(one.excludes_zero for one in found.values())} of which exclude 0")
