# The report of a study of pictures.
REPORT = [f"{R}/report/report.html"]
LAST = [*RELEASED, *REPORT]
PAGE_SETS = files.image_sets(
    *(entry.name for entry in catalogue.of("pictures") if entry.role != "tune")
)


rule make_pictures_report:
    input:
        **PAGE_SETS,
        **({"classifiers": EVALUATED[1]} if files.tells_classes else {}),
        beside=tables(*PAGE_SETS.values()),
        losses=files.losses_of(DRAWN_BY["pictures"]),
        slopes=files.losses_of(DRAWN_BY["pictures"], "slopes"),
        verdicts=[
            file for run in DRAWN_BY["pictures"] for file in files.last_verdict(run)
        ],
        cohort=f"{R}/cohort/pictures.csv",
        quarantine=f"{R}/cohort/quarantine.csv",
        selection=f"{R}/generate/pictures/selection.json",
        checkpoints=CHECKPOINTS[0],
        along=CHECKPOINTS[1],
        scores=f"{R}/score/scores.csv",
        score_facts=expand(f"{R}/score/{{extractor}}.json", extractor=SCORED_BY),
        networks=NETWORKS[0],
        manifest=f"{R}/release/manifest.csv",
    output:
        page=report(
            REPORT[0],
            caption="../report/report.rst",
            category="6 Report",
            labels={"what": "the whole study on one page"},
        ),
    log:
        f"{LOGS}/make_pictures_report.log",
    benchmark:
        f"{LOGS}/make_pictures_report.tsv"
    conda:
        LIBRARY
    resources:
        **LIGHT,
    params:
        settings=settings(
            *("study", "pictures", "image", "features", "generate.pictures"),
            *("monitor", "score", "release", "device"),
            runs=DRAWN_BY["pictures"],
        ),
        code=code("report/make_pictures_report.py"),
    message:
        "report.html: the study on one page"
    script:
        f"{SCRIPTS}/report/make_pictures_report.py"
