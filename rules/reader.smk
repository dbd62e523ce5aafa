# The blind test: a page that asks real or generated, its sealed key, and what readers saw; none of it is part of `all`.
# What of the settings makes the page; who is positive counts for the score alone.
ASKED_BY = [
    f"utility.reader.{key}"
    for key in ("orientation", "real", "generated", "window_hu", "confidence")
]


rule reader:
    input:
        **files.blind_sides(),
    output:
        page=f"{R}/reader/test.html",
        key=f"{R}/reader/key.csv",
    log:
        f"{LOGS}/reader.log",
    benchmark:
        f"{LOGS}/reader.tsv"
    conda:
        LIBRARY
    resources:
        **LIGHT,
    params:
        settings=settings(
            "chain",
            "image.window_hu" if study.chain == "composites" else "pictures.bits",
            *ASKED_BY,
        ),
        code=code("utility/reader.py"),
    message:
        "a blind test on one page, and its key"
    script:
        f"{SCRIPTS}/utility/reader.py"


rule score_reader:
    input:
        page=f"{R}/reader/test.html",
        key=f"{R}/reader/key.csv",
        answers=files.reader_answers,
    output:
        table=report(
            f"{R}/reader/readers.csv",
            caption="../report/readers.rst",
            category="3 Scores",
            labels={"what": "the blind test"},
        ),
        agreement=f"{R}/reader/agreement.csv",
        page=f"{R}/reader/readers.html",
    log:
        f"{LOGS}/score_reader.log",
    benchmark:
        f"{LOGS}/score_reader.tsv"
    conda:
        LIBRARY
    resources:
        **LIGHT,
    params:
        settings=settings("score.confidence", "study", "utility.reader.positive"),
        code=code("utility/score_reader.py"),
    message:
        "what readers took for real and for generated"
    script:
        f"{SCRIPTS}/utility/score_reader.py"
