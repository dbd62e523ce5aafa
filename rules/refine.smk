# Stage 2: CycleGAN of the composites towards real slices, and the gate that looks at every lesion after it.


rule train_refiner:
    input:
        composites=stems("compose/shards"),
        masks=expand(f"{R}/compose/shards/{{shard}}_masks.npy", shard=SHARDS),
        domain=banks("lesions_domain"),
        beside=tables(*banks("lesions_domain")),
        before=state_before("refine"),
    output:
        state=f"{R}/refine/state-{{segment}}.pt",
        verdict=f"{R}/refine/state-{{segment}}.json",
        losses=f"{R}/refine/losses-{{segment}}.csv",
    log:
        f"logs/{study.study}/train_refiner-{{segment}}.log",
    benchmark:
        f"logs/{study.study}/train_refiner-{{segment}}.tsv"
    conda:
        TORCH
    threads: study.threads
    resources:
        mem_mb=4000,
        runtime=600,
        gpu=GPU,
    params:
        settings=settings(
            "device", "image", "monitor", "refine", "threads", without=("refine.gate",)
        ),
        code=code("refine/train_refiner.py"),
    message:
        "refiner, training segment {wildcards.segment}"
    script:
        f"{SCRIPTS}/refine/train_refiner.py"


rule refine_shard:
    input:
        composites=f"{R}/compose/shards/{{shard}}.npy",
        state=last_state("refine", study.refine.segments),
    output:
        images=f"{R}/refine/shards/{{shard}}.npy",
    log:
        f"logs/{study.study}/refine_shard-{{shard}}.log",
    benchmark:
        f"logs/{study.study}/refine_shard-{{shard}}.tsv"
    conda:
        TORCH
    resources:
        mem_mb=3000,
        runtime=30,
        gpu=GPU,
    params:
        settings=settings("device", "image", "refine", without=("refine.gate",)),
        code=code("refine/refine_shard.py"),
    message:
        "refined composites, shard {wildcards.shard}"
    script:
        f"{SCRIPTS}/refine/refine_shard.py"


rule gate_shard:
    input:
        composites=f"{R}/compose/shards/{{shard}}.npy",
        masks=f"{R}/compose/shards/{{shard}}_masks.npy",
        rows=f"{R}/compose/shards/{{shard}}.parquet",
        refined=f"{R}/refine/shards/{{shard}}.npy",
        normals=f"{R}/compose/normals.npz",
        beside=f"{R}/compose/normals.csv",
        state=SEGMENTER_STATE,
    output:
        lesions=f"{R}/refine/gate/{{shard}}-lesions.csv",
        images=f"{R}/refine/gate/{{shard}}-images.csv",
    log:
        f"logs/{study.study}/gate_shard-{{shard}}.log",
    benchmark:
        f"logs/{study.study}/gate_shard-{{shard}}.tsv"
    conda:
        TORCH
    resources:
        mem_mb=3000,
        runtime=30,
    params:
        settings=settings("image", "refine.gate", "segment", without=SEGMENT_LATER),
        code=code("refine/gate_shard.py", SEGMENTER),
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
        f"logs/{study.study}/judge_refinement.log",
    benchmark:
        f"logs/{study.study}/judge_refinement.tsv"
    conda:
        LIBRARY
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        settings=settings("score.confidence"),
        code=code("refine/judge_refinement.py"),
    message:
        "the gate: erased, moved, invented, over all composites"
    script:
        f"{SCRIPTS}/refine/judge_refinement.py"
