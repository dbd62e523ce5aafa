"""One checkpoint of the nodule segmenter."""

from lungsynth.segment.apply import make_kind
from lungsynth.segment.training import windows
from lungsynth.segment.training.batches import batches
from lungsynth.train.data import Shape, Source
from lungsynth.workflow.step import step
from lungsynth.workflow.training import run_training

with step(snakemake) as job:  # noqa: F821
    run, segment = job.settings("run"), job.settings("segment")
    kind = make_kind(segment, *getattr(job.input, "start", []))
    own = kind.settings
    contexts = [windows.read(path) for path in job.input.windows]
    draw = batches(contexts, own.window_px, run.training.batch, own.augmentation, own.negatives)
    run_training(job, run, kind, Source(draw, Shape(segment.slices, own.window_px)))
