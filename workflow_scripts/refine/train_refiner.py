"""One checkpoint of the refiner: composites towards real slices of the domain patients."""

from lungsynth.refine.network import CycleGan
from lungsynth.refine.samples import Domain, crop_source
from lungsynth.sets import bank, shard
from lungsynth.study.seeds import rng
from lungsynth.study.stages.refine import CycleGanSettings
from lungsynth.workflow.step import step
from lungsynth.workflow.training import run_training

with step(snakemake) as job:  # noqa: F821
    run, image = job.settings("run"), job.settings("image")
    settings = CycleGanSettings(**run.settings)
    pairs = [[shard.load(path) for path in paths] for paths in (job.input.composites, job.input.masks)]
    stream = rng(run.seed, run.name, "composites")
    places = shard.sample_places([len(part) for part in pairs[0]], settings.objective.composites, stream)
    # A comparison's own networks may not have learnt enough for a nodule to be laid on any slice.
    bare = run.compared and not any(part.any() for part in pairs[1])
    composites = Domain(*pairs, "composites", places=places, unmarked=bare)
    targets = bank.read(job.input.domain[0])
    real = Domain([targets.images], [targets.masks], "domain patients' slices", unmarked=not targets.masks.any())
    data = crop_source(composites, real, settings.objective.crop_px, run.training.batch, image)
    run_training(job, run, CycleGan(settings, image.window_hu), data)
    job.record(lesion_share={"composites": composites.lesion_share, "domain": real.lesion_share})
