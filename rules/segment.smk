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
SEGMENTER = f"lungsynth.segment.{study.segment.kind}.network"
SEGMENTER_STATE = (
    last_state("segment", study.segment.segments)
    if study.segment.steps
    else released(shipped.weights_of)[0]
)


rule cut_windows:
    input:
        cohort=f"{R}/cohort/cohort.csv",
        folders=SCAN_FOLDERS,
    output:
        windows=f"{R}/segment/windows.npz",
        rows=f"{R}/segment/windows.csv",
    log:
        f"logs/{study.study}/cut_windows.log",
    benchmark:
        f"logs/{study.study}/cut_windows.tsv"
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
        state=f"{R}/segment/state-0.pt",
    output:
        windows=f"{R}/segment/hard_windows.npz",
        rows=f"{R}/segment/hard_windows.csv",
    log:
        f"logs/{study.study}/mine_negatives.log",
    benchmark:
        f"logs/{study.study}/mine_negatives.tsv"
    conda:
        TORCH
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        settings=settings("segment", without=SEGMENT_LATER),
        code=code("segment/mine_negatives.py", SEGMENTER),
    message:
        "what the half-trained segmenter takes for nodules"
    script:
        f"{SCRIPTS}/segment/mine_negatives.py"


rule train_segmenter:
    input:
        windows=segmenter_windows,
        beside=lambda wildcards: tables(*segmenter_windows(wildcards)),
        before=state_before("segment"),
        start=released(shipped.weights_of),
    output:
        state=f"{R}/segment/state-{{segment}}.pt",
        verdict=f"{R}/segment/state-{{segment}}.json",
        losses=f"{R}/segment/losses-{{segment}}.csv",
    log:
        f"logs/{study.study}/train_segmenter-{{segment}}.log",
    benchmark:
        f"logs/{study.study}/train_segmenter-{{segment}}.tsv"
    conda:
        TORCH
    threads: study.threads
    resources:
        mem_mb=4000,
        runtime=240,
        gpu=GPU,
    params:
        settings=settings(
            "device",
            "monitor",
            "segment",
            "threads",
            without=(*SEGMENT_LATER, "segment.views"),
        ),
        code=code("segment/train_segmenter.py", SEGMENTER),
    message:
        "segmenter, training segment {wildcards.segment}"
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
        f"logs/{study.study}/segment_scans-{{batch}}.log",
    benchmark:
        f"logs/{study.study}/segment_scans-{{batch}}.tsv"
    conda:
        TORCH
    resources:
        mem_mb=4000,
        runtime=120,
        gpu=GPU,
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
        f"logs/{study.study}/choose_threshold.log",
    benchmark:
        f"logs/{study.study}/choose_threshold.tsv"
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
        scans=f"{R}/cohort/scans.csv",
        cohort=f"{R}/cohort/cohort.csv",
        folder=f"{R}/cohort/scans/{{batch}}",
        probability=f"{R}/segment/probability/{{batch}}",
        threshold=f"{R}/segment/threshold.json",
    output:
        masks=directory(f"{R}/segment/masks/{{batch}}"),
        candidates=f"{R}/segment/candidates/{{batch}}.csv",
    log:
        f"logs/{study.study}/find_candidates-{{batch}}.log",
    benchmark:
        f"logs/{study.study}/find_candidates-{{batch}}.tsv"
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
        f"logs/{study.study}/score_detection.log",
    benchmark:
        f"logs/{study.study}/score_detection.tsv"
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
