# Stage 1: two generators under one loop, what they draw, and which of it is kept.
DRAWN_BY = {target: runs.drawn_by(study, target) for target in TARGETS}
# Generators of pictures may learn from a part of the bank; what copies are is told by that part.
PARTS_LEARNT = {"runs": DRAWN_BY["pictures"]} if study.chain == "pictures" else {}
GENERATED = [
    *(
        file
        for drawn_by in DRAWN_BY.values()
        for run in drawn_by
        for file in files.states_of(run)
    ),
    *files.choices(),
    *expand(
        [
            f"{R}/generate/{{target}}/{name}"
            for name in (
                "generated.npz",
                "generated.csv",
                "selected.npz",
                "selected.csv",
                "selection.json",
            )
        ],
        target=TARGETS,
    ),
]


rule train_generator:
    input:
        bank=f"{R}/banks/{{target}}_fit.npz",
        beside=f"{R}/banks/{{target}}_fit.csv",
        before=files.before("generate"),
        start=files.start("generate"),
        rate=files.rate,
    output:
        state=f"{R}/generate/{{target}}/{{run}}/state-{{checkpoint}}.pt",
        verdict=f"{R}/generate/{{target}}/{{run}}/state-{{checkpoint}}.json",
        losses=f"{R}/generate/{{target}}/{{run}}/losses-{{checkpoint}}.csv",
        slopes=f"{R}/generate/{{target}}/{{run}}/slopes-{{checkpoint}}.csv",
    log:
        f"{LOGS}/train_generator-{{target}}-{{run}}-{{checkpoint}}.log",
    benchmark:
        f"{LOGS}/train_generator-{{target}}-{{run}}-{{checkpoint}}.tsv"
    conda:
        TORCH
    threads: cores("generate")
    resources:
        **TRAINING,
    params:
        settings=run_settings(
            "generate",
            "device",
            "image.window_hu",
            "monitor",
            *(["pictures.mirror"] if "pictures" in TARGETS else []),
        ),
        code=lambda wildcards: generator_code(
            "generate/train_generator.py", files.run("generate", wildcards)
        ),
    message:
        "generator of {wildcards.target}: {wildcards.run}, checkpoint {wildcards.checkpoint}"
    script:
        f"{SCRIPTS}/generate/train_generator.py"


rule choose_state:
    input:
        unpack(files.to_choose_from),
    output:
        state=f"{R}/generate/{{target}}/{{run}}/{CHOSEN}",
        choice=f"{R}/generate/{{target}}/{{run}}/{CHOICE}",
    log:
        f"{LOGS}/choose_state-{{target}}-{{run}}.log",
    benchmark:
        f"{LOGS}/choose_state-{{target}}-{{run}}.tsv"
    conda:
        TORCH
    resources:
        **NETWORK,
    params:
        settings=lambda wildcards: settings(
            "banks",
            "device",
            f"generate.{wildcards.target}.use",
            "image",
            runs=DRAWN_BY[wildcards.target],
        ),
        code=lambda wildcards: generator_code(
            "generate/choose_state.py", *DRAWN_BY[wildcards.target]
        ),
    message:
        "which state of {wildcards.run} draws {wildcards.target}"
    script:
        f"{SCRIPTS}/generate/choose_state.py"


rule draw_samples:
    input:
        states=lambda wildcards: files.drawing(wildcards.target),
        learnt=lambda wildcards: files.classes_of(DRAWN_BY[wildcards.target]),
    output:
        images=f"{R}/generate/{{target}}/generated.npz",
        table=f"{R}/generate/{{target}}/generated.csv",
    log:
        f"{LOGS}/draw_samples-{{target}}.log",
    benchmark:
        f"{LOGS}/draw_samples-{{target}}.tsv"
    conda:
        TORCH
    resources:
        **NETWORK,
    params:
        settings=lambda wildcards: settings(
            "banks",
            "device",
            f"generate.{wildcards.target}.sampling",
            "image",
            runs=DRAWN_BY[wildcards.target],
        ),
        code=lambda wildcards: generator_code(
            "generate/draw_samples.py", *DRAWN_BY[wildcards.target]
        ),
    message:
        "images from the generator of {wildcards.target}"
    script:
        f"{SCRIPTS}/generate/draw_samples.py"


rule select_samples:
    input:
        generated=f"{R}/generate/{{target}}/generated.npz",
        fit=f"{R}/banks/{{target}}_fit.npz",
        tune=f"{R}/banks/{{target}}_tune.npz",
        beside=tables(
            f"{R}/generate/{{target}}/generated.npz",
            *(f"{R}/banks/{{target}}_{role}.npz" for role in ("fit", "tune")),
        ),
        extractor=lambda wildcards: weights_of(SEEN_BY[wildcards.target]),
    output:
        images=f"{R}/generate/{{target}}/selected.npz",
        table=f"{R}/generate/{{target}}/selected.csv",
        summary=f"{R}/generate/{{target}}/selection.json",
    log:
        f"{LOGS}/select_samples-{{target}}.log",
    benchmark:
        f"{LOGS}/select_samples-{{target}}.tsv"
    conda:
        TORCH
    resources:
        **NETWORK,
    params:
        settings=lambda wildcards: settings(
            "device",
            f"generate.{wildcards.target}.selection",
            "image.window_hu",
            **PARTS_LEARNT,
        ),
        code=code("generate/select_samples.py", EXTRACTOR),
    message:
        "the images closest to real ones without copies: {wildcards.target}"
    script:
        f"{SCRIPTS}/generate/select_samples.py"
