"""One checkpoint of the refiner: composites towards real slices of the domain patients."""

from lungsynth.refine.network import CycleGan
from lungsynth.refine.samples import Domain, crop_source
from lungsynth.sets import bank, shard
from lungsynth.study.stages import CycleGanSettings
from lungsynth.workflow.step import step
from lungsynth.workflow.training import run_training

with step(snakemake) as job:  # noqa: F821
    run, image = job.settings("run"), job.settings("image")
    settings = CycleGanSettings(**run.settings)
    shards = [shard.read(path.with_suffix("")) for path in job.input.composites]
    composites = Domain([one[0] for one in shards], [one[1] for one in shards], "composites")
    targets = bank.read(job.input.domain[0])
    real = Domain([targets.images], [targets.masks], "domain patients' slices", unmarked=not targets.masks.any())
    data = crop_source(composites, real, settings.objective.crop_px, run.training.batch, image)
    run_training(job, run, CycleGan(settings, image.window_hu), data)
    job.record(lesion_share={"composites": composites.lesion_share, "domain": real.lesion_share})
