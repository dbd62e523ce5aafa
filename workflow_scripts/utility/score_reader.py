"""What readers took for real and for generated: a table, their agreement, and a page that says what it means."""

from lungsynth.ct.files import write_text
from lungsynth.sets.tables import write_csv
from lungsynth.utility.reader.agreement import agreement
from lungsynth.utility.reader.answers import read_answers, read_key
from lungsynth.utility.reader.result import readers_page, readers_table, score
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    key, level = read_key(job.input.key, job.input.page), job.settings("score.confidence")
    answers = read_answers(job.input.answers, key)
    scored = score(answers, key, job.settings("utility.reader.positive"), level)
    write_csv(job.output.table, readers_table(scored, level))
    write_csv(job.output.agreement, agreement(answers))
    title = f"What readers saw of {job.settings('study')}"
    write_text(job.output.page, readers_page(title, scored, answers, key, level))
    for one in scored:
        job.say(f"{one.name}: accuracy {one.rates['accuracy'].value:.2f} of {one.table.n} answers")
