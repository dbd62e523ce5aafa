# Generators beside each other, at the same budget; none of it is part of `all`.
wildcard_constraints:
    compared="|".join(comparison.CHAINS[study.chain]),


rule choose_rate:
    input:
        states=lambda wildcards: [
            files.last_state(run)
            for run in comparison.tried(
                study, wildcards.compared, wildcards.kind
            ).values()
        ],
        tune=files.compared_bank("tune"),
        beside=lambda wildcards: tables(files.compared_bank("tune")(wildcards)),
        extractor=lambda wildcards: weights_of(
            SEEN_BY[comparison.SUBJECTS[wildcards.compared]]
        ),
    output:
        rate=f"{R}/compare/{{compared}}/rates/{{kind}}.json",
    log:
        f"{LOGS}/choose_rate-{{compared}}-{{kind}}.log",
    benchmark:
        f"{LOGS}/choose_rate-{{compared}}-{{kind}}.tsv"
    conda:
        TORCH
    resources:
        **NETWORK,
    params:
        settings=lambda wildcards: settings(
            "banks",
            "device",
            "image",
            f"compare.{wildcards.compared}.count",
            f"compare.{wildcards.compared}.rates",
            runs=comparison.tried(study, wildcards.compared, wildcards.kind).values(),
        ),
        code=lambda wildcards: code(
            "compare/choose_rate.py",
            EXTRACTOR,
            f"lungsynth.generate.kinds.{wildcards.kind}.network",
        ),
    message:
        "the learning rate of {wildcards.kind} for {wildcards.compared}, of those tried"
    script:
        f"{SCRIPTS}/compare/choose_rate.py"


rule score_contender:
    input:
        state=files.contender_state,
        verdict=lambda wildcards: files.last_verdict(files.contender(wildcards)),
        rate=lambda wildcards: files.rate_of(files.contender(wildcards)),
        fit=files.compared_bank("fit"),
        test=files.compared_bank("test"),
        beside=lambda wildcards: tables(
            files.compared_bank("fit")(wildcards),
            files.compared_bank("test")(wildcards),
        ),
        extractor=lambda wildcards: weights_of(
            SEEN_BY[comparison.SUBJECTS[wildcards.compared]]
        ),
    output:
        images=f"{R}/compare/{{compared}}/{{run}}.npz",
        table=f"{R}/compare/{{compared}}/{{run}}.csv",
        facts=f"{R}/compare/{{compared}}/{{run}}.json",
    log:
        f"{LOGS}/score_contender-{{compared}}-{{run}}.log",
    benchmark:
        f"{LOGS}/score_contender-{{compared}}-{{run}}.tsv"
    conda:
        TORCH
    resources:
        **NETWORK,
    params:
        settings=lambda wildcards: settings(
            "banks",
            "device",
            "image",
            f"compare.{wildcards.compared}.count",
            "score.anatomy",
            *comparison.rates_of(study, wildcards.compared),
            *SCORED_BY_SETTINGS,
            run=files.contender(wildcards),
        ),
        code=lambda wildcards: code(
            "compare/score_contender.py",
            EXTRACTOR,
            *METRIC_MODULES,
            f"lungsynth.generate.kinds.{files.contender(wildcards).kind}.network",
        ),
    message:
        "what {wildcards.run} draws of {wildcards.compared}, and what it scores"
    script:
        f"{SCRIPTS}/compare/score_contender.py"


rule tabulate_contenders:
    input:
        facts=files.contenders(".json"),
        images=files.contenders(".npz"),
        tables=files.contenders(".csv"),
        rates=files.rates,
        differences=lots.differences(files),
        test=files.compared_bank("test"),
        beside=lambda wildcards: tables(files.compared_bank("test")(wildcards)),
    output:
        kinds=report(
            f"{R}/compare/{{compared}}.csv",
            caption="../report/compare.rst",
            category="3 Scores",
            labels={"what": "generators of {compared}, compared"},
        ),
        scores=f"{R}/compare/{{compared}}_scores.csv",
        claims=f"{R}/compare/{{compared}}_claims.csv",
        page=f"{R}/compare/{{compared}}.html",
    log:
        f"{LOGS}/tabulate_contenders-{{compared}}.log",
    benchmark:
        f"{LOGS}/tabulate_contenders-{{compared}}.tsv"
    conda:
        LIBRARY
    resources:
        **LIGHT,
    params:
        settings=lambda wildcards: settings(f"compare.{wildcards.compared}"),
        code=code("compare/tabulate_contenders.py"),
    message:
        "generators of {wildcards.compared} beside each other"
    script:
        f"{SCRIPTS}/compare/tabulate_contenders.py"
