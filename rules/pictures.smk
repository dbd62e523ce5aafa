# Single pictures: which can be used and for what, then equal squares of them, one bank for each role.
PICTURE_BANKS = [f"{R}/banks/pictures_{role}.npz" for role in ("fit", "tune", "test")]
PICTURED = [
    f"{R}/cohort/pictures.csv",
    f"{R}/cohort/quarantine.csv",
    *PICTURE_BANKS,
    *tables(*PICTURE_BANKS),
]


rule list_pictures:
    input:
        recipes=files.recipes(),
    output:
        pictures=f"{R}/cohort/pictures.csv",
        quarantine=f"{R}/cohort/quarantine.csv",
    log:
        f"{LOGS}/list_pictures.log",
    benchmark:
        f"{LOGS}/list_pictures.tsv"
    conda:
        LIBRARY
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        settings=settings("pictures"),
        code=code("pictures/list_pictures.py"),
        data=lambda wildcards: pictures_digest(study.pictures.path),
    message:
        "which pictures can be used, and for what"
    script:
        f"{SCRIPTS}/pictures/list_pictures.py"


rule cut_pictures:
    input:
        pictures=f"{R}/cohort/pictures.csv",
    output:
        images=PICTURE_BANKS,
        tables=tables(*PICTURE_BANKS),
    log:
        f"{LOGS}/cut_pictures.log",
    benchmark:
        f"{LOGS}/cut_pictures.tsv"
    conda:
        LIBRARY
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        settings=settings("pictures"),
        code=code("pictures/cut_pictures.py"),
    message:
        "banks of equal squares to learn from, to choose by and to test on"
    script:
        f"{SCRIPTS}/pictures/cut_pictures.py"
