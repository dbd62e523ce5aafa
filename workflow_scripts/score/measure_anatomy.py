"""How many slices of every set have the measures of real chest CT."""

from lungsynth.score.anatomy.sets import let_through, of_bank, of_shards
from lungsynth.score.anatomy.table import MEAN_SHARE, rows
from lungsynth.sets.catalogue import CATALOGUE
from lungsynth.sets.tables import write_csv
from lungsynth.study.seeds import rng
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    most, mm_per_px = job.settings("score.anatomy").slices, job.settings("image").mm_per_px
    named = {name: paths for name, paths in vars(job.input).items() if name in CATALOGUE}

    def measured(name):
        """A set's slices, drawn alike wherever they are as many."""
        stream = rng(job.seed, "score", "anatomy")
        if name == "released":
            kept = let_through(job.input.gate)
            return of_shards(named["lesions_refined"], mm_per_px, most, stream, kept)
        paths = named[name]
        return of_shards(paths, mm_per_px, most, stream) if isinstance(paths, list) else of_bank(paths, most, stream)

    sets = {name: measured(name) for name in job.bar([*named, "released"])}
    draws, level = job.settings("score.bootstrap"), job.settings("score.confidence")
    table = rows(sets, rng(job.seed, "score", "anatomy", "intervals"), draws, level)
    write_csv(job.output.anatomy, table)
    job.say(table[table["measure"] == MEAN_SHARE][["set", "share", "n"]].to_string(index=False))
