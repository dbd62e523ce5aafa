# The extractors that scores and selection stand on, trained on the fit patients' banks.
FEATURES = expand(
    [
        f"{R}/features/{{extractor}}{end}"
        for end in (".safetensors", ".json", "-losses.csv")
    ],
    extractor=OWN_EXTRACTORS,
)


rule train_extractor:
    input:
        banks=lambda wildcards: files.seen_by(wildcards.extractor),
        beside=lambda wildcards: tables(*files.seen_by(wildcards.extractor)),
    output:
        weights=f"{R}/features/{{extractor}}.safetensors",
        recipe=f"{R}/features/{{extractor}}.json",
        losses=f"{R}/features/{{extractor}}-losses.csv",
    log:
        f"{LOGS}/train_extractor-{{extractor}}.log",
    benchmark:
        f"{LOGS}/train_extractor-{{extractor}}.tsv"
    conda:
        TORCH
    threads: study.features.training.threads
    resources:
        **NETWORK,
    params:
        settings=settings("device", "features", "features.training", "image.window_hu"),
        code=code("features/train_extractor.py", EXTRACTOR),
    message:
        "extractor of {wildcards.extractor}"
    script:
        f"{SCRIPTS}/features/train_extractor.py"
