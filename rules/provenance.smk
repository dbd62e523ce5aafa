# The ledger of the study, after everything else.
LEDGER = [f"{R}/provenance.json"]


rule record_provenance:
    input:
        LAST,
    output:
        ledger=f"{R}/provenance.json",
    log:
        f"{LOGS}/record_provenance.log",
    benchmark:
        f"{LOGS}/record_provenance.tsv"
    conda:
        LIBRARY
    resources:
        mem_mb=1000,
        runtime=30,
    params:
        settings=settings("study"),
        code=code("provenance/record_provenance.py"),
    message:
        "what made every file"
    script:
        f"{SCRIPTS}/provenance/record_provenance.py"
