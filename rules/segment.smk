# Nodules in scans: windows, a detector's training with hard negatives, what it finds, operating point, candidates, scores.
DETECTOR = f"lungsynth.segment.kinds.{study.segment.kind}.network"
SEGMENTER = runs.segmenter(study)
SEGMENTER_STATE = (
    files.last_state(SEGMENTER)
    if SEGMENTER.training.steps
    else released(models.weights_path)[0]
)
# Hard negatives, mined after the first checkpoint, join from the second on.
WINDOWS = [f"{R}/segment/{name}.npz" for name in ("windows", "hard_windows")]
TRAINED = [*files.states_of(SEGMENTER), *WINDOWS, *tables(*WINDOWS)]
DETECTED_FOLDERS = expand(f"{R}/segment/detected/{{batch}}", batch=BATCHES)
# Candidates are judged in three dimensions, or left as the detector has them.
JUDGE = study.segment.volumetric.init_from
JUDGED = f"{R}/segment/judged/{{batch}}"
JUDGED_FOLDERS = expand(JUDGED, batch=BATCHES) if JUDGE else []
# What is shown is outlined in space by a network, or as the detector has it.
OUTLINES = study.segment.outlines.init_from
SHOWN = f"{R}/segment/shown" if OUTLINES else f"{R}/segment"
OUTLINED = f"{R}/segment" if OUTLINES else f"{R}/segment/outlined"
MASK_FOLDERS = expand(f"{R}/segment/masks/{{batch}}", batch=BATCHES)
CANDIDATES = expand(f"{R}/segment/candidates/{{batch}}.csv", batch=BATCHES)
SEGMENTED = [
    *(TRAINED if SEGMENTER.training.steps else []),
    *DETECTED_FOLDERS,
    *JUDGED_FOLDERS,
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
        settings=settings("segment.network", "segment.windows"),
        code=code("segment/cut_windows.py"),
    message:
        "training windows of the fit patients, with and without a nodule"
    script:
        f"{SCRIPTS}/segment/cut_windows.py"


rule mine_negatives:
    input:
        cohort=f"{R}/cohort/cohort.csv",
        folders=SCAN_FOLDERS,
        state=f"{R}/{SEGMENTER.state(0)}",
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
        settings=settings("device", "segment.detector", "segment.windows"),
        code=code("segment/mine_negatives.py", DETECTOR),
    message:
        "what the half-trained detector takes for nodules"
    script:
        f"{SCRIPTS}/segment/mine_negatives.py"


rule train_segmenter:
    input:
        windows=files.contexts,
        beside=lambda wildcards: tables(*files.contexts(wildcards)),
        before=files.before("segment"),
        start=files.start("segment"),
    output:
        state=f"{R}/segment/{{target}}/{{run}}/state-{{checkpoint}}.pt",
        verdict=f"{R}/segment/{{target}}/{{run}}/state-{{checkpoint}}.json",
        losses=f"{R}/segment/{{target}}/{{run}}/losses-{{checkpoint}}.csv",
        slopes=f"{R}/segment/{{target}}/{{run}}/slopes-{{checkpoint}}.csv",
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
        settings=run_settings("segment", "device", "monitor"),
        code=lambda wildcards: detector_code(
            "segment/train_segmenter.py", files.run("segment", wildcards)
        ),
    message:
        "segmenter: {wildcards.run}, checkpoint {wildcards.checkpoint}"
    script:
        f"{SCRIPTS}/segment/train_segmenter.py"


rule detect_nodules:
    input:
        cohort=f"{R}/cohort/cohort.csv",
        folder=f"{R}/cohort/scans/{{batch}}",
        state=SEGMENTER_STATE,
    output:
        folder=directory(f"{R}/segment/detected/{{batch}}"),
    log:
        f"{LOGS}/detect_nodules-{{batch}}.log",
    benchmark:
        f"{LOGS}/detect_nodules-{{batch}}.tsv"
    conda:
        TORCH
    resources:
        **NETWORK,
    params:
        settings=settings("device", "segment.detector", "segment.inference"),
        code=code("segment/detect_nodules.py", DETECTOR),
    message:
        "what the detector sees in every scan, batch {wildcards.batch}"
    script:
        f"{SCRIPTS}/segment/detect_nodules.py"


rule judge_candidates:
    input:
        cohort=f"{R}/cohort/cohort.csv",
        folder=f"{R}/cohort/scans/{{batch}}",
        detected=f"{R}/segment/detected/{{batch}}",
        recipe=released(models.recipe_path),
        weights=network_of(JUDGE),
    output:
        folder=directory(JUDGED),
    log:
        f"{LOGS}/judge_candidates-{{batch}}.log",
    benchmark:
        f"{LOGS}/judge_candidates-{{batch}}.tsv"
    conda:
        TORCH
    resources:
        **NETWORK,
    params:
        settings=settings(
            "device",
            "segment.operating_point",
            "segment.volumetric.cuts",
            "segment.volumetric.most",
            "segment.volumetric.most_thick",
            "segment.volumetric.network",
        ),
        code=code("segment/judge_candidates.py"),
    message:
        "nodule candidates in three dimensions, batch {wildcards.batch}"
    script:
        f"{SCRIPTS}/segment/judge_candidates.py"


rule choose_threshold:
    input:
        cohort=f"{R}/cohort/cohort.csv",
        marks=f"{R}/cohort/marks.csv",
        folders=SCAN_FOLDERS,
        detected=DETECTED_FOLDERS,
        judged=JUDGED_FOLDERS,
        recipe=released(models.recipe_path),
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
        settings=settings("segment.operating_point"),
        code=code("segment/choose_threshold.py"),
    message:
        "operating point, on tune patients"
    script:
        f"{SCRIPTS}/segment/choose_threshold.py"


rule find_candidates:
    input:
        cohort=f"{R}/cohort/cohort.csv",
        folder=f"{R}/cohort/scans/{{batch}}",
        detected=f"{R}/segment/detected/{{batch}}",
        judged=JUDGED if JUDGE else [],
        threshold=f"{R}/segment/threshold.json",
    output:
        masks=directory(f"{SHOWN}/masks/{{batch}}"),
        candidates=f"{SHOWN}/candidates/{{batch}}.csv",
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
        settings=settings("segment.operating_point"),
        code=code("segment/find_candidates.py"),
    message:
        "nodule candidates, batch {wildcards.batch}"
    script:
        f"{SCRIPTS}/segment/find_candidates.py"


rule outline_candidates:
    input:
        cohort=f"{R}/cohort/cohort.csv",
        folder=f"{R}/cohort/scans/{{batch}}",
        detected=files.needing_probability(
            "outline_candidates", f"{R}/segment/detected/{{batch}}"
        ),
        masks=f"{SHOWN}/masks/{{batch}}",
        candidates=f"{SHOWN}/candidates/{{batch}}.csv",
        weights=network_of(OUTLINES),
    output:
        masks=directory(f"{OUTLINED}/masks/{{batch}}"),
        candidates=f"{OUTLINED}/candidates/{{batch}}.csv",
    log:
        f"{LOGS}/outline_candidates-{{batch}}.log",
    benchmark:
        f"{LOGS}/outline_candidates-{{batch}}.tsv"
    conda:
        TORCH
    resources:
        **NETWORK,
    params:
        settings=settings("device", "segment.outlines.network"),
        code=code("segment/outline_candidates.py"),
    message:
        "outlines in space of the candidates shown, batch {wildcards.batch}"
    script:
        f"{SCRIPTS}/segment/outline_candidates.py"


rule score_detection:
    input:
        cohort=f"{R}/cohort/cohort.csv",
        marks=f"{R}/cohort/marks.csv",
        folders=SCAN_FOLDERS,
        masks=MASK_FOLDERS,
        detected=DETECTED_FOLDERS,
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
            "segment.operating_point", "score.bootstrap", "score.confidence"
        ),
        code=code("segment/score_detection.py"),
    message:
        "detection on test patients, beside a baseline"
    script:
        f"{SCRIPTS}/segment/score_detection.py"
