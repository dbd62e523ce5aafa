# How alike the sets are, how sure that is, and what two real sets would score.
METRIC_MODULES = [f"lungsynth.score.metrics.{name}" for name in study.score.metrics]
SCORES = [
    *expand(
        f"{R}/score/{{extractor}}{{end}}",
        extractor=SCORED_BY,
        end=(".json", "-differences.csv"),
    ),
    *(
        f"{R}/score/{name}.csv"
        for name in (
            *("scores", "differences", "measures", "distributions", "lungs"),
            "anatomy",
        )
    ),
]

# Sets whose distributions are compared.
COMPARED = files.image_sets(
    *(f"{target}_{role}" for target in TARGETS for role in COMPARED_ROLES)
)

# Sets of whole slices, whose anatomy is measured; real ones are the floor.
MEASURED = files.image_sets(
    *("normals_fit", "normals_test", "lesions_test"),
    *("normals_generated", "normals_selected"),
    *("lesions_composite", "lesions_refined"),
)


rule score_sets:
    input:
        unpack(scored),
    output:
        scores=f"{R}/score/{{extractor}}.json",
        differences=f"{R}/score/{{extractor}}-differences.csv",
    log:
        f"{LOGS}/score_sets-{{extractor}}.log",
    benchmark:
        f"{LOGS}/score_sets-{{extractor}}.tsv"
    conda:
        TORCH
    resources:
        **NETWORK,
    params:
        settings=lambda wildcards: settings(
            "device",
            "score.images",
            *SCORED_BY_SETTINGS,
            *(["score.inception"] if wildcards.extractor == INCEPTION else []),
        ),
        code=code("score/score_sets.py", EXTRACTOR, *METRIC_MODULES),
    message:
        "scores by the extractor of {wildcards.extractor}"
    script:
        f"{SCRIPTS}/score/score_sets.py"


rule tabulate_scores:
    input:
        scores=expand(f"{R}/score/{{extractor}}.json", extractor=SCORED_BY),
        differences=expand(
            f"{R}/score/{{extractor}}-differences.csv", extractor=SCORED_BY
        ),
    output:
        scores=report(
            f"{R}/score/scores.csv",
            caption="../report/scores.rst",
            category="3 Scores",
            labels={"what": "all scores"},
        ),
        differences=f"{R}/score/differences.csv",
    log:
        f"{LOGS}/tabulate_scores.log",
    benchmark:
        f"{LOGS}/tabulate_scores.tsv"
    conda:
        LIBRARY
    resources:
        **LIGHT,
    params:
        settings=settings(),
        code=code("score/tabulate_scores.py"),
    message:
        "one table of all scores"
    script:
        f"{SCRIPTS}/score/tabulate_scores.py"


rule compare_distributions:
    input:
        **COMPARED,
        beside=tables(*COMPARED.values()),
        plan=f"{R}/compose/plan.parquet",
        groups=f"{R}/compose/groups.parquet",
    output:
        measures=f"{R}/score/measures.csv",
        distributions=f"{R}/score/distributions.csv",
        lungs=f"{R}/score/lungs.csv",
    log:
        f"{LOGS}/compare_distributions.log",
    benchmark:
        f"{LOGS}/compare_distributions.tsv"
    conda:
        LIBRARY
    resources:
        **LIGHT,
    params:
        settings=settings("score.bootstrap", "score.confidence"),
        code=code("score/compare_distributions.py"),
    message:
        "sizes, densities, shapes and places against the test patients'"
    script:
        f"{SCRIPTS}/score/compare_distributions.py"


rule measure_anatomy:
    input:
        **MEASURED,
        beside=files.tables_of(*MEASURED),
        gate=expand(f"{R}/refine/gate/{{shard}}-images.csv", shard=SHARDS),
    output:
        anatomy=report(
            f"{R}/score/anatomy.csv",
            caption="../report/anatomy.rst",
            category="3 Scores",
            labels={"what": "anatomy beside real CT"},
        ),
    log:
        f"{LOGS}/measure_anatomy.log",
    benchmark:
        f"{LOGS}/measure_anatomy.tsv"
    conda:
        LIBRARY
    resources:
        **LIGHT,
    params:
        settings=settings(
            "image", "score.anatomy", "score.bootstrap", "score.confidence"
        ),
        code=code("score/measure_anatomy.py"),
    message:
        "how many slices of every set have the measures of real CT"
    script:
        f"{SCRIPTS}/score/measure_anatomy.py"
