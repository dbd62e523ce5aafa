# Groups of nodules on normals: pools, presence map and groups; the plan as an index; rendering in shards.


rule draw_groups:
    input:
        nodules=banks("nodules_fit"),
        unmasked=f"{R}/banks/unmasked_fit.csv",
        generated_nodules=f"{R}/generate/nodules/selected.npz",
        normals=banks("normals_fit"),
        generated_normals=f"{R}/generate/normals/selected.npz",
        beside=tables(
            *banks("nodules_fit", "normals_fit"),
            *(f"{R}/generate/{layer}/selected.npz" for layer in LAYERS),
        ),
    output:
        nodules=f"{R}/compose/nodules.npz",
        nodule_rows=f"{R}/compose/nodules.csv",
        normals=f"{R}/compose/normals.npz",
        normal_rows=f"{R}/compose/normals.csv",
        presence=f"{R}/compose/presence.npz",
        groups=f"{R}/compose/groups.parquet",
    log:
        f"logs/{study.study}/draw_groups.log",
    benchmark:
        f"logs/{study.study}/draw_groups.tsv"
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
        nodules=f"{R}/compose/nodules.npz",
        normals=f"{R}/compose/normals.npz",
        groups=f"{R}/compose/groups.parquet",
        beside=tables(f"{R}/compose/nodules.npz", f"{R}/compose/normals.npz"),
    output:
        plan=f"{R}/compose/plan.parquet",
        summary=f"{R}/compose/plan.json",
    log:
        f"logs/{study.study}/make_plan.log",
    benchmark:
        f"logs/{study.study}/make_plan.tsv"
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
        f"logs/{study.study}/render_shard-{{shard}}.log",
    benchmark:
        f"logs/{study.study}/render_shard-{{shard}}.tsv"
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
