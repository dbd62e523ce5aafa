# What is handed over: images, masks, tables, datasheet.
EXPORTER_MODULES = [
    f"lungsynth.release.formats.{name}" for name in study.release.formats
]
RELEASED = [
    *expand(
        [
            f"{R}/release/images/{{shard}}",
            f"{R}/release/masks/{{shard}}",
            f"{R}/export/{{shard}}-manifest.csv",
            f"{R}/export/{{shard}}-lesions.csv",
        ],
        shard=SHARDS,
    ),
    *(
        f"{R}/release/{name}"
        for name in ("manifest.csv", "lesions.csv", "DATASHEET.md")
    ),
]


rule export_shard:
    input:
        images=f"{R}/refine/shards/{{shard}}.npy",
        composites=f"{R}/compose/shards/{{shard}}.npy",
        masks=f"{R}/compose/shards/{{shard}}_masks.npy",
        rows=f"{R}/compose/shards/{{shard}}.parquet",
        gate=f"{R}/refine/gate/{{shard}}-images.csv",
        plan=f"{R}/compose/plan.parquet",
        normals=f"{R}/compose/normals.npz",
        beside=f"{R}/compose/normals.csv",
    output:
        images=directory(f"{R}/release/images/{{shard}}"),
        masks=directory(f"{R}/release/masks/{{shard}}"),
        manifest=f"{R}/export/{{shard}}-manifest.csv",
        lesions=f"{R}/export/{{shard}}-lesions.csv",
    log:
        f"{LOGS}/export_shard-{{shard}}.log",
    benchmark:
        f"{LOGS}/export_shard-{{shard}}.tsv"
    conda:
        LIBRARY
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        settings=settings("image", "release", "study"),
        code=code("release/export_shard.py", *EXPORTER_MODULES),
    message:
        "released images and masks, shard {wildcards.shard}"
    script:
        f"{SCRIPTS}/release/export_shard.py"


rule write_release:
    input:
        manifests=expand(f"{R}/export/{{shard}}-manifest.csv", shard=SHARDS),
        lesions=expand(f"{R}/export/{{shard}}-lesions.csv", shard=SHARDS),
        gate=f"{R}/refine/gate.csv",
        scores=f"{R}/score/scores.csv",
        selections=expand(f"{R}/generate/{{target}}/selection.json", target=TARGETS),
        cohort=f"{R}/cohort/cohort.csv",
    output:
        manifest=f"{R}/release/manifest.csv",
        lesions=f"{R}/release/lesions.csv",
        datasheet=report(
            f"{R}/release/DATASHEET.md",
            caption="../report/release.rst",
            category="5 Release",
            labels={"what": "datasheet"},
        ),
    log:
        f"{LOGS}/write_release.log",
    benchmark:
        f"{LOGS}/write_release.tsv"
    conda:
        LIBRARY
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        settings=settings("image", "release", "study"),
        code=code("release/write_release.py", *EXPORTER_MODULES),
    message:
        "manifest, lesions, datasheet"
    script:
        f"{SCRIPTS}/release/write_release.py"
