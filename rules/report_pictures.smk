# The report of a study of pictures.
REPORT = [f"{R}/report/report.html", f"{R}/report/claims.csv"]
LAST = [*RELEASED, *REPORT]
PAGE_SETS = files.image_sets(
    *(entry.name for entry in catalogue.of("pictures") if entry.role != "tune")
)


rule list_claims:
    input:
        losses=files.losses_of(DRAWN_BY["pictures"]),
        verdicts=[
            file for run in DRAWN_BY["pictures"] for file in files.last_verdict(run)
        ],
        networks=NETWORKS[0],
        classifiers=EVALUATED[3:] if files.tells_classes else [],
    output:
        claims=REPORT[1],
    log:
        f"{LOGS}/list_claims.log",
    benchmark:
        f"{LOGS}/list_claims.tsv"
    conda:
        LIBRARY
    resources:
        **LIGHT,
    params:
        settings=settings(runs=DRAWN_BY["pictures"]),
        code=code("report/list_claims.py"),
    message:
        "what papers claim, beside what this study finds"
    script:
        f"{SCRIPTS}/report/list_claims.py"


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
        recipes=files.recipes(),
        shipped_scores=files.shipped_scores(),
        cohort=f"{R}/cohort/pictures.csv",
        quarantine=f"{R}/cohort/quarantine.csv",
        selection=f"{R}/generate/pictures/selection.json",
        checkpoints=CHECKPOINTS[0],
        along=CHECKPOINTS[1],
        scores=f"{R}/score/scores.csv",
        score_facts=expand(f"{R}/score/{{extractor}}.json", extractor=SCORED_BY),
        networks=NETWORKS[0],
        claims=REPORT[1],
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
