"""A folder of images from a generator that ships, with table and datasheet."""

from lungsynth.ct.files import whole_folder
from lungsynth.generate.folder import write_beside_pictures, write_folder
from lungsynth.generate.pretrained import load
from lungsynth.release.pictures import UNTOLD, write_pictures
from lungsynth.train.loop import pick_device
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    wanted, name = job.settings("draw"), job.wildcards.network
    network = load(job.input.weights.parent, pick_device(job.settings("device")))
    made = network.sample(wanted.count, job.seed)
    with whole_folder(job.output.folder) as folder:
        if network.target == "pictures":
            names = network.classes.names if network.classes else []
            files = write_pictures(folder / "images", made, names or [UNTOLD], job.seed)["file"]
            write_beside_pictures(folder, made, files, names, network, job.seed)
        else:
            write_folder(folder, made, network, job.seed, job.settings("release.slice_mm"))
    job.say(f"{len(made)} images of {name}")
