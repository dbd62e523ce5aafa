# How near every state of a generator of pictures comes to real ones, and what it draws.
CHECKPOINTS = [
    f"{R}/score/checkpoints.csv",
    f"{R}/score/along_training.npz",
    f"{R}/score/along_training.csv",
]


rule score_checkpoints:
    input:
        states=files.every_state("pictures"),
        verdicts=files.every_state("pictures", ".json"),
        fit=files.image_set("pictures_fit"),
        tune=files.image_set("pictures_tune"),
        beside=files.tables_of("pictures_fit", "pictures_tune"),
        extractor=weights_of("pictures"),
    output:
        table=report(
            CHECKPOINTS[0],
            caption="../report/checkpoints.rst",
            category="3 Scores",
            labels={"what": "FID and KID along the training"},
        ),
        pictures=CHECKPOINTS[1],
        rows=CHECKPOINTS[2],
    log:
        f"{LOGS}/score_checkpoints.log",
    benchmark:
        f"{LOGS}/score_checkpoints.tsv"
    conda:
        TORCH
    resources:
        **NETWORK,
    params:
        settings=settings(
            "banks", "device", "image", "score.checkpoints", runs=DRAWN_BY["pictures"]
        ),
        code=generator_code("score/score_checkpoints.py", *DRAWN_BY["pictures"]),
    message:
        "FID and KID of every state of the generator of pictures"
    script:
        f"{SCRIPTS}/score/score_checkpoints.py"
