# Real nodules and real slices, cut from the scans once for all that comes.
BANKED = [
    *(f"{R}/{entry.file}" for entry in BANKS),
    *tables(*(f"{R}/{entry.file}" for entry in BANKS)),
    f"{R}/banks/purity.csv",
    f"{R}/banks/unmasked_fit.csv",
]


rule cut_banks:
    input:
        cohort=f"{R}/cohort/cohort.csv",
        folders=SCAN_FOLDERS,
        masks=MASK_FOLDERS if study.banks.cut_from == "segmentation" else [],
    output:
        images=[f"{R}/{entry.file}" for entry in BANKS],
        tables=tables(*(f"{R}/{entry.file}" for entry in BANKS)),
        purity=f"{R}/banks/purity.csv",
        places=f"{R}/banks/unmasked_fit.csv",
    log:
        f"{LOGS}/cut_banks.log",
    benchmark:
        f"{LOGS}/cut_banks.tsv"
    conda:
        LIBRARY
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        settings=settings("banks", "image"),
        code=code("banks/cut_banks.py"),
    message:
        "banks of real nodules, normal slices and slices with a nodule"
    script:
        f"{SCRIPTS}/banks/cut_banks.py"
