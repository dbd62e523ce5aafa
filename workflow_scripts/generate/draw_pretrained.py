"""A folder of images from a generator that ships, with table and datasheet."""

from lungsynth.ct.files import whole_folder
from lungsynth.generate.folder import write_folder
from lungsynth.generate.pretrained import load
from lungsynth.train.loop import pick_device
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    wanted, name = job.settings("draw"), job.wildcards.network
    network = load(name, pick_device(job.settings("device")))
    made = network.sample(wanted.count, job.seed)
    with whole_folder(job.output.folder) as folder:
        write_folder(folder, made, network, job.seed, job.settings("release.slice_mm"))
    job.say(f"{len(made)} images of {name}")
