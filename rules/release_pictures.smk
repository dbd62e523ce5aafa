# What is handed over of generated pictures.
RELEASED = [
    f"{R}/release/{name}"
    for name in ("pictures", "pictures.zip", "manifest.csv", "DATASHEET.md")
]


rule release_pictures:
    input:
        selected=files.image_set("pictures_selected"),
        beside=files.tables_of("pictures_selected"),
        summary=f"{R}/generate/pictures/selection.json",
        pictures=f"{R}/cohort/pictures.csv",
        quarantine=f"{R}/cohort/quarantine.csv",
        scores=f"{R}/score/scores.csv",
    output:
        folder=directory(RELEASED[0]),
        zip=RELEASED[1],
        manifest=RELEASED[2],
        datasheet=report(
            RELEASED[3],
            caption="../report/release.rst",
            category="5 Release",
            labels={"what": "datasheet"},
        ),
    log:
        f"{LOGS}/release_pictures.log",
    benchmark:
        f"{LOGS}/release_pictures.tsv"
    conda:
        LIBRARY
    resources:
        **LIGHT,
    params:
        settings=settings("image", "release", "study", runs=DRAWN_BY["pictures"]),
        code=code("release/release_pictures.py"),
    message:
        "the selected pictures: a folder a class, a zip, a table, a datasheet"
    script:
        f"{SCRIPTS}/release/release_pictures.py"
