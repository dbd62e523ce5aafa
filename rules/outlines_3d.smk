# The network that outlines candidates in space: how it is trained, and released as models/ holds it.
OUTLINES_STATE = f"{R}/{files.outlines.state(files.outlines.last)}"
BODIES = f"{R}/segment/bodies.npz"


rule release_outlines_3d:
    input:
        expand(
            f"{R}/segment/bodies/released/{{file}}",
            file=(models.WEIGHTS, models.RECIPE, models.SCORES),
        ),


rule gather_bodies:
    input:
        cohort=f"{R}/cohort/cohort.csv",
        folders=SCAN_FOLDERS,
        detected=files.needing_probability("gather_bodies", DETECTED_FOLDERS),
        state=files.needing_probability("gather_bodies", SEGMENTER_STATE),
        recipe=released(models.recipe_path),
    output:
        bodies=BODIES,
        rows=tables(BODIES),
    log:
        f"{LOGS}/gather_bodies.log",
    benchmark:
        f"{LOGS}/gather_bodies.tsv"
    conda:
        TORCH
    resources:
        **NETWORK,
    params:
        settings=settings(
            "device",
            "segment.detector",
            "segment.inference",
            "segment.operating_point",
            "segment.outlines.network",
            "segment.volumetric.nodules",
        ),
        code=code("segment/gather_bodies.py", DETECTOR),
        data=lambda wildcards: volumes_digest(),
    message:
        "nodules in three dimensions, with what the detector makes of them"
    script:
        f"{SCRIPTS}/segment/gather_bodies.py"


rule train_outlines:
    input:
        bodies=BODIES,
        beside=tables(BODIES),
        before=files.before("segment"),
    output:
        state=f"{R}/segment/{{target}}/{{run}}/state-{{checkpoint}}.pt",
        verdict=f"{R}/segment/{{target}}/{{run}}/state-{{checkpoint}}.json",
        losses=f"{R}/segment/{{target}}/{{run}}/losses-{{checkpoint}}.csv",
        slopes=f"{R}/segment/{{target}}/{{run}}/slopes-{{checkpoint}}.csv",
    log:
        f"{LOGS}/train_outlines-{{target}}-{{run}}-{{checkpoint}}.log",
    benchmark:
        f"{LOGS}/train_outlines-{{target}}-{{run}}-{{checkpoint}}.tsv"
    wildcard_constraints:
        target=runs.BODIES,
    conda:
        TORCH
    threads: cores("segment")
    resources:
        **TRAINING,
    params:
        settings=run_settings("segment", "device", "monitor"),
        code=code("segment/train_outlines.py"),
    message:
        "outlines in three dimensions: {wildcards.run}, checkpoint {wildcards.checkpoint}"
    script:
        f"{SCRIPTS}/segment/train_outlines.py"


rule release_outlines:
    input:
        cohort=f"{R}/cohort/cohort.csv",
        bodies=BODIES,
        rows=tables(BODIES),
        state=OUTLINES_STATE,
    output:
        weights=f"{R}/segment/bodies/released/{models.WEIGHTS}",
        recipe=f"{R}/segment/bodies/released/{models.RECIPE}",
        scores=f"{R}/segment/bodies/released/{models.SCORES}",
    log:
        f"{LOGS}/release_outlines.log",
    benchmark:
        f"{LOGS}/release_outlines.tsv"
    conda:
        TORCH
    resources:
        **NETWORK,
    params:
        settings=settings(
            "device",
            "segment.outlines",
            "segment.volumetric.nodules",
            "study",
            run=files.outlines,
        ),
        code=code("segment/release_outlines.py"),
    message:
        "weights, recipe and scores of the network of outlines, as models/ holds them"
    script:
        f"{SCRIPTS}/segment/release_outlines.py"
