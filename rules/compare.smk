# Generators beside each other, at the same budget; none of it is part of `all`.
CONTENDERS = {
    target: [*comparison.contenders(study, target), comparison.own(study, target)]
    for target, _ in study.compare
}


def compared(target):
    """Input function: the tables and the page of a comparison."""

    def files_of(wildcards):
        try:
            check_compared(study, target)
        except LungsynthError as error:
            refuse(str(error))
        ends = (".csv", "_scores.csv", "_claims.csv", ".html")
        return [f"{R}/compare/{target}{end}" for end in ends]

    return files_of


def contender_files(end):
    """Input function: a file of every contender for the target that the wildcards name."""
    return lambda wildcards: [
        f"{R}/compare/{wildcards.target}/{run.label}-{run.seed}{end}"
        for run in CONTENDERS[wildcards.target]
    ]


rule compare_nodules:
    input:
        compared("nodules"),


rule choose_rate:
    input:
        states=lambda wildcards: [
            files.last_state(run)
            for run in comparison.tried(
                study, wildcards.target, wildcards.kind
            ).values()
        ],
        tune=f"{R}/banks/{{target}}_tune.npz",
        beside=f"{R}/banks/{{target}}_tune.csv",
        extractor=lambda wildcards: weights_of(SEEN_BY[wildcards.target]),
    output:
        rate=f"{R}/compare/{{target}}/rates/{{kind}}.json",
    log:
        f"{LOGS}/choose_rate-{{target}}-{{kind}}.log",
    benchmark:
        f"{LOGS}/choose_rate-{{target}}-{{kind}}.tsv"
    conda:
        TORCH
    resources:
        **NETWORK,
    params:
        settings=lambda wildcards: settings(
            "banks",
            "device",
            "image",
            f"compare.{wildcards.target}.count",
            f"compare.{wildcards.target}.rates",
            runs=comparison.tried(study, wildcards.target, wildcards.kind).values(),
        ),
        code=lambda wildcards: code(
            "compare/choose_rate.py",
            EXTRACTOR,
            f"lungsynth.generate.kinds.{wildcards.kind}.network",
        ),
    message:
        "the learning rate of {wildcards.kind} for {wildcards.target}, of those tried"
    script:
        f"{SCRIPTS}/compare/choose_rate.py"


rule score_contender:
    input:
        state=lambda wildcards: files.end_of(files.contender(wildcards)),
        verdict=lambda wildcards: files.last_verdict(files.contender(wildcards)),
        rate=lambda wildcards: files.rate_of(files.contender(wildcards)),
        fit=f"{R}/banks/{{target}}_fit.npz",
        test=f"{R}/banks/{{target}}_test.npz",
        beside=tables(*(f"{R}/banks/{{target}}_{role}.npz" for role in ("fit", "test"))),
        extractor=lambda wildcards: weights_of(SEEN_BY[wildcards.target]),
    output:
        images=f"{R}/compare/{{target}}/{{run}}.npz",
        table=f"{R}/compare/{{target}}/{{run}}.csv",
        facts=f"{R}/compare/{{target}}/{{run}}.json",
    log:
        f"{LOGS}/score_contender-{{target}}-{{run}}.log",
    benchmark:
        f"{LOGS}/score_contender-{{target}}-{{run}}.tsv"
    conda:
        TORCH
    resources:
        **NETWORK,
    params:
        settings=lambda wildcards: settings(
            "banks",
            "device",
            "image",
            f"compare.{wildcards.target}.count",
            *(
                f"score.{key}"
                for key in ("metrics", "bootstrap", "floors", "confidence")
            ),
            run=files.contender(wildcards),
        ),
        code=lambda wildcards: code(
            "compare/score_contender.py",
            EXTRACTOR,
            *METRIC_MODULES,
            f"lungsynth.generate.kinds.{files.contender(wildcards).kind}.network",
        ),
    message:
        "what {wildcards.run} draws of {wildcards.target}, and what it scores"
    script:
        f"{SCRIPTS}/compare/score_contender.py"


rule tabulate_contenders:
    input:
        facts=contender_files(".json"),
        images=contender_files(".npz"),
        tables=contender_files(".csv"),
        rates=lambda wildcards: sorted(
            {
                file
                for run in CONTENDERS[wildcards.target]
                for file in files.rate_of(run)
            }
        ),
        test=f"{R}/banks/{{target}}_test.npz",
        beside=f"{R}/banks/{{target}}_test.csv",
    output:
        kinds=report(
            f"{R}/compare/{{target}}.csv",
            caption="../report/compare.rst",
            category="3 Scores",
            labels={"what": "generators of {target}, compared"},
        ),
        scores=f"{R}/compare/{{target}}_scores.csv",
        claims=f"{R}/compare/{{target}}_claims.csv",
        page=f"{R}/compare/{{target}}.html",
    log:
        f"{LOGS}/tabulate_contenders-{{target}}.log",
    benchmark:
        f"{LOGS}/tabulate_contenders-{{target}}.tsv"
    conda:
        LIBRARY
    resources:
        **LIGHT,
    params:
        settings=lambda wildcards: settings(f"compare.{wildcards.target}"),
        code=code("compare/tabulate_contenders.py"),
    message:
        "generators of {wildcards.target} beside each other"
    script:
        f"{SCRIPTS}/compare/tabulate_contenders.py"
