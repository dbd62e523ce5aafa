# Stage 1: two generators under one loop, what they draw, and which of it is kept.


rule train_generator:
    input:
        bank=f"{R}/banks/{{layer}}_fit.npz",
        beside=f"{R}/banks/{{layer}}_fit.csv",
        before=state_before("generate/{layer}"),
    output:
        state=f"{R}/generate/{{layer}}/state-{{segment}}.pt",
        verdict=f"{R}/generate/{{layer}}/state-{{segment}}.json",
        losses=f"{R}/generate/{{layer}}/losses-{{segment}}.csv",
    log:
        f"logs/{study.study}/train_generator-{{layer}}-{{segment}}.log",
    benchmark:
        f"logs/{study.study}/train_generator-{{layer}}-{{segment}}.tsv"
    conda:
        TORCH
    resources:
        mem_mb=4000,
        runtime=600,
        gpu=GPU,
    params:
        settings=layer_settings(
            "device", "image.window_hu", "monitor", without=("count", "keep")
        ),
        code=layer_code("generate/train_generator.py"),
    message:
        "generator of {wildcards.layer}, training segment {wildcards.segment}"
    script:
        f"{SCRIPTS}/generate/train_generator.py"


rule draw_samples:
    input:
        state=layer_state,
    output:
        images=f"{R}/generate/{{layer}}/generated.npz",
        table=f"{R}/generate/{{layer}}/generated.csv",
    log:
        f"logs/{study.study}/draw_samples-{{layer}}.log",
    benchmark:
        f"logs/{study.study}/draw_samples-{{layer}}.tsv"
    conda:
        TORCH
    resources:
        mem_mb=3000,
        runtime=30,
    params:
        settings=layer_settings(
            "image",
            "banks",
            without=("keep", "steps", "segments", "points_every", "threads"),
        ),
        code=layer_code("generate/draw_samples.py"),
    message:
        "images from the generator of {wildcards.layer}"
    script:
        f"{SCRIPTS}/generate/draw_samples.py"


rule select_samples:
    input:
        generated=f"{R}/generate/{{layer}}/generated.npz",
        fit=f"{R}/banks/{{layer}}_fit.npz",
        tune=f"{R}/banks/{{layer}}_tune.npz",
        beside=tables(
            f"{R}/generate/{{layer}}/generated.npz",
            *banks("{layer}_fit", "{layer}_tune"),
        ),
        extractor=layer_extractor,
    output:
        images=f"{R}/generate/{{layer}}/selected.npz",
        table=f"{R}/generate/{{layer}}/selected.csv",
        summary=f"{R}/generate/{{layer}}/selection.json",
    log:
        f"logs/{study.study}/select_samples-{{layer}}.log",
    benchmark:
        f"logs/{study.study}/select_samples-{{layer}}.tsv"
    conda:
        TORCH
    resources:
        mem_mb=3000,
        runtime=30,
    params:
        settings=layer_settings("generate.select", "image", only="keep"),
        code=code("generate/select_samples.py", EXTRACTOR),
    message:
        "the images closest to real ones without copies: {wildcards.layer}"
    script:
        f"{SCRIPTS}/generate/select_samples.py"
