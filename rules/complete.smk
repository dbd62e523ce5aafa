# What a whole run must leave. Snakemake makes a missing file only for what asks for it: a step that fails after a change
# of settings takes its files with it, and were the last files alone asked for, the same command would find the results
# of the old settings and nothing to do.
import re

OTHER_TARGETS = ["release_segmenter", "score_patches", "segment_folder"]
TRAININGS = ["train_segmenter", "train_generator", "train_refiner"]
PHANTOM = ["make_phantom", "annotate_phantom"]


def last_states():
    """The states at the end of the trainings; those before them may be cleaned away."""
    layers = [
        last_state(f"generate/{layer}", getattr(study.generate, layer).segments)
        for layer in LAYERS
    ]
    own = [SEGMENTER_STATE] if study.segment.steps else []
    return [*own, *layers, last_state("refine", study.refine.segments)]


def unused():
    """The rules that this study has no use for."""
    windows = [] if study.segment.steps else ["cut_windows"]
    mining = study.segment.steps and study.segment.segments > 1
    return [
        *([] if HAS_PHANTOM else PHANTOM),
        *windows,
        *([] if mining else ["mine_negatives"]),
    ]


def every_file():
    """All files of the chain."""
    values = {"batch": BATCHES, "shard": SHARDS, "layer": LAYERS}
    files = last_states()
    for made_by in workflow.rules:
        if made_by.name not in (*OTHER_TARGETS, *TRAININGS, *unused()):
            ours = EXTRACTORS if made_by.name == "train_extractor" else SCORED_BY
            for output in made_by.output:
                # Snakemake has written the wildcards' constraints into it.
                pattern = re.sub(r"{(\w+),[^{}]*}", r"{\1}", str(output))
                files += expand(pattern, **values, extractor=ours)
    return [*dict.fromkeys(files)]
