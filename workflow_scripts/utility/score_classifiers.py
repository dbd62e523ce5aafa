"""All classifiers by every approach: scores, confusion tables, each approach beside base, the paper's claims."""

from lungsynth.sets.tables import write_csv
from lungsynth.utility.classify import table
from lungsynth.utility.classify.scores import by_approach, read_said
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    level = job.settings("score.confidence")
    trainings = [read_said(*files) for files in zip(job.input.predictions, job.input.facts, strict=True)]
    found = by_approach(trainings, job.seed, job.settings("score.bootstrap"))
    summary = table.of_approaches(found, level)
    write_csv(job.output.classifiers, table.of_trainings(found, level))
    write_csv(job.output.summary, summary)
    write_csv(job.output.confusion, table.of_confusions(found))
    write_csv(job.output.claims, table.claims(summary))
    shown = summary[summary["metric"] == "accuracy"]
    job.say(shown[["classifier", "approach", "mean", "low", "high", "difference"]].to_string(index=False))
