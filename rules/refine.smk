# Stage 2: CycleGAN of the composites towards real slices, and the gate that looks at every lesion after it.
REFINER = runs.refiner(study)
REFINED = [
    *files.states_of(REFINER),
    *files.image_set("lesions_refined"),
    *expand(
        f"{R}/refine/gate/{{shard}}-{{what}}.csv",
        shard=SHARDS,
        what=("lesions", "images"),
    ),
    f"{R}/refine/gate_threshold.json",
    f"{R}/refine/gate.json",
    f"{R}/refine/gate.csv",
]


rule train_refiner:
    input:
        composites=files.image_set("lesions_composite"),
        masks=expand(f"{R}/compose/shards/{{shard}}_masks.npy", shard=SHARDS),
        domain=[files.image_set("lesions_domain")],
        beside=files.tables_of("lesions_domain"),
        before=files.before("refine"),
        start=files.start("refine"),
    output:
        state=f"{R}/refine/{{target}}/{{run}}/state-{{checkpoint}}.pt",
        verdict=f"{R}/refine/{{target}}/{{run}}/state-{{checkpoint}}.json",
        losses=f"{R}/refine/{{target}}/{{run}}/losses-{{checkpoint}}.csv",
    log:
        f"{LOGS}/train_refiner-{{target}}-{{run}}-{{checkpoint}}.log",
    benchmark:
        f"{LOGS}/train_refiner-{{target}}-{{run}}-{{checkpoint}}.tsv"
    conda:
        TORCH
    threads: cores("refine")
    resources:
        **TRAINING,
    params:
        settings=run_settings("refine", "device", "image", "monitor"),
        code=code("refine/train_refiner.py"),
    message:
        "refiner: {wildcards.run}, checkpoint {wildcards.checkpoint}"
    script:
        f"{SCRIPTS}/refine/train_refiner.py"


rule refine_shard:
    input:
        composites=f"{R}/compose/shards/{{shard}}.npy",
        state=files.last_state(REFINER),
    output:
        images=f"{R}/refine/shards/{{shard}}.npy",
    log:
        f"{LOGS}/refine_shard-{{shard}}.log",
    benchmark:
        f"{LOGS}/refine_shard-{{shard}}.tsv"
    conda:
        TORCH
    resources:
        **NETWORK,
    params:
        settings=settings("device", "image.window_hu", run=REFINER),
        code=code("refine/refine_shard.py"),
    message:
        "refined composites, shard {wildcards.shard}"
    script:
        f"{SCRIPTS}/refine/refine_shard.py"


rule choose_gate_threshold:
    input:
        lesions=files.image_set("lesions_tune"),
        normals=files.image_set("normals_tune"),
        beside=files.tables_of("lesions_tune", "normals_tune"),
        state=files.needing_probability("choose_gate_threshold", SEGMENTER_STATE),
    output:
        point=f"{R}/refine/gate_threshold.json",
    log:
        f"{LOGS}/choose_gate_threshold.log",
    benchmark:
        f"{LOGS}/choose_gate_threshold.tsv"
    conda:
        TORCH
    resources:
        **NETWORK,
    params:
        settings=settings(
            "device", "refine.gate", "segment.detector", "segment.inference"
        ),
        code=code("refine/choose_gate_threshold.py", DETECTOR),
    message:
        "the threshold at which the gate sees, from real slices of the tune patients"
    script:
        f"{SCRIPTS}/refine/choose_gate_threshold.py"


rule gate_shard:
    input:
        composites=f"{R}/compose/shards/{{shard}}.npy",
        masks=f"{R}/compose/shards/{{shard}}_masks.npy",
        rows=f"{R}/compose/shards/{{shard}}.parquet",
        refined=f"{R}/refine/shards/{{shard}}.npy",
        normals=f"{R}/compose/normals.npz",
        beside=f"{R}/compose/normals.csv",
        state=files.needing_probability("gate_shard", SEGMENTER_STATE),
        point=f"{R}/refine/gate_threshold.json",
    output:
        lesions=f"{R}/refine/gate/{{shard}}-lesions.csv",
        images=f"{R}/refine/gate/{{shard}}-images.csv",
    log:
        f"{LOGS}/gate_shard-{{shard}}.log",
    benchmark:
        f"{LOGS}/gate_shard-{{shard}}.tsv"
    conda:
        TORCH
    resources:
        **NETWORK,
    params:
        settings=settings(
            "device",
            "image",
            "refine.gate",
            "segment.detector",
            "segment.inference",
        ),
        code=code("refine/gate_shard.py", DETECTOR),
    message:
        "what refinement did to every lesion, shard {wildcards.shard}"
    script:
        f"{SCRIPTS}/refine/gate_shard.py"


rule judge_refinement:
    input:
        lesions=expand(f"{R}/refine/gate/{{shard}}-lesions.csv", shard=SHARDS),
        images=expand(f"{R}/refine/gate/{{shard}}-images.csv", shard=SHARDS),
    output:
        gate=f"{R}/refine/gate.json",
        table=report(
            f"{R}/refine/gate.csv",
            caption="../report/gate.rst",
            category="4 Refinement",
            labels={"what": "erased, moved, invented"},
        ),
    log:
        f"{LOGS}/judge_refinement.log",
    benchmark:
        f"{LOGS}/judge_refinement.tsv"
    conda:
        LIBRARY
    resources:
        **LIGHT,
    params:
        settings=settings("score.confidence"),
        code=code("refine/judge_refinement.py"),
    message:
        "the gate: erased, moved, invented, over all composites"
    script:
        f"{SCRIPTS}/refine/judge_refinement.py"
