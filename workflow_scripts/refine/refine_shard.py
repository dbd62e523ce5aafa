"""The composites of one shard, refined: HU in, HU out."""

from lungsynth.refine.apply import refine_images
from lungsynth.refine.network import CycleGan
from lungsynth.sets import shard
from lungsynth.study.stages.refine import CycleGanSettings
from lungsynth.train.loop import load, pick_device
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    run, window_hu = job.settings("run"), job.settings("image.window_hu")
    kind = CycleGan(CycleGanSettings(**run.settings), window_hu)
    modules = load(kind, job.input.state, pick_device(job.settings("device")))
    refined = refine_images(modules["to_real"], shard.load(job.input.composites), window_hu)
    shard.save(job.output.images, refined)
    job.say(f"{len(refined)} images refined")
