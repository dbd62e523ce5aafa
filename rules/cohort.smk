# Scans: phantoms where the study asks for them, the list with its roles, every scan with its lungs, checks and pictures.
PHANTOM = [f"{R}/cohort/phantom/annotations.csv"] + expand(
    [
        f"{R}/cohort/phantom/{part}"
        for part in (
            "subset{batch}",
            "seg-lungs-LUNA16/subset{batch}",
            "nodules/subset{batch}",
            "truth/{batch}.csv",
        )
    ],
    batch=BATCHES,
)
COHORT = [
    *(PHANTOM if HAS_PHANTOM else []),
    *SCAN_FOLDERS,
    *(
        f"{R}/cohort/{name}"
        for name in (
            "scans.csv",
            "unread.csv",
            "cohort.csv",
            "marks.csv",
            "quarantine.csv",
            "qc.html",
        )
    ),
]


rule make_phantom:
    output:
        scans=directory(f"{R}/cohort/phantom/subset{{batch}}"),
        lungs=directory(f"{R}/cohort/phantom/seg-lungs-LUNA16/subset{{batch}}"),
        nodules=directory(f"{R}/cohort/phantom/nodules/subset{{batch}}"),
        truth=f"{R}/cohort/phantom/truth/{{batch}}.csv",
    log:
        f"{LOGS}/make_phantom-{{batch}}.log",
    benchmark:
        f"{LOGS}/make_phantom-{{batch}}.tsv"
    conda:
        LIBRARY
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        settings=settings("cohort.phantom", "cohort.batches"),
        code=code("cohort/make_phantom.py"),
    message:
        "digital chests, batch {wildcards.batch}"
    script:
        f"{SCRIPTS}/cohort/make_phantom.py"


rule annotate_phantom:
    input:
        truth=expand(f"{R}/cohort/phantom/truth/{{batch}}.csv", batch=BATCHES),
    output:
        annotations=f"{R}/cohort/phantom/annotations.csv",
    log:
        f"{LOGS}/annotate_phantom.log",
    benchmark:
        f"{LOGS}/annotate_phantom.tsv"
    conda:
        LIBRARY
    resources:
        mem_mb=500,
        runtime=5,
    params:
        settings=settings(),
        code=code("cohort/annotate_phantom.py"),
    message:
        "annotations.csv of the digital chests"
    script:
        f"{SCRIPTS}/cohort/annotate_phantom.py"


rule list_scans:
    input:
        made=PHANTOM if HAS_PHANTOM else [],
    output:
        scans=f"{R}/cohort/scans.csv",
        unread=f"{R}/cohort/unread.csv",
    log:
        f"{LOGS}/list_scans.log",
    benchmark:
        f"{LOGS}/list_scans.tsv"
    conda:
        LIBRARY
    resources:
        mem_mb=1000,
        runtime=20,
    params:
        settings=settings("cohort.sources", "cohort.split", "cohort.batches"),
        code=code("cohort/list_scans.py", *READER_MODULES),
        data=lambda wildcards: data_digest(study.cohort.sources),
    message:
        "who is there, and who may be used for what"
    script:
        f"{SCRIPTS}/cohort/list_scans.py"


rule prepare_scans:
    input:
        scans=f"{R}/cohort/scans.csv",
    output:
        folder=directory(f"{R}/cohort/scans/{{batch}}"),
    log:
        f"{LOGS}/prepare_scans-{{batch}}.log",
    benchmark:
        f"{LOGS}/prepare_scans-{{batch}}.tsv"
    conda:
        LIBRARY
    resources:
        mem_mb=3000,
        runtime=60,
    params:
        settings=settings("cohort.sources"),
        code=code("cohort/prepare_scans.py", *READER_MODULES),
    message:
        "HU, lungs and marks of every scan, batch {wildcards.batch}"
    script:
        f"{SCRIPTS}/cohort/prepare_scans.py"


rule check_cohort:
    input:
        scans=f"{R}/cohort/scans.csv",
        unread=f"{R}/cohort/unread.csv",
        folders=SCAN_FOLDERS,
        recipes=files.recipes(),
    output:
        cohort=f"{R}/cohort/cohort.csv",
        marks=f"{R}/cohort/marks.csv",
        quarantine=f"{R}/cohort/quarantine.csv",
        qc=report(
            f"{R}/cohort/qc.html",
            caption="../report/qc.rst",
            category="1 Cohort",
            labels={"what": "every scan"},
        ),
    log:
        f"{LOGS}/check_cohort.log",
    benchmark:
        f"{LOGS}/check_cohort.tsv"
    conda:
        LIBRARY
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        settings=settings(
            "cohort.quarantine",
            "cohort.seen",
            "cohort.min_patients",
            "cohort.split",
            "study",
        ),
        code=code("cohort/check_cohort.py"),
    message:
        "the cohort: verdicts, roles, quarantine, a page with a picture of every scan"
    script:
        f"{SCRIPTS}/cohort/check_cohort.py"
