# Does it help: classifiers that learn from real, from generated and from both. Of nodules they are no part of `all`.
EVALUATED = [
    f"{R}/utility/{name}.csv"
    for name in ("classifiers", "classifiers_summary", "confusion", "claims")
]


rule evaluate:
    input:
        files.evaluated(EVALUATED),
        files.scored_pictures(),


rule train_classifier:
    input:
        unpack(files.to_classify),
    output:
        predictions=f"{R}/utility/{{target}}/{{run}}/predictions.csv",
        facts=f"{R}/utility/{{target}}/{{run}}/classifier.json",
        losses=f"{R}/utility/{{target}}/{{run}}/losses.csv",
    log:
        f"{LOGS}/train_classifier-{{target}}-{{run}}.log",
    benchmark:
        f"{LOGS}/train_classifier-{{target}}-{{run}}.tsv"
    wildcard_constraints:
        target="|".join(evaluation.SUBJECTS.values()),
    conda:
        TORCH
    threads: cores("utility")
    resources:
        **NETWORK,
    params:
        settings=run_settings(
            "utility",
            "device",
            "image.window_hu",
            "utility.classify.alter",
            "utility.classify.training",
        ),
        code=lambda wildcards: code(
            "utility/train_classifier.py",
            f"lungsynth.utility.kinds.{files.run('utility', wildcards).kind}.network",
        ),
    message:
        "classifier of {wildcards.target}: {wildcards.run}"
    script:
        f"{SCRIPTS}/utility/train_classifier.py"


rule score_classifiers:
    input:
        predictions=files.of_classifiers("predictions.csv"),
        facts=files.of_classifiers("classifier.json"),
    output:
        classifiers=EVALUATED[0],
        summary=report(
            EVALUATED[1],
            caption="../report/classifiers.rst",
            category="3 Scores",
            labels={"what": "classifiers on real and generated images"},
        ),
        confusion=EVALUATED[2],
        claims=EVALUATED[3],
    log:
        f"{LOGS}/score_classifiers.log",
    benchmark:
        f"{LOGS}/score_classifiers.tsv"
    conda:
        LIBRARY
    resources:
        **LIGHT,
    params:
        settings=settings("score.bootstrap", "score.confidence"),
        code=code("utility/score_classifiers.py"),
    message:
        "what classifiers learn from generated images"
    script:
        f"{SCRIPTS}/utility/score_classifiers.py"
