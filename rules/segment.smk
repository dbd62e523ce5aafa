# Nodule segmentation: windows, training in segments with hard negatives, probabilities, threshold, candidates, scores.


# What a segmenter's training and its probabilities do not depend on.
SEGMENT_LATER = tuple(
    f"segment.{key}"
    for key in (
        "threshold",
        "max_false_positives",
        "min_diameter_mm",
        "lung_margin_mm",
        "candidate_score",
        "keep_nodules",
    )
)
SEGMENTER = f"lungsynth.segment.kinds.{study.segment.kind}.network"
SEGMENTER_RUN = runs.segmenter(study) if study.segment.training.steps else None
SEGMENTER_STATE = (
    files.last_state(SEGMENTER_RUN)
    if SEGMENTER_RUN
    else released(shipped.weights_of)[0]
)
# Hard negatives, mined after the first checkpoint, join from the second on.
TRAINING_WINDOWS = [f"{R}/segment/{name}.npz" for name in ("windows", "hard_windows")]
PROBABILITY_FOLDERS = expand(f"{R}/segment/probability/{{batch}}", batch=BATCHES)
MASK_FOLDERS = expand(f"{R}/segment/masks/{{batch}}", batch=BATCHES)
CANDIDATES = expand(f"{R}/segment/candidates/{{batch}}.csv", batch=BATCHES)
SEGMENTED = [
    *(
        [
            *files.states_of(SEGMENTER_RUN),
            *(
                f"{R}/segment/{name}"
                for name in (
                    "windows.npz",
                    "windows.csv",
                    "hard_windows.npz",
                    "hard_windows.csv",
                )
            ),
        ]
        if SEGMENTER_RUN
        else []
    ),
    *PROBABILITY_FOLDERS,
    *MASK_FOLDERS,
    *CANDIDATES,
    *(
        f"{R}/segment/{name}"
        for name in ("threshold.json", "detection.csv", "froc.csv")
    ),
]


rule cut_windows:
    input:
        cohort=f"{R}/cohort/cohort.csv",
        folders=SCAN_FOLDERS,
    output:
        windows=f"{R}/segment/windows.npz",
        rows=f"{R}/segment/windows.csv",
    log:
        f"{LOGS}/cut_windows.log",
    benchmark:
        f"{LOGS}/cut_windows.tsv"
    conda:
        LIBRARY
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        settings=settings(
            "segment.slices",
            "segment.spacing_mm",
            "segment.native_mm",
            "segment.context_px",
            "segment.windows_per",
            "segment.pasted",
        ),
        code=code("segment/cut_windows.py"),
    message:
        "training windows of the fit patients, with and without a nodule"
    script:
        f"{SCRIPTS}/segment/cut_windows.py"


rule mine_negatives:
    input:
        cohort=f"{R}/cohort/cohort.csv",
        folders=SCAN_FOLDERS,
        state=f"{R}/{SEGMENTER_RUN.state(0)}" if SEGMENTER_RUN else [],
    output:
        windows=f"{R}/segment/hard_windows.npz",
        rows=f"{R}/segment/hard_windows.csv",
    log:
        f"{LOGS}/mine_negatives.log",
    benchmark:
        f"{LOGS}/mine_negatives.tsv"
    conda:
        TORCH
    resources:
        **NETWORK,
    params:
        settings=settings("device", "segment", without=SEGMENT_LATER),
        code=code("segment/mine_negatives.py", SEGMENTER),
    message:
        "what the half-trained segmenter takes for nodules"
    script:
        f"{SCRIPTS}/segment/mine_negatives.py"


rule train_segmenter:
    input:
        windows=lambda wildcards: TRAINING_WINDOWS[: int(wildcards.checkpoint) + 1],
        beside=lambda wildcards: tables(
            *TRAINING_WINDOWS[: int(wildcards.checkpoint) + 1]
        ),
        before=files.before("segment"),
        start=released(shipped.weights_of),
    output:
        state=f"{R}/segment/{{target}}/{{run}}/state-{{checkpoint}}.pt",
        verdict=f"{R}/segment/{{target}}/{{run}}/state-{{checkpoint}}.json",
        losses=f"{R}/segment/{{target}}/{{run}}/losses-{{checkpoint}}.csv",
    log:
        f"{LOGS}/train_segmenter-{{target}}-{{run}}-{{checkpoint}}.log",
    benchmark:
        f"{LOGS}/train_segmenter-{{target}}-{{run}}-{{checkpoint}}.tsv"
    conda:
        TORCH
    threads: cores("segment")
    resources:
        **TRAINING,
    params:
        settings=lambda wildcards: settings(
            "device",
            "monitor",
            "segment",
            run=files.run("segment", wildcards),
            without=(*SEGMENT_LATER, "segment.views"),
        ),
        code=code("segment/train_segmenter.py", SEGMENTER),
    message:
        "segmenter: {wildcards.run}, checkpoint {wildcards.checkpoint}"
    script:
        f"{SCRIPTS}/segment/train_segmenter.py"


