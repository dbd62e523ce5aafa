"""The blind test: a page that asks real or generated, and its sealed key in another file."""

from lungsynth.ct.files import write_text
from lungsynth.sets.tables import write_csv
from lungsynth.study.stages.utility import Reader
from lungsynth.utility.reader.blind import make_test
from lungsynth.utility.reader.page import window_of_ct
from lungsynth.utility.reader.sides import grey_of_ct, grey_of_pictures, of_bank, of_release
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    prefix = "utility.reader."
    how = Reader(**{key.removeprefix(prefix): value for key, value in job.view.items() if key.startswith(prefix)})
    if job.settings("chain") == "pictures":
        grey, window = grey_of_pictures(2 ** job.settings("pictures.bits") - 1), None
        real = of_bank(job.input.real, "banks/pictures_test", "test", grey)
        generated = of_bank(job.input.generated, "generate/pictures/selected", "selected", grey)
    else:
        range_hu = job.settings("image.window_hu")
        grey, window = grey_of_ct(range_hu), window_of_ct(how.window_hu, range_hu)
        real = of_bank(job.input.real, "banks/lesions_test", "test", grey)
        generated = of_release(job.input.generated, job.input.released, grey)
    test = make_test(real, generated, how, job.seed, "Blind test", window)
    write_text(job.output.page, test.page)
    write_csv(job.output.key, test.key)
    for note in test.notes:
        job.say(note)
    job.say(f"test {test.id}: {len(test.key)} pictures")
