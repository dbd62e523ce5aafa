# How large the networks are, those that the study takes as they are too.
NETWORKS = [f"{R}/networks.csv"]
COUNTED = [
    *runs.chosen(study),
    *(runs.extractor(study, name) for name in OWN_EXTRACTORS),
    *(
        run
        for run in files.compared.values()
        if run.stage == "segment" and run.seed == study.seed
    ),
]


rule count_networks:
    input:
        learnt=files.classes_of(COUNTED),
    output:
        table=NETWORKS[0],
    log:
        f"{LOGS}/count_networks.log",
    benchmark:
        f"{LOGS}/count_networks.tsv"
    conda:
        TORCH
    resources:
        **NETWORK,
    params:
        settings=settings("banks", "features", "image", runs=COUNTED),
        code=code(
            "networks/count_networks.py",
            EXTRACTOR,
            *(
                f"lungsynth.{run.stage}.kinds.{run.kind}.network"
                for run in COUNTED
                if run.stage in ("segment", "generate") and run.kind != runs.DETAIL
            ),
        ),
    message:
        "parameters of every network"
    script:
        f"{SCRIPTS}/networks/count_networks.py"