rule segment_scans:
    input:
        cohort=f"{R}/cohort/cohort.csv",
        folder=f"{R}/cohort/scans/{{batch}}",
        state=SEGMENTER_STATE,
    output:
        folder=directory(f"{R}/segment/probability/{{batch}}"),
    log:
        f"{LOGS}/segment_scans-{{batch}}.log",
    benchmark:
        f"{LOGS}/segment_scans-{{batch}}.tsv"
    conda:
        TORCH
    resources:
        **NETWORK,
    params:
        settings=settings("device", "segment", without=SEGMENT_LATER),
        code=code("segment/segment_scans.py", SEGMENTER),
    message:
        "probability of nodule in every voxel, batch {wildcards.batch}"
    script:
        f"{SCRIPTS}/segment/segment_scans.py"


rule choose_threshold:
    input:
        cohort=f"{R}/cohort/cohort.csv",
        marks=f"{R}/cohort/marks.csv",
        folders=SCAN_FOLDERS,
        probability=PROBABILITY_FOLDERS,
        recipe=released(shipped.recipe_path),
    output:
        threshold=f"{R}/segment/threshold.json",
    log:
        f"{LOGS}/choose_threshold.log",
    benchmark:
        f"{LOGS}/choose_threshold.tsv"
    conda:
        LIBRARY
    resources:
        mem_mb=3000,
        runtime=30,
    params:
        settings=settings(
            "segment.threshold",
            "segment.max_false_positives",
            "segment.min_diameter_mm",
            "segment.lung_margin_mm",
            "segment.candidate_score",
        ),
        code=code("segment/choose_threshold.py"),
    message:
        "operating point, on tune patients"
    script:
        f"{SCRIPTS}/segment/choose_threshold.py"


rule find_candidates:
    input:
        cohort=f"{R}/cohort/cohort.csv",
        folder=f"{R}/cohort/scans/{{batch}}",
        probability=f"{R}/segment/probability/{{batch}}",
        threshold=f"{R}/segment/threshold.json",
    output:
        masks=directory(f"{R}/segment/masks/{{batch}}"),
        candidates=f"{R}/segment/candidates/{{batch}}.csv",
    log:
        f"{LOGS}/find_candidates-{{batch}}.log",
    benchmark:
        f"{LOGS}/find_candidates-{{batch}}.tsv"
    conda:
        LIBRARY
    resources:
        mem_mb=3000,
        runtime=30,
    params:
        settings=settings(
            "segment.min_diameter_mm",
            "segment.lung_margin_mm",
            "segment.candidate_score",
        ),
        code=code("segment/find_candidates.py"),
    message:
        "nodule candidates, batch {wildcards.batch}"
    script:
        f"{SCRIPTS}/segment/find_candidates.py"


rule score_detection:
    input:
        cohort=f"{R}/cohort/cohort.csv",
        marks=f"{R}/cohort/marks.csv",
        folders=SCAN_FOLDERS,
        masks=MASK_FOLDERS,
        probability=PROBABILITY_FOLDERS,
        candidates=CANDIDATES,
        threshold=f"{R}/segment/threshold.json",
    output:
        detection=report(
            f"{R}/segment/detection.csv",
            caption="../report/detection.rst",
            category="2 Segmentation",
            labels={"what": "detection on test patients"},
        ),
        froc=f"{R}/segment/froc.csv",
    log:
        f"{LOGS}/score_detection.log",
    benchmark:
        f"{LOGS}/score_detection.tsv"
    conda:
        LIBRARY
    resources:
        mem_mb=3000,
        runtime=30,
    params:
        settings=settings(
            "segment.min_diameter_mm",
            "score.bootstrap",
            "score.confidence",
        ),
        code=code("segment/score_detection.py"),
    message:
        "detection on test patients, beside a baseline"
    script:
        f"{SCRIPTS}/segment/score_detection.py"
