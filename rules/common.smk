# What all rules share - the validated study, the folder of its results, views of its settings and digests of code.
import os
import sys

sys.path.insert(0, workflow.basedir)

from lungsynth.score.plan import INCEPTION, files_of
from lungsynth.study.errors import LungsynthError
from lungsynth.workflow.digest import code_digest
from lungsynth.workflow.jobs import tell_jobs
from lungsynth.workflow import shipped
from lungsynth.workflow.settings import load, view
from lungsynth.workflow.sources import data_digest, under_data

tell_jobs(workflow.basedir)
try:
    study = load(config)
except LungsynthError as error:
    print(f"lungsynth: {error}", file=sys.stderr)
    sys.exit(1)

R = f"results/{study.study}"
SCRIPTS = "../workflow_scripts"
LIBRARY = "../envs/library.yaml"
TORCH = "../envs/torch.yaml"
GPU = 0 if study.device == "cpu" else 1
BATCHES = range(study.cohort.batches)
SHARDS = range(study.compose.render.shards)
EXTRACTORS = ["slices", "nodules"]
SCORED_BY = [*EXTRACTORS, *([INCEPTION] if study.features.inception else [])]
LAYERS = ["nodules", "normals"]
SCAN_FOLDERS = expand(f"{R}/cohort/scans/{{batch}}", batch=BATCHES)
HAS_PHANTOM = any(source["reader"] == "phantom" for source in study.cohort.sources)
READER_MODULES = sorted(
    {f"lungsynth.cohort.{source['reader']}.reader" for source in study.cohort.sources}
)

PROBABILITY_FOLDERS = expand(f"{R}/segment/probability/{{batch}}", batch=BATCHES)
MASK_FOLDERS = expand(f"{R}/segment/masks/{{batch}}", batch=BATCHES)
CANDIDATES = expand(f"{R}/segment/candidates/{{batch}}.csv", batch=BATCHES)
BANKS = [
    *(
        f"{what}_{role}"
        for what in ("nodules", "normals")
        for role in ("fit", "tune", "test")
    ),
    *(f"lesions_{role}" for role in ("fit", "domain", "test")),
]
EXTRACTOR = f"lungsynth.features.{study.features.kind}.network"
METRIC_MODULES = [f"lungsynth.score.metrics.{name}" for name in study.score.metrics]
EXPORTER_MODULES = [
    f"lungsynth.release.formats.{name}" for name in study.release.formats
]


wildcard_constraints:
    batch=r"\d+",
    shard=r"\d+",
    segment=r"\d+",
    layer="|".join(LAYERS),
    extractor="|".join(SCORED_BY),


def settings(*paths, without=()):
    """The view of the study that a rule's params carry: one canonical JSON string."""
    return view(study, *paths, without=without)


def code(script, *plugins):
    """Digest of the code that makes a rule's output: its script, what that imports, and the named plug-ins."""
    return code_digest(script, *plugins)


def phantom_folder(wildcards):
    """Input function: the phantom cohort's files where a source reads them, nothing where none does."""
    if not HAS_PHANTOM:
        return []
    parts = ["subset{batch}", "seg-lungs-LUNA16/subset{batch}", "nodules/subset{batch}"]
    made = expand([f"{R}/cohort/phantom/{part}" for part in parts], batch=BATCHES)
    return [f"{R}/cohort/phantom/annotations.csv", *made]


def state_before(folder):
    """Input function of a training segment: the state that the segment before it wrote, none for the first."""

    def previous(wildcards):
        k = int(wildcards.segment)
        place = f"{R}/{folder.format(**dict(wildcards.items()))}"
        return [f"{place}/state-{k - 1}.pt", f"{place}/state-{k - 1}.json"] if k else []

    return previous


def last_state(folder, segments):
    """The state at a training's end."""
    return f"{R}/{folder}/state-{segments - 1}.pt"


def banks(*names):
    """Banks by name: their images; the table lies beside each."""
    return [f"{R}/banks/{name}.npz" for name in names]


def tables(*paths):
    """The tables beside .npz files. They are inputs too: bank.read opens both, and an edit of one must be seen."""
    return [f"{path.removesuffix('.npz')}.csv" for path in paths]


def stems(folder):
    """All shards of a stage."""
    return expand(f"{R}/{folder}/{{shard}}.npy", shard=SHARDS)


def segmenter_windows(wildcards):
    """Input function: the windows of a training segment; hard negatives from the second on."""
    names = ["windows", "hard_windows"] if int(wildcards.segment) else ["windows"]
    return [f"{R}/segment/{name}.npz" for name in names]


def released(file):
    """A file of the shipped network that the study starts from; nothing where it trains anew."""
    name = study.segment.start_from
    return [os.path.relpath(file(name))] if name else []


def layer_settings(*paths, without=(), only=None):
    """Params function: the view of one layer of stage 1, named by the wildcard, beside `paths`."""

    def chosen(wildcards):
        layer = f"generate.{wildcards.layer}"
        return view(
            study,
            f"{layer}.{only}" if only else layer,
            *paths,
            without=tuple(f"{layer}.{key}" for key in without),
        )

    return chosen


def layer_state(wildcards):
    """Input function: the state at the end of a layer's training."""
    return last_state(
        f"generate/{wildcards.layer}", getattr(study.generate, wildcards.layer).segments
    )


def layer_extractor(wildcards):
    """Input function: the extractor that judges a layer's images."""
    name = {"nodules": "nodules", "normals": "slices"}[wildcards.layer]
    return f"{R}/features/{name}.safetensors"


def layer_code(script):
    """Params function: digest of a script and of the generator that its layer names."""
    return lambda wildcards: code_digest(
        script,
        f"lungsynth.generate.{getattr(study.generate, wildcards.layer).kind}.network",
    )


def extractor_banks(wildcards):
    """Input function: the banks that an extractor learns from."""
    return (
        banks("nodules_fit")
        if wildcards.extractor == "nodules"
        else banks("normals_fit", "lesions_fit")
    )


def weights_of(extractor):
    """The file with an extractor's weights: our own from the workflow, InceptionV3's from LUNGSYNTH_DATA."""
    if extractor == INCEPTION:
        return str(under_data(study.features.inception.path))
    return f"{R}/features/{extractor}.safetensors"


def score_settings(wildcards):
    """Params function: of scores; InceptionV3 is told by the hash of its weights."""
    given = ["features.inception"] if wildcards.extractor == INCEPTION else []
    return view(study, "score", *given)


def scored(wildcards):
    """Input function: the files behind the scores of one extractor, by the names of lungsynth.score.plan."""
    files = {
        "composite": stems("compose/shards"),
        "refined": stems("refine/shards"),
        **{name: f"{R}/banks/{name}.npz" for name in BANKS},
        **{
            f"{layer}_{kind}": f"{R}/generate/{layer}/{kind}.npz"
            for layer in LAYERS
            for kind in ("generated", "selected")
        },
    }
    chosen = {name: files[name] for name in files_of(wildcards.extractor)}
    return {
        "extractor": weights_of(wildcards.extractor),
        "beside": tables(*(one for one in chosen.values() if isinstance(one, str))),
        **chosen,
    }
