"""One training segment of the nodule segmenter."""

from lungsynth.segment import windows
from lungsynth.segment.apply import make_kind
from lungsynth.segment.batches import batches
from lungsynth.workflow.step import step
from lungsynth.workflow.training import run_training

with step(snakemake) as job:  # noqa: F821
    segment = job.settings("segment")
    kind = make_kind(segment, *getattr(job.input, "start", []))
    own = kind.settings
    contexts = [windows.read(path) for path in job.input.windows]
    data = batches(contexts, own.window_px, own.batch, own.augmentation, own.negatives)
    run_training(job, "segment", kind, data, segment, job.settings("threads"))
