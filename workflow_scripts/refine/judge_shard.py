"""What refinement did to every lesion of one shard, seen through the gate's segmenter or the judge's."""

from lungsynth.refine.gate import judge
from lungsynth.segment.apply import load, seen_through, segment_images
from lungsynth.sets import bank, shard
from lungsynth.sets.tables import read_json, write_csv
from lungsynth.train.loop import pick_device
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    image, gate = job.settings("image"), job.settings("refine.gate")
    before, masks, rows = shard.read(job.input.composites.with_suffix(""), mmap=False)
    after = shard.load(job.input.refined, mmap=False)
    normals = bank.read(job.input.normals)
    lungs = normals.masks[rows.groupby("image")["normal"].first().to_numpy()]
    device = pick_device(job.settings("device"))
    detector = seen_through(job.input.recipe, job.settings("segment.detector"))
    trained = load(detector, job.input.state, device, job.settings("segment.inference"))
    seen = [segment_images(trained, images, image.mm_per_px, lungs) for images in (before, after)]
    threshold = read_json(job.input.point)["threshold"]
    lesions, images = judge(before, after, masks, *seen, threshold, image.mm_per_px, gate, lungs)
    write_csv(job.output.lesions, lesions)
    write_csv(job.output.images, images)
    job.say(f"{int(images['keep'].sum())} of {len(images)} images kept")
