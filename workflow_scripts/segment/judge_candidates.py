"""What the candidates of a batch of scans are in three dimensions, at every threshold that may be chosen."""

from lungsynth.ct.files import whole_folder
from lungsynth.segment.inference import found
from lungsynth.segment.scoring import threshold
from lungsynth.segment.volumetric.judge import load
from lungsynth.sets.scans import prepared, usable
from lungsynth.sets.tables import concatenate, write_csv
from lungsynth.train.loop import pick_device
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    point, device = job.settings("segment.operating_point"), pick_device(job.settings("device"))
    network, own_cuts, *most = (
        job.settings(f"segment.volumetric.{key}") for key in ("network", "cuts", "most", "most_thick")
    )
    judge = load(network, job.input.weights[0], own_cuts, device)
    job.record(device=device.type, bitwise=device.type == "cpu")
    files, count = found.files([job.input.detected]), 0
    cuts, own = found.are_probabilities(files.values()), threshold.shipped(job.input.recipe)
    levels = threshold.possible(point.threshold, cuts, usable(job.input.cohort), own).levels
    with whole_folder(job.output.folder) as folder:
        for scan in job.bar(prepared(job.input.cohort, [], only=job.input.folder)):
            if scan.scan not in files:
                continue
            seen = found.Found(files[scan.scan], scan)
            tables = []
            for level in levels:
                table, _ = seen.candidates(level, point)
                opinion = judge.probability(scan.volume, table, *most)
                tables.append(table.assign(threshold=level, probability=opinion)[found.JUDGED])
            write_csv(folder / f"{scan.scan}.csv", concatenate(tables))
            count += sum(map(len, tables))
    job.say(f"{count} candidates")
