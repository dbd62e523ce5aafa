# Stage 2: CycleGAN of the composites towards real slices, the gate that looks at every lesion after it, and the judge
# that looks once more: a segmenter that ships, through which neither refiner nor gate has seen.
REFINER = runs.refiner(study)
EYES = list(study.refine.eyes)
REFINED = [
    *files.states_of(REFINER),
    *files.image_set("lesions_refined"),
    *expand(
        f"{R}/refine/{{eye}}/{{shard}}-{{what}}.csv",
        eye=EYES,
        shard=SHARDS,
        what=("lesions", "images"),
    ),
    *expand(
        f"{R}/refine/{{eye}}{{what}}",
        eye=EYES,
        what=("_threshold.json", ".json", ".csv"),
    ),
]


wildcard_constraints:
    eye="gate|judge",


rule train_refiner:
    input:
        unpack(lots.learnt_by_refiner(files)),
        domain=[files.image_set("lesions_domain")],
        beside=files.tables_of("lesions_domain"),
        before=files.before("refine"),
        start=files.start("refine"),
    output:
        state=f"{R}/refine/{{target}}/{{run}}/state-{{checkpoint}}.pt",
        verdict=f"{R}/refine/{{target}}/{{run}}/state-{{checkpoint}}.json",
        losses=f"{R}/refine/{{target}}/{{run}}/losses-{{checkpoint}}.csv",
        slopes=f"{R}/refine/{{target}}/{{run}}/slopes-{{checkpoint}}.csv",
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


rule choose_eye_threshold:
    input:
        lesions=files.image_set("lesions_tune"),
        normals=files.image_set("normals_tune"),
        beside=files.tables_of("lesions_tune", "normals_tune"),
        state=files.eye_weights("choose_eye_threshold", SEGMENTER_STATE),
        recipe=files.eye_recipe,
    output:
        point=f"{R}/refine/{{eye}}_threshold.json",
    log:
        f"{LOGS}/choose_eye_threshold-{{eye}}.log",
    benchmark:
        f"{LOGS}/choose_eye_threshold-{{eye}}.tsv"
    conda:
        TORCH
    resources:
        **NETWORK,
    params:
        settings=settings(
            "device", "refine.gate", "segment.detector", "segment.inference"
        ),
        code=eye_code("refine/choose_eye_threshold.py"),
    message:
        "the threshold at which the {wildcards.eye} sees, from real slices of the tune patients"
    script:
        f"{SCRIPTS}/refine/choose_eye_threshold.py"


rule judge_shard:
    input:
        composites=f"{R}/compose/shards/{{shard}}.npy",
        masks=f"{R}/compose/shards/{{shard}}_masks.npy",
        rows=f"{R}/compose/shards/{{shard}}.parquet",
        refined=f"{R}/refine/shards/{{shard}}.npy",
        normals=f"{R}/compose/normals.npz",
        beside=f"{R}/compose/normals.csv",
        state=files.eye_weights("judge_shard", SEGMENTER_STATE),
        recipe=files.eye_recipe,
        point=f"{R}/refine/{{eye}}_threshold.json",
    output:
        lesions=f"{R}/refine/{{eye}}/{{shard}}-lesions.csv",
        images=f"{R}/refine/{{eye}}/{{shard}}-images.csv",
    log:
        f"{LOGS}/judge_shard-{{eye}}-{{shard}}.log",
    benchmark:
        f"{LOGS}/judge_shard-{{eye}}-{{shard}}.tsv"
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
        code=eye_code("refine/judge_shard.py"),
    message:
        "what refinement did to every lesion, seen by the {wildcards.eye}, shard {wildcards.shard}"
    script:
        f"{SCRIPTS}/refine/judge_shard.py"


rule judge_refinement:
    input:
        lesions=expand(f"{R}/refine/{{{{eye}}}}/{{shard}}-lesions.csv", shard=SHARDS),
        images=expand(f"{R}/refine/{{{{eye}}}}/{{shard}}-images.csv", shard=SHARDS),
    output:
        facts=f"{R}/refine/{{eye}}.json",
        table=report(
            f"{R}/refine/{{eye}}.csv",
            caption="../report/gate.rst",
            category="4 Refinement",
            labels={"what": "erased, moved, invented ({eye})"},
        ),
    log:
        f"{LOGS}/judge_refinement-{{eye}}.log",
    benchmark:
        f"{LOGS}/judge_refinement-{{eye}}.tsv"
    conda:
        LIBRARY
    resources:
        **LIGHT,
    params:
        settings=settings("score.confidence"),
        code=code("refine/judge_refinement.py"),
    message:
        "erased, moved, invented over all composites, seen by the {wildcards.eye}"
    script:
        f"{SCRIPTS}/refine/judge_refinement.py"
