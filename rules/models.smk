# The segmenter that ships in models/: how it is released, how good it is on others' patches, what it finds in others' scans.


rule release_segmenter:
    input:
        cohort=f"{R}/cohort/cohort.csv",
        marks=f"{R}/cohort/marks.csv",
        folders=SCAN_FOLDERS,
        state=SEGMENTER_STATE,
    output:
        weights=f"{R}/segment/released/{shipped.WEIGHTS}",
        recipe=f"{R}/segment/released/{shipped.RECIPE}",
    log:
        f"{LOGS}/release_segmenter.log",
    benchmark:
        f"{LOGS}/release_segmenter.tsv"
    conda:
        TORCH
    resources:
        mem_mb=3000,
        runtime=60,
    params:
        settings=settings("segment", "study"),
        code=code("segment/release_segmenter.py", SEGMENTER),
    message:
        "weights and recipe of the segmenter, as models/ holds them"
    script:
        f"{SCRIPTS}/segment/release_segmenter.py"


rule score_patches:
    input:
        state=SEGMENTER_STATE,
        recipe=released(shipped.recipe_path),
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
        mem_mb=3000,
        runtime=60,
    params:
        settings=settings(
            "cohort.sources", "score.bootstrap", "score.confidence", "segment"
        ),
        code=code("segment/score_patches.py", SEGMENTER, *READER_MODULES),
        data=lambda wildcards: data_digest(study.cohort.sources),
    message:
        "Dice of the segmenter on nodule patches of patients it has not seen"
    script:
        f"{SCRIPTS}/segment/score_patches.py"


rule segment_folder:
    input:
        scans=f"{R}/cohort/scans.csv",
        cohort=f"{R}/cohort/cohort.csv",
        marks=f"{R}/cohort/marks.csv",
        page=f"{R}/cohort/qc.html",
        masks=MASK_FOLDERS,
        between=[*SCAN_FOLDERS, *PROBABILITY_FOLDERS],
        candidates=CANDIDATES,
        threshold=f"{R}/segment/threshold.json",
    output:
        candidates=f"{R}/segment/candidates.csv",
        official=directory(f"{R}/segment/official"),
    log:
        f"{LOGS}/segment_folder.log",
    benchmark:
        f"{LOGS}/segment_folder.tsv"
    conda:
        LIBRARY
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        settings=settings("cohort.sources", "score.bootstrap", "score.confidence"),
        code=code("segment/segment_folder.py"),
        # Here too: LUNA16's list of excluded findings is read from the folder itself.
        data=lambda wildcards: data_digest(study.cohort.sources),
    message:
        "candidates of all scans, scored by LUNA16's rules where there are annotations"
    script:
        f"{SCRIPTS}/segment/segment_folder.py"
