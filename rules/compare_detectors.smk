# Systems that find nodules beside each other, at the same budget, and a baseline; none of it is part of `all`.
AT = f"{R}/compare/detectors"
DETECTOR_RUN = rf"{runs.LABEL}-\d+"


rule compare_detectors:
    input:
        files.comparison("detectors"),


rule pool_detectors:
    input:
        [f"{R}/compare/pooled_detectors{end}" for end in DETECTOR_TABLES],


use rule mine_negatives as mine_own_negatives with:
    input:
        cohort=f"{R}/cohort/cohort.csv",
        folders=SCAN_FOLDERS,
        state=f"{R}/segment/nodules/{{run}}/state-0.pt",
    output:
        windows=f"{R}/segment/nodules/{{run}}/hard_windows.npz",
        rows=f"{R}/segment/nodules/{{run}}/hard_windows.csv",
    log:
        f"{LOGS}/mine_own_negatives-{{run}}.log",
    benchmark:
        f"{LOGS}/mine_own_negatives-{{run}}.tsv"
    params:
        settings=lambda wildcards: settings(
            "device", "segment.windows", run=files.compared_detector(wildcards)
        ),
        code=lambda wildcards: detector_code(
            "segment/mine_negatives.py", files.compared_detector(wildcards)
        ),
    message:
        "what {wildcards.run} takes for nodules after its first checkpoint"


rule detect_contender:
    input:
        cohort=f"{R}/cohort/cohort.csv",
        folders=SCAN_FOLDERS,
        state=lambda wildcards: files.last_state(files.compared_detector(wildcards)),
        verdict=lambda wildcards: files.last_verdict(
            files.compared_detector(wildcards)
        )[0],
    output:
        folder=directory(f"{AT}/{{run}}"),
        network=f"{AT}/{{run}}_network.json",
    log:
        f"{LOGS}/detect_contender-{{run}}.log",
    benchmark:
        f"{LOGS}/detect_contender-{{run}}.tsv"
    wildcard_constraints:
        run=DETECTOR_RUN,
    conda:
        TORCH
    resources:
        **NETWORK,
    params:
        settings=lambda wildcards: settings(
            "device", "segment.inference", run=files.compared_detector(wildcards)
        ),
        code=lambda wildcards: detector_code(
            "compare/detect_contender.py", files.compared_detector(wildcards)
        ),
    message:
        "what {wildcards.run} sees in the scans of tune and test"
    script:
        f"{SCRIPTS}/compare/detect_contender.py"


rule score_opening:
    input:
        cohort=f"{R}/cohort/cohort.csv",
        marks=f"{R}/cohort/marks.csv",
        folders=SCAN_FOLDERS,
    output:
        facts=f"{AT}/{comparison.BASELINE}.json",
        candidates=f"{AT}/{comparison.BASELINE}_candidates.csv",
        nodules=f"{AT}/{comparison.BASELINE}_nodules.csv",
        places=f"{AT}/{comparison.BASELINE}_places.csv",
    log:
        f"{LOGS}/score_opening.log",
    benchmark:
        f"{LOGS}/score_opening.tsv"
    conda:
        LIBRARY
    resources:
        mem_mb=3000,
        runtime=60,
    params:
        settings=settings("segment.operating_point"),
        code=code("compare/score_opening.py"),
    message:
        "threshold and opening, and the places that all systems are asked about"
    script:
        f"{SCRIPTS}/compare/score_opening.py"


rule score_detector:
    input:
        cohort=f"{R}/cohort/cohort.csv",
        marks=f"{R}/cohort/marks.csv",
        folders=SCAN_FOLDERS,
        detected=f"{AT}/{{run}}",
        network=f"{AT}/{{run}}_network.json",
        places=f"{AT}/{comparison.BASELINE}_places.csv",
    output:
        facts=f"{AT}/{{run}}.json",
        candidates=f"{AT}/{{run}}_candidates.csv",
        nodules=f"{AT}/{{run}}_nodules.csv",
        places=f"{AT}/{{run}}_places.csv",
    log:
        f"{LOGS}/score_detector-{{run}}.log",
    benchmark:
        f"{LOGS}/score_detector-{{run}}.tsv"
    wildcard_constraints:
        run=DETECTOR_RUN,
    conda:
        LIBRARY
    resources:
        mem_mb=3000,
        runtime=60,
    params:
        settings=lambda wildcards: settings(
            "segment.operating_point", run=files.compared_detector(wildcards)
        ),
        code=code("compare/score_detector.py"),
    message:
        "{wildcards.run} at its operating point"
    script:
        f"{SCRIPTS}/compare/score_detector.py"


rule tabulate_detectors:
    input:
        cohort=[f"{R}/cohort/cohort.csv"],
        marks=[f"{R}/cohort/marks.csv"],
        facts=files.compared_detectors(".json"),
        candidates=files.compared_detectors("_candidates.csv"),
        nodules=files.compared_detectors("_nodules.csv"),
        places=files.compared_detectors("_places.csv"),
    output:
        kinds=report(
            f"{AT}.csv",
            caption="../report/compare_detectors.rst",
            category="2 Segmentation",
            labels={"what": "detectors, compared"},
        ),
        runs=f"{AT}_runs.csv",
        groups=f"{AT}_groups.csv",
        differences=f"{AT}_differences.csv",
        claims=f"{AT}_claims.csv",
        page=f"{AT}.html",
    log:
        f"{LOGS}/tabulate_detectors.log",
    benchmark:
        f"{LOGS}/tabulate_detectors.tsv"
    conda:
        LIBRARY
    resources:
        **LIGHT,
    params:
        settings=settings("score.bootstrap", "score.confidence"),
        code=code("compare/tabulate_detectors.py"),
    message:
        "detectors beside each other"
    script:
        f"{SCRIPTS}/compare/tabulate_detectors.py"


use rule tabulate_detectors as tabulate_folds with:
    input:
        cohort=files.of_folds(f"{R}/cohort/cohort.csv"),
        marks=files.of_folds(f"{R}/cohort/marks.csv"),
        facts=files.of_folds(*files.compared_detectors(".json")),
        candidates=files.of_folds(*files.compared_detectors("_candidates.csv")),
        nodules=files.of_folds(*files.compared_detectors("_nodules.csv")),
        places=files.of_folds(*files.compared_detectors("_places.csv")),
    output:
        kinds=report(
            f"{R}/compare/pooled_detectors.csv",
            caption="../report/compare_detectors.rst",
            category="2 Segmentation",
            labels={"what": "detectors, compared over folds"},
        ),
        runs=f"{R}/compare/pooled_detectors_runs.csv",
        groups=f"{R}/compare/pooled_detectors_groups.csv",
        differences=f"{R}/compare/pooled_detectors_differences.csv",
        claims=f"{R}/compare/pooled_detectors_claims.csv",
        page=f"{R}/compare/pooled_detectors.html",
    log:
        f"{LOGS}/tabulate_folds.log",
    benchmark:
        f"{LOGS}/tabulate_folds.tsv"
    message:
        "detectors beside each other, over all folds"
