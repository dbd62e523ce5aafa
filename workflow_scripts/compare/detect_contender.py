"""What a compared detector finds in the whole scans of tune and test, and how large it is."""

from lungsynth.ct.files import whole_folder
from lungsynth.segment.apply import load, write_found
from lungsynth.sets.scans import prepared
from lungsynth.sets.tables import read_json, write_json
from lungsynth.train.loop import pick_device
from lungsynth.workflow.step import step
from lungsynth.workflow.training import detector_of

with step(snakemake) as job:  # noqa: F821
    device, verdict = pick_device(job.settings("device")), read_json(job.input.verdict)
    trained = load(detector_of(job), job.input.state, device, job.settings("segment.inference"))
    job.record(device=device.type, bitwise=device.type == "cpu")
    scans = []
    with whole_folder(job.output.folder) as folder:
        for one in job.bar(prepared(job.input.cohort, job.input.folders, ["tune", "test"])):
            if one.kind == "volume":
                write_found(folder, trained, one)
                scans.append(one.scan)
    size = sum(part.numel() for module in trained.modules.values() for part in module.parameters())
    note = verdict["verdict"] if verdict["spoilt"] else ""
    about = {"parameters": size, "gives_probability": trained.gives_probability, "scans": len(scans)}
    write_json(job.output.network, about | {"steps": verdict["step"], "note": note})
    job.say(f"{len(scans)} scans, {size} parameters")
