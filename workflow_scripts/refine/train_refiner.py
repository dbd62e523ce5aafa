"""One training segment of the refiner: composites towards real slices of the domain patients."""

from lungsynth.refine.network import CycleGan
from lungsynth.refine.samples import Domain, Samples
from lungsynth.sets import bank, shard
from lungsynth.workflow.step import step
from lungsynth.workflow.training import run_training

with step(snakemake) as job:  # noqa: F821
    refine, image = job.settings("refine"), job.settings("image")
    shards = [shard.read(path.with_suffix("")) for path in job.input.composites]
    composites = Domain([one[0] for one in shards], [one[1] for one in shards], "composites")
    targets = bank.read(job.input.domain[0])
    real = Domain([targets.images], [targets.masks], "domain patients' slices", unmarked=not targets.masks.any())
    kind = CycleGan(refine, image.window_hu)
    run_training(job, "refine", kind, Samples(composites, real, refine, image), refine, job.settings("threads"))
    job.record(lesion_share={"composites": composites.lesion_share, "domain": real.lesion_share})
