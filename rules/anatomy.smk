# How chests are made: sizes, densities and places of lesions and lungs, and the measures of anatomy.
ANATOMY = [
    f"{R}/score/{name}.csv"
    for name in ("measures", "distributions", "lungs", "anatomy")
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
