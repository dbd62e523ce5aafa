# The network that judges candidates in three dimensions: how it is trained, and released as models/ holds it.
JUDGE_STATE = f"{R}/{files.judge.state(files.judge.last)}"
CUBES = f"{R}/segment/cubes.npz"
# Measured: 10 GB to cut 33,000 cubes of 32 voxels, which are held twice while they are joined; less to learn from them.
CUBES_NETWORK = {**NETWORK, "mem_mb": 12000}
CUBES_TRAINING = {**TRAINING, "mem_mb": 12000}


rule release_candidates_3d:
    input:
        expand(
            f"{R}/segment/cubes/released/{{file}}",
            file=(models.WEIGHTS, models.RECIPE, models.SCORES),
        ),


rule cut_cubes:
    input:
        cohort=f"{R}/cohort/cohort.csv",
        folders=SCAN_FOLDERS,
        detected=files.needing_probability("cut_cubes", DETECTED_FOLDERS),
        state=files.needing_probability("cut_cubes", SEGMENTER_STATE),
    output:
        cubes=CUBES,
        rows=tables(CUBES),
    log:
        f"{LOGS}/cut_cubes.log",
    benchmark:
        f"{LOGS}/cut_cubes.tsv"
    conda:
        TORCH
    resources:
        **CUBES_NETWORK,
    params:
        settings=settings(
            "device",
            "segment.detector",
            "segment.inference",
            "segment.operating_point",
            "segment.volumetric",
        ),
        code=code("segment/cut_cubes.py", DETECTOR),
        data=lambda wildcards: volumes_digest(),
    message:
        "cubes of nodules and of what the detector takes for some, in pairs"
    script:
        f"{SCRIPTS}/segment/cut_cubes.py"


rule train_volumetric:
    input:
        cubes=CUBES,
        beside=tables(CUBES),
        before=files.before("segment"),
    output:
        state=f"{R}/segment/{{target}}/{{run}}/state-{{checkpoint}}.pt",
        verdict=f"{R}/segment/{{target}}/{{run}}/state-{{checkpoint}}.json",
        losses=f"{R}/segment/{{target}}/{{run}}/losses-{{checkpoint}}.csv",
        slopes=f"{R}/segment/{{target}}/{{run}}/slopes-{{checkpoint}}.csv",
    log:
        f"{LOGS}/train_volumetric-{{target}}-{{run}}-{{checkpoint}}.log",
    benchmark:
        f"{LOGS}/train_volumetric-{{target}}-{{run}}-{{checkpoint}}.tsv"
    wildcard_constraints:
        target=runs.CUBES,
    conda:
        TORCH
    threads: cores("segment")
    resources:
        **CUBES_TRAINING,
    params:
        settings=run_settings("segment", "device", "monitor"),
        code=code("segment/train_volumetric.py"),
    message:
        "candidates in three dimensions: {wildcards.run}, checkpoint {wildcards.checkpoint}"
    script:
        f"{SCRIPTS}/segment/train_volumetric.py"


rule release_volumetric:
    input:
        cohort=f"{R}/cohort/cohort.csv",
        cubes=CUBES,
        beside=tables(CUBES),
        state=JUDGE_STATE,
        recipe=released(models.recipe_path),
    output:
        weights=f"{R}/segment/cubes/released/{models.WEIGHTS}",
        recipe=f"{R}/segment/cubes/released/{models.RECIPE}",
        scores=f"{R}/segment/cubes/released/{models.SCORES}",
    log:
        f"{LOGS}/release_volumetric.log",
    benchmark:
        f"{LOGS}/release_volumetric.tsv"
    conda:
        TORCH
    resources:
        **CUBES_NETWORK,
    params:
        settings=settings("device", "segment.volumetric", "study", run=files.judge),
        code=code("segment/release_volumetric.py"),
    message:
        "weights, recipe and scores of the candidate network, as models/ holds them"
    script:
        f"{SCRIPTS}/segment/release_volumetric.py"
