"""A run of a comparison: the images that it draws, and what they score against test patients'."""

from lungsynth.compare import contender
from lungsynth.features import apply
from lungsynth.generate.drawn import draw_bank
from lungsynth.generate.labels import how_many, labelled
from lungsynth.generate.trained import parameters, shape_of
from lungsynth.score.made import How, scores_of_made
from lungsynth.score.record import Effort
from lungsynth.sets import bank
from lungsynth.sets.parts import part_of
from lungsynth.sets.tables import read_json, write_json
from lungsynth.study import comparison
from lungsynth.study.errors import DataError
from lungsynth.train.loop import pick_device
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    name, run, device = job.wildcards.compared, job.settings("run"), pick_device(job.settings("device"))
    image, banks, count = job.settings("image"), job.settings("banks"), job.settings(f"compare.{name}.count")
    test, fit = bank.read(job.input.test), part_of(bank.read(job.input.fit), run.subset, job.seed)
    effort = Effort(*(job.settings(f"score.{key}") for key in ("bootstrap", "floors", "confidence")))
    how = How(apply.read(job.input.extractor, device), job.settings("score.metrics"), job.seed, effort)
    slices = job.settings("score.anatomy").slices if name == "lungs" else 0
    rates = job.view.get(f"compare.{name}.rates", ()) if run.compared else ()
    rate = read_json(job.input.rate[0])["factor"] if job.input.rate else comparison.stated_rate(rates)
    try:
        made = draw_bank([run], [job.input.state], count, job.seed, run.name, image, banks, device, fit.table)
        scores, wrong = scores_of_made(made, test, fit, how, slices), ""
    except DataError as error:
        made, scores, wrong = test.take([]), [], str(error)
    bank.write(job.output.images, made)
    verdict = [read_json(path) for path in job.input.verdict]
    sizes = parameters(run, shape_of(run, test.images.shape[2], test.channels), how_many(labelled(run, fit.table)))
    write_json(job.output.facts, contender.facts(run, verdict, rate, sizes, scores, wrong))
    job.say(f"{run.name}: {len(scores)} scores {wrong}")
