# Comparisons of the chain of composites: nodules, and whole slices beside the chain's own.
wildcard_constraints:
    lot="|".join(LOTS),


rule compare_nodules:
    input:
        files.comparison("nodules"),


rule compare_lungs:
    input:
        files.comparison("lungs"),


rule score_composites:
    input:
        **files.image_sets("lesions_fit", "lesions_test"),
        composite=files.image_set("lesions_composite"),
        refined=files.image_set("lesions_refined"),
        rows=expand(f"{R}/compose/shards/{{shard}}.parquet", shard=SHARDS),
        normals=f"{R}/compose/normals.csv",
        nodules=f"{R}/compose/nodules.csv",
        beside=files.tables_of("lesions_fit", "lesions_test"),
        extractor=weights_of(SEEN_BY["lesions"]),
    output:
        images=f"{R}/compare/lungs/{{lot}}.npz",
        table=f"{R}/compare/lungs/{{lot}}.csv",
        facts=f"{R}/compare/lungs/{{lot}}.json",
    log:
        f"{LOGS}/score_composites-{{lot}}.log",
    benchmark:
        f"{LOGS}/score_composites-{{lot}}.tsv"
    conda:
        TORCH
    resources:
        **NETWORK,
    params:
        settings=settings(
            "compare.lungs.count",
            "device",
            "score.anatomy",
            *SCORED_BY_SETTINGS,
        ),
        code=code("compare/score_composites.py", EXTRACTOR, *METRIC_MODULES),
    message:
        "what the chain's composites score: {wildcards.lot}"
    script:
        f"{SCRIPTS}/compare/score_composites.py"


rule subtract_composites:
    input:
        facts=files.shown("lungs", ".json"),
        images=files.shown("lungs", ".npz"),
        tables=files.shown("lungs", ".csv"),
        test=files.image_set("lesions_test"),
        beside=files.tables_of("lesions_test"),
        extractor=weights_of(SEEN_BY["lesions"]),
    output:
        table=f"{R}/compare/lungs/differences.csv",
    log:
        f"{LOGS}/subtract_composites.log",
    benchmark:
        f"{LOGS}/subtract_composites.tsv"
    conda:
        TORCH
    resources:
        **NETWORK,
    params:
        settings=settings("device", "score.bootstrap", "score.confidence"),
        code=code("compare/subtract_composites.py", EXTRACTOR),
    message:
        "which rows of whole slices are nearer to real ones than the chain's, and how sure that is"
    script:
        f"{SCRIPTS}/compare/subtract_composites.py"
