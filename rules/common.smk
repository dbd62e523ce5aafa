# What all rules share: the validated study, its runs and files, views of its settings and digests of code.
import os
import sys

sys.path.insert(0, workflow.basedir)

from lungsynth.compare.composites import LOTS
from lungsynth.score.plan import COMPARED_ROLES, INCEPTION, files_of
from lungsynth.sets import catalogue
from lungsynth.sets.catalogue import EXTRACTORS as SEEN_BY
from lungsynth.study import comparison, evaluation, models, runs
from lungsynth.study.errors import LungsynthError
from lungsynth.workflow import lots
from lungsynth.workflow.digest import code_digest
from lungsynth.workflow.files import CHOICE, CHOSEN, DETECTOR_TABLES, Files, tables
from lungsynth.workflow.jobs import gpus_asked, tell_jobs
from lungsynth.workflow.layout import refuse_old_results
from lungsynth.workflow.settings import load, view
from lungsynth.workflow.sources import data_digest, pictures_digest, under_data

try:
    tell_jobs(workflow.basedir)
    study = load(config)
    beside = {**comparison.runs_of(study), **evaluation.runs_of(study)}
    files = Files(study, runs.runs_of(study), beside)
    refuse_old_results(study.study)
except LungsynthError as error:
    print(f"lungsynth: {error}", file=sys.stderr)
    sys.exit(1)

R = files.root
LOGS = f"logs/{study.study}"
SCRIPTS = "../workflow_scripts"
LIBRARY = "../envs/library.yaml"
TORCH = "../envs/torch.yaml"
LIGHT = dict(mem_mb=2000, runtime=30)
NETWORK = dict(mem_mb=4000, runtime=120, gpu=gpus_asked(study.device))
TRAINING = {**NETWORK, "runtime": 600}
BATCHES = range(study.cohort.batches)
SHARDS = files.shards
# What every step that scores a set goes by.
SCORED_BY_SETTINGS = [
    f"score.{key}" for key in ("metrics", "bootstrap", "floors", "confidence")
]
TARGETS = catalogue.targets(study.chain)
BANKS = catalogue.banks(study.chain)
OWN_EXTRACTORS = list(catalogue.extractors(study.chain))
SCORED_BY = [*OWN_EXTRACTORS, *([INCEPTION] if study.score.inception else [])]
SCAN_FOLDERS = expand(f"{R}/cohort/scans/{{batch}}", batch=BATCHES)
HAS_PHANTOM = any(source["reader"] == "phantom" for source in study.cohort.sources)
READER_MODULES = sorted(
    {f"lungsynth.cohort.{source['reader']}.reader" for source in study.cohort.sources}
)
EXTRACTOR = f"lungsynth.features.{study.features.kind}.network"


wildcard_constraints:
    batch=r"\d+",
    shard=r"\d+",
    checkpoint=r"\d+",
    target="|".join((*TARGETS, *comparison.subjects(study), "composites")),
    run=rf"{runs.LABEL}-\d+",
    kind=r"[a-z0-9_]+",
    extractor="|".join(SCORED_BY),


def settings(*paths, **more):
    """The view of the study that a rule's params carry: one canonical JSON string."""
    return view(study, *paths, **more)


def code(script, *plugins):
    """Digest of the code that makes a rule's output: its script, what that imports, and the named plug-ins."""
    return code_digest(script, *plugins)


def run_settings(stage, *paths):
    """Params function: the view of the run that the wildcards name, beside `paths`."""
    return lambda wildcards: settings(*paths, run=files.run(stage, wildcards))


def cores(stage):
    """Threads of the run that the wildcards name."""
    return lambda wildcards: files.run(stage, wildcards).training.threads


def weights_of(extractor):
    """The file with an extractor's weights: our own from the workflow, InceptionV3's from LUNGSYNTH_DATA."""
    if extractor == INCEPTION:
        return str(under_data(study.score.inception.path))
    return f"{R}/features/{extractor}.safetensors"


def released(file):
    """A file of the shipped network that the study's segmenter starts from; nothing where it trains anew."""
    name = study.segment.init_from
    return [os.path.relpath(file(name))] if name else []


def detector_code(script, run):
    """Digest of a script and of the detector that a run trains."""
    return code(script, f"lungsynth.segment.kinds.{run.kind}.network")


def volumes_digest():
    """Digest of the folder of nodules in three dimensions that networks learn from, where the study names one."""
    path = study.segment.volumetric.nodules.path
    return data_digest([{"reader": "volumes", "path": path}] if path else [])


def network_of(name):
    """Weights of a shipped network, for a step that uses it; nothing where a study names none."""
    return [os.path.relpath(models.weights_path(name))] if name else []


def generator_modules(*drawn_by):
    """The plug-ins of the generators that runs name."""
    kinds = [run.kind for run in drawn_by if run.kind != runs.DETAIL]
    return [f"lungsynth.generate.kinds.{kind}.network" for kind in kinds]


def generator_code(script, *drawn_by):
    """Digest of a script and of the generators that runs name."""
    return code(script, *generator_modules(*drawn_by))


def eye_code(script):
    """Params function: digest of a script and of the detector that the wildcard `eye` sees through."""

    def of(wildcards):
        name = study.refine.eyes[wildcards.eye]
        segment = (
            models.recipe_of(name)["segment"] if name else {"kind": study.segment.kind}
        )
        return code(script, f"lungsynth.segment.kinds.{segment['kind']}.network")

    return of


def format_code(script):
    """Params function: digest of a script and of the exporter that the wildcard names."""
    return lambda wildcards: code(
        script, f"lungsynth.release.formats.{wildcards.format}"
    )


def scored(wildcards):
    """Input function: the sets behind the scores of one extractor, and its weights."""
    names = files_of(wildcards.extractor, study.chain)
    beside = files.tables_of(*names)
    weights = weights_of(wildcards.extractor)
    return {"extractor": weights, "beside": beside, **files.image_sets(*names)}
