"""One training segment of the nodule segmenter."""

from lungsynth.segment import windows
from lungsynth.segment.apply import make_kind
from lungsynth.workflow.step import step
from lungsynth.workflow.training import run_training

with step(snakemake) as job:  # noqa: F821
    segment = job.settings("segment")
    kind = make_kind(segment.kind, segment.block(), segment.slices)
    own = kind.settings
    contexts = [windows.read(path) for path in job.input.windows]
    data = windows.batches(contexts, own.window_px, own.batch, own.shift_hu, own.noise_hu)
    run_training(job, "segment", kind, data, segment, job.settings("threads"))
