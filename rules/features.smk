# The extractors that scores and selection stand on, trained on the fit patients' banks.


rule train_extractor:
    input:
        banks=extractor_banks,
        beside=lambda wildcards: tables(*extractor_banks(wildcards)),
    output:
        weights=f"{R}/features/{{extractor}}.safetensors",
        recipe=f"{R}/features/{{extractor}}.json",
        losses=f"{R}/features/{{extractor}}-losses.csv",
    log:
        f"logs/{study.study}/train_extractor-{{extractor}}.log",
    benchmark:
        f"logs/{study.study}/train_extractor-{{extractor}}.tsv"
    conda:
        TORCH
    resources:
        mem_mb=3000,
        runtime=120,
        gpu=GPU,
    params:
        settings=settings(
            "device",
            "features",
            "image.window_hu",
            "threads",
            without=("features.inception",),
        ),
        code=code("features/train_extractor.py", EXTRACTOR),
    message:
        "extractor of {wildcards.extractor}"
    script:
        f"{SCRIPTS}/features/train_extractor.py"
