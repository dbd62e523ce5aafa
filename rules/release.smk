# What is handed over - images and masks in every format, tables, datasheet. A job a format and shard, so that a further
# format exports nothing again.
FORMATS = study.release.formats
RELEASED = [
    *expand(
        [f"{R}/export/{{shard}}-{what}.parquet" for what in ("images", "lesions")],
        shard=SHARDS,
    ),
    *expand(
        [
            f"{R}/release/images/{{format}}/{{shard}}",
            f"{R}/release/masks/{{format}}/{{shard}}",
            f"{R}/export/{{format}}/{{shard}}.csv",
        ],
        format=FORMATS,
        shard=SHARDS,
    ),
    *expand(f"{R}/release/{{format}}", format=FORMATS),
    *(
        f"{R}/release/{name}"
        for name in ("manifest.csv", "lesions.csv", "DATASHEET.md")
    ),
]


wildcard_constraints:
    format="|".join(FORMATS),


rule measure_shard:
    input:
        images=f"{R}/refine/shards/{{shard}}.npy",
        masks=f"{R}/compose/shards/{{shard}}_masks.npy",
        rows=f"{R}/compose/shards/{{shard}}.parquet",
        gate=f"{R}/refine/gate/{{shard}}-images.csv",
        plan=f"{R}/compose/plan.parquet",
        normals=f"{R}/compose/normals.csv",
    output:
        images=f"{R}/export/{{shard}}-images.parquet",
        lesions=f"{R}/export/{{shard}}-lesions.parquet",
    log:
        f"{LOGS}/measure_shard-{{shard}}.log",
    benchmark:
        f"{LOGS}/measure_shard-{{shard}}.tsv"
    conda:
        LIBRARY
    resources:
        **LIGHT,
    params:
        settings=settings("image"),
        code=code("release/measure_shard.py"),
    message:
        "released images and their lesions, shard {wildcards.shard}"
    script:
        f"{SCRIPTS}/release/measure_shard.py"


rule export_shard:
    input:
        images=f"{R}/refine/shards/{{shard}}.npy",
        masks=f"{R}/compose/shards/{{shard}}_masks.npy",
        kept=f"{R}/export/{{shard}}-images.parquet",
        lesions=f"{R}/export/{{shard}}-lesions.parquet",
    output:
        images=directory(f"{R}/release/images/{{format}}/{{shard}}"),
        masks=directory(f"{R}/release/masks/{{format}}/{{shard}}"),
        files=f"{R}/export/{{format}}/{{shard}}.csv",
    log:
        f"{LOGS}/export_shard-{{format}}-{{shard}}.log",
    benchmark:
        f"{LOGS}/export_shard-{{format}}-{{shard}}.tsv"
    conda:
        LIBRARY
    resources:
        **LIGHT,
    params:
        settings=settings("image", "release.licence", "release.slice_mm", "study"),
        code=format_code("release/export_shard.py"),
    message:
        "released images as {wildcards.format}, shard {wildcards.shard}"
    script:
        f"{SCRIPTS}/release/export_shard.py"


rule finish_format:
    input:
        expand(
            f"{R}/release/{{part}}/{{{{format}}}}/{{shard}}",
            part=["images", "masks"],
            shard=SHARDS,
        ),
    output:
        folder=directory(f"{R}/release/{{format}}"),
    log:
        f"{LOGS}/finish_format-{{format}}.log",
    benchmark:
        f"{LOGS}/finish_format-{{format}}.tsv"
    conda:
        LIBRARY
    resources:
        **LIGHT,
    params:
        settings=settings("image", "release.licence", "release.slice_mm", "study"),
        code=format_code("release/finish_format.py"),
    message:
        "released images as {wildcards.format}, the whole set"
    script:
        f"{SCRIPTS}/release/finish_format.py"


rule list_release:
    input:
        kept=expand(f"{R}/export/{{shard}}-images.parquet", shard=SHARDS),
        lesions=expand(f"{R}/export/{{shard}}-lesions.parquet", shard=SHARDS),
        files=expand(
            f"{R}/export/{{format}}/{{shard}}.csv", format=FORMATS, shard=SHARDS
        ),
    output:
        manifest=f"{R}/release/manifest.csv",
        lesions=f"{R}/release/lesions.csv",
    log:
        f"{LOGS}/list_release.log",
    benchmark:
        f"{LOGS}/list_release.tsv"
    conda:
        LIBRARY
    resources:
        **LIGHT,
    params:
        settings=settings("release.formats"),
        code=code("release/list_release.py"),
    message:
        "manifest and lesions of the release"
    script:
        f"{SCRIPTS}/release/list_release.py"


rule write_datasheet:
    input:
        manifest=f"{R}/release/manifest.csv",
        lesions=f"{R}/release/lesions.csv",
        formats=expand(f"{R}/release/{{format}}", format=FORMATS),
        gate=f"{R}/refine/gate.csv",
        scores=f"{R}/score/scores.csv",
        selections=expand(f"{R}/generate/{{target}}/selection.json", target=TARGETS),
        cohort=f"{R}/cohort/cohort.csv",
    output:
        datasheet=report(
            f"{R}/release/DATASHEET.md",
            caption="../report/release.rst",
            category="5 Release",
            labels={"what": "datasheet"},
        ),
    log:
        f"{LOGS}/write_datasheet.log",
    benchmark:
        f"{LOGS}/write_datasheet.tsv"
    conda:
        LIBRARY
    resources:
        **LIGHT,
    params:
        settings=settings("image", "release", "study"),
        code=code("release/write_datasheet.py"),
    message:
        "the release's datasheet"
    script:
        f"{SCRIPTS}/release/write_datasheet.py"
