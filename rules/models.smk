# The networks that ship in models/: how they are released, how good the detector is on others' patches and scans.


# Every file, see `all`.
rule segment_folder:
    input:
        COHORT,
        DETECTED_FOLDERS,
        MASK_FOLDERS,
        CANDIDATES,
        f"{R}/segment/candidates.csv",
        f"{R}/segment/official",


rule release_segmenter:
    input:
        cohort=f"{R}/cohort/cohort.csv",
        marks=f"{R}/cohort/marks.csv",
        folders=SCAN_FOLDERS,
        state=files.needing_probability("release_segmenter", SEGMENTER_STATE),
        point=f"{R}/segment/threshold.json",
    output:
        weights=f"{R}/segment/released/{models.WEIGHTS}",
        recipe=f"{R}/segment/released/{models.RECIPE}",
    log:
        f"{LOGS}/release_segmenter.log",
    benchmark:
        f"{LOGS}/release_segmenter.tsv"
    conda:
        TORCH
    resources:
        **NETWORK,
    params:
        settings=settings("device", "segment", "study", run=SEGMENTER),
        code=code("segment/release_segmenter.py", DETECTOR),
    message:
        "weights and recipe of the segmenter, as models/ holds them"
    script:
        f"{SCRIPTS}/segment/release_segmenter.py"


rule draw:
    input:
        files.drawn(),


rule draw_pretrained:
    input:
        weights=lambda wildcards: os.path.relpath(
            models.weights_path(wildcards.network)
        ),
        recipe=lambda wildcards: os.path.relpath(models.recipe_path(wildcards.network)),
    output:
        folder=directory(f"{R}/draw/{{network}}"),
    log:
        f"{LOGS}/draw_pretrained-{{network}}.log",
    benchmark:
        f"{LOGS}/draw_pretrained-{{network}}.tsv"
    conda:
        TORCH
    resources:
        **NETWORK,
    params:
        settings=settings("device", "draw", "release.slice_mm"),
        code=lambda wildcards: code(
            "generate/draw_pretrained.py",
            *(
                f"lungsynth.generate.kinds.{kind}.network"
                for kind in models.kinds_of(wildcards.network)
            ),
        ),
    message:
        "images from models/{wildcards.network}"
    script:
        f"{SCRIPTS}/generate/draw_pretrained.py"


rule release_generators:
    input:
        expand(
            f"{R}/generate/{{target}}/released/{{file}}",
            target=study.generate.release,
            file=(models.WEIGHTS, models.RECIPE, models.SCORES),
        ),


rule release_generator:
    input:
        states=lambda wildcards: files.drawing(wildcards.target),
        learnt=f"{R}/banks/{{target}}_fit.csv",
        cohort=f"{R}/cohort/cohort.csv",
    output:
        weights=f"{R}/generate/{{target}}/released/{models.WEIGHTS}",
        recipe=f"{R}/generate/{{target}}/released/{models.RECIPE}",
    log:
        f"{LOGS}/release_generator-{{target}}.log",
    benchmark:
        f"{LOGS}/release_generator-{{target}}.tsv"
    conda:
        TORCH
    resources:
        **NETWORK,
    params:
        settings=lambda wildcards: settings(
            "banks", "image", "study", runs=DRAWN_BY[wildcards.target]
        ),
        code=lambda wildcards: generator_code(
            "generate/release_generator.py", *DRAWN_BY[wildcards.target]
        ),
    message:
        "weights and recipe of the generator of {wildcards.target}, as models/ holds them"
    script:
        f"{SCRIPTS}/generate/release_generator.py"


rule score_generator:
    input:
        generated=f"{R}/generate/{{target}}/generated.npz",
        fit=f"{R}/banks/{{target}}_fit.npz",
        test=f"{R}/banks/{{target}}_test.npz",
        beside=tables(
            f"{R}/generate/{{target}}/generated.npz",
            *(f"{R}/banks/{{target}}_{role}.npz" for role in ("fit", "test")),
        ),
        extractor=lambda wildcards: weights_of(SEEN_BY[wildcards.target]),
    output:
        scores=f"{R}/generate/{{target}}/released/{models.SCORES}",
    log:
        f"{LOGS}/score_generator-{{target}}.log",
    benchmark:
        f"{LOGS}/score_generator-{{target}}.tsv"
    conda:
        TORCH
    resources:
        **NETWORK,
    params:
        settings=settings(
            "device",
            *SCORED_BY_SETTINGS,
        ),
        code=code("generate/score_generator.py", EXTRACTOR, *METRIC_MODULES),
    message:
        "how good the released generator of {wildcards.target} is, and how near to what it learnt from"
    script:
        f"{SCRIPTS}/generate/score_generator.py"


rule score_patches:
    input:
        state=files.needing_probability("score_patches", SEGMENTER_STATE),
        recipe=released(models.recipe_path),
    output:
        table=report(
            f"{R}/segment/patches.csv",
            caption="../report/patches.rst",
            category="2 Segmentation",
            labels={"what": "Dice on nodule patches"},
        ),
        nodules=f"{R}/segment/patch_nodules.csv",
        sheet=report(
            f"{R}/segment/patches.png",
            caption="../report/patches.rst",
            category="2 Segmentation",
            labels={"what": "worst and best nodule patches"},
        ),
    log:
        f"{LOGS}/score_patches.log",
    benchmark:
        f"{LOGS}/score_patches.tsv"
    conda:
        TORCH
    resources:
        **NETWORK,
    params:
        settings=settings(
            "cohort.sources",
            "device",
            "score.bootstrap",
            "score.confidence",
            "segment.detector",
            "segment.inference",
            "segment.operating_point",
            "segment.patches",
        ),
        code=code("segment/score_patches.py", DETECTOR, *READER_MODULES),
        data=lambda wildcards: data_digest(study.cohort.sources),
    message:
        "Dice of the segmenter on nodule patches of patients it has not seen"
    script:
        f"{SCRIPTS}/segment/score_patches.py"


rule gather_candidates:
    input:
        scans=f"{R}/cohort/scans.csv",
        cohort=f"{R}/cohort/cohort.csv",
        marks=f"{R}/cohort/marks.csv",
        candidates=CANDIDATES,
        threshold=f"{R}/segment/threshold.json",
    output:
        candidates=f"{R}/segment/candidates.csv",
        official=directory(f"{R}/segment/official"),
    log:
        f"{LOGS}/gather_candidates.log",
    benchmark:
        f"{LOGS}/gather_candidates.tsv"
    conda:
        LIBRARY
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        settings=settings("cohort.sources", "score.bootstrap", "score.confidence"),
        code=code("segment/gather_candidates.py"),
        # Here too: LUNA16's list of excluded findings is read from the folder itself.
        data=lambda wildcards: data_digest(study.cohort.sources),
    message:
        "candidates of all scans, scored by LUNA16's rules where there are annotations"
    script:
        f"{SCRIPTS}/segment/gather_candidates.py"
