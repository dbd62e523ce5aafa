# How alike the sets are, how sure that is, and what two real sets would score.
METRIC_MODULES = [f"lungsynth.score.metrics.{name}" for name in study.score.metrics]
SCORES = [
    *expand(
        f"{R}/score/{{extractor}}{{end}}",
        extractor=SCORED_BY,
        end=(".json", "-differences.csv"),
    ),
    *(f"{R}/score/{name}.csv" for name in ("scores", "differences")),
]


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
            "chain",
            "device",
            "score.images",
            *SCORED_BY_SETTINGS,
            *(
                ["image", "score.inception"]
                if wildcards.extractor == INCEPTION
                else []
            ),
            **PARTS_LEARNT,
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
