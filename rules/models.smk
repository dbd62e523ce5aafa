# The detector that ships in models/: how it is released, how good it is on others' patches and scans.


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
        recipes=files.earlier(SEGMENTER),
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
