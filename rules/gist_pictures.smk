# The stages of the chain of pictures as targets that run alone, and the zip that StyleGAN's tools read.
rule preprocess:
    input:
        PICTURED,
        f"{R}/banks/pictures_fit.zip",


rule train:
    input:
        files.every_state("pictures"),


rule generate:
    input:
        GENERATED,


rule zip_bank:
    input:
        bank=f"{R}/banks/pictures_{{role}}.npz",
        beside=f"{R}/banks/pictures_{{role}}.csv",
    output:
        zip=f"{R}/banks/pictures_{{role}}.zip",
    log:
        f"{LOGS}/zip_bank-{{role}}.log",
    benchmark:
        f"{LOGS}/zip_bank-{{role}}.tsv"
    conda:
        LIBRARY
    resources:
        **LIGHT,
    params:
        settings=settings(),
        code=code("pictures/zip_bank.py"),
    message:
        "real pictures as a zip of equal squares with dataset.json: {wildcards.role}"
    script:
        f"{SCRIPTS}/pictures/zip_bank.py"
