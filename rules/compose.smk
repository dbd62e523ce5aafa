# Groups of nodules on normals: pools, presence map and groups; the plan as an index; rendering in shards.
POOLS = [f"{R}/compose/{name}.npz" for name in ("nodules", "normals")]
COMPOSED = [
    *POOLS,
    *tables(*POOLS),
    *(
        f"{R}/compose/{name}"
        for name in (
            "presence.npz",
            "groups.parquet",
            "plan.parquet",
            "plan.json",
            "render.json",
        )
    ),
    *files.image_set("lesions_composite"),
    *expand(
        f"{R}/compose/shards/{{shard}}{{end}}",
        shard=SHARDS,
        end=("_masks.npy", ".parquet"),
    ),
]


rule draw_groups:
    input:
        nodules=files.image_set("nodules_fit"),
        unmasked=f"{R}/banks/unmasked_fit.csv",
        generated_nodules=files.image_set("nodules_selected"),
        normals=files.image_set("normals_fit"),
        generated_normals=files.image_set("normals_selected"),
        beside=files.tables_of(
            *(f"{target}_{role}" for target in TARGETS for role in ("fit", "selected"))
        ),
    output:
        nodules=f"{R}/compose/nodules.npz",
        nodule_rows=f"{R}/compose/nodules.csv",
        normals=f"{R}/compose/normals.npz",
        normal_rows=f"{R}/compose/normals.csv",
        presence=f"{R}/compose/presence.npz",
        groups=f"{R}/compose/groups.parquet",
    log:
        f"{LOGS}/draw_groups.log",
    benchmark:
        f"{LOGS}/draw_groups.tsv"
    conda:
        LIBRARY
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        settings=settings(
            "compose.groups",
            "compose.min_diameter_px",
            "compose.normals",
            "compose.presence",
            "image",
        ),
        code=code("compose/draw_groups.py"),
    message:
        "pools, presence map, groups of nodules"
    script:
        f"{SCRIPTS}/compose/draw_groups.py"


rule make_plan:
    input:
        normals=f"{R}/compose/normals.npz",
        groups=f"{R}/compose/groups.parquet",
        beside=tables(f"{R}/compose/normals.npz"),
    output:
        plan=f"{R}/compose/plan.parquet",
        summary=f"{R}/compose/plan.json",
    log:
        f"{LOGS}/make_plan.log",
    benchmark:
        f"{LOGS}/make_plan.tsv"
    conda:
        LIBRARY
    resources:
        mem_mb=3000,
        runtime=120,
    params:
        settings=settings("compose.groups.gap_mm", "compose.plan"),
        code=code("compose/make_plan.py"),
    message:
        "every group on every normal: the best are the plan"
    script:
        f"{SCRIPTS}/compose/make_plan.py"


localrules:
    write_render_settings,


rule write_render_settings:
    output:
        settings=f"{R}/compose/render.json",
    log:
        f"{LOGS}/write_render_settings.log",
    benchmark:
        f"{LOGS}/write_render_settings.tsv"
    conda:
        LIBRARY
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        settings=settings("compose.render"),
        code=code("compose/write_render_settings.py"),
    message:
        "how composites are blended"
    script:
        f"{SCRIPTS}/compose/write_render_settings.py"


rule render_shard:
    input:
        plan=f"{R}/compose/plan.parquet",
        nodules=f"{R}/compose/nodules.npz",
        normals=f"{R}/compose/normals.npz",
        groups=f"{R}/compose/groups.parquet",
        beside=tables(f"{R}/compose/nodules.npz", f"{R}/compose/normals.npz"),
    output:
        images=f"{R}/compose/shards/{{shard}}.npy",
        masks=f"{R}/compose/shards/{{shard}}_masks.npy",
        rows=f"{R}/compose/shards/{{shard}}.parquet",
    log:
        f"{LOGS}/render_shard-{{shard}}.log",
    benchmark:
        f"{LOGS}/render_shard-{{shard}}.tsv"
    conda:
        LIBRARY
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        settings=settings("compose.render"),
        code=code("compose/render_shard.py"),
    message:
        "composites, shard {wildcards.shard}"
    script:
        f"{SCRIPTS}/compose/render_shard.py"
