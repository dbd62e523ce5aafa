# Generators as models/ holds them: drawn from without any scan or training, and released, in both chains.
rule draw:
    input:
        files.drawn(),


rule draw_pretrained:
    input:
        weights=lambda wildcards: os.path.relpath(
            models.weights_path(files.drawing_from(wildcards))
        ),
        recipe=lambda wildcards: os.path.relpath(
            models.recipe_path(files.drawing_from(wildcards))
        ),
        card=files.card,
    output:
        folder=directory(f"{R}/draw/{{network}}"),
    log:
        f"{LOGS}/draw_pretrained-{{network}}.log",
    benchmark:
        f"{LOGS}/draw_pretrained-{{network}}.tsv"
    conda:
        TORCH
    resources:
        **NETWORK,
    params:
        settings=settings("device", "draw", "release.slice_mm"),
        code=lambda wildcards: code(
            "generate/draw_pretrained.py",
            *(
                f"lungsynth.generate.kinds.{kind}.network"
                for kind in models.kinds_of(files.drawing_from(wildcards))
            ),
        ),
    message:
        "images from {wildcards.network}, a generator that is trained already"
    script:
        f"{SCRIPTS}/generate/draw_pretrained.py"


rule release_generators:
    input:
        expand(
            f"{R}/generate/{{target}}/released/{{file}}",
            target=files.released,
            file=(models.WEIGHTS, models.RECIPE, models.SCORES),
        ),


rule release_generator:
    input:
        states=lambda wildcards: files.drawing(wildcards.target),
        learnt=f"{R}/banks/{{target}}_fit.csv",
        cohort=f"{R}/cohort/{'pictures' if study.chain == 'pictures' else 'cohort'}.csv",
        recipes=lambda wildcards: files.earlier(*DRAWN_BY[wildcards.target]),
    output:
        weights=f"{R}/generate/{{target}}/released/{models.WEIGHTS}",
        recipe=f"{R}/generate/{{target}}/released/{models.RECIPE}",
    log:
        f"{LOGS}/release_generator-{{target}}.log",
    benchmark:
        f"{LOGS}/release_generator-{{target}}.tsv"
    conda:
        TORCH
    resources:
        **NETWORK,
    params:
        settings=lambda wildcards: settings(
            "banks", "image", "study", runs=DRAWN_BY[wildcards.target]
        ),
        code=lambda wildcards: generator_code(
            "generate/release_generator.py", *DRAWN_BY[wildcards.target]
        ),
    message:
        "weights and recipe of the generator of {wildcards.target}, as models/ holds them"
    script:
        f"{SCRIPTS}/generate/release_generator.py"


rule score_generator:
    input:
        generated=f"{R}/generate/{{target}}/generated.npz",
        fit=f"{R}/banks/{{target}}_fit.npz",
        test=f"{R}/banks/{{target}}_test.npz",
        beside=tables(
            f"{R}/generate/{{target}}/generated.npz",
            *(f"{R}/banks/{{target}}_{role}.npz" for role in ("fit", "test")),
        ),
        extractor=lambda wildcards: weights_of(SEEN_BY[wildcards.target]),
    output:
        scores=f"{R}/generate/{{target}}/released/{models.SCORES}",
    log:
        f"{LOGS}/score_generator-{{target}}.log",
    benchmark:
        f"{LOGS}/score_generator-{{target}}.tsv"
    conda:
        TORCH
    resources:
        **NETWORK,
    params:
        settings=settings(
            "device",
            *SCORED_BY_SETTINGS,
        ),
        code=code("generate/score_generator.py", EXTRACTOR, *METRIC_MODULES),
    message:
        "how good the released generator of {wildcards.target} is, and how near to what it learnt from"
    script:
        f"{SCRIPTS}/generate/score_generator.py"
