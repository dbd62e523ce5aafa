# How alike the sets are, how sure that is, and what two real sets would score.

# Sets whose distributions are compared, by the names of lungsynth.score.distributions.
COMPARED = {
    **{
        f"{layer}_{made}": f"{R}/generate/{layer}/{made}.npz"
        for layer in LAYERS
        for made in ("generated", "selected")
    },
    **{
        f"{layer}_{role}": f"{R}/banks/{layer}_{role}.npz"
        for layer in LAYERS
        for role in ("fit", "test")
    },
}


rule score_sets:
    input:
        unpack(scored),
    output:
        scores=f"{R}/score/{{extractor}}.json",
        differences=f"{R}/score/{{extractor}}-differences.csv",
    log:
        f"logs/{study.study}/score_sets-{{extractor}}.log",
    benchmark:
        f"logs/{study.study}/score_sets-{{extractor}}.tsv"
    conda:
        TORCH
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        settings=score_settings,
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
        f"logs/{study.study}/tabulate_scores.log",
    benchmark:
        f"logs/{study.study}/tabulate_scores.tsv"
    conda:
        LIBRARY
    resources:
        mem_mb=2000,
        runtime=30,
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
        distributions=f"{R}/score/distributions.csv",
        lungs=f"{R}/score/lungs.csv",
    log:
        f"logs/{study.study}/compare_distributions.log",
    benchmark:
        f"logs/{study.study}/compare_distributions.tsv"
    conda:
        LIBRARY
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        settings=settings("score", without=("score.metrics",)),
        code=code("score/compare_distributions.py"),
    message:
        "sizes, densities, shapes and places against the test patients'"
    script:
        f"{SCRIPTS}/score/compare_distributions.py"
