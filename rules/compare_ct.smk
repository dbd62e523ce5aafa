# Comparisons of the chain of composites: nodules, and whole slices beside the chain's own, and beside two stages all of
# whose networks are trained for the comparison.
FROM_NOTHING = comparison.from_nothing(study)


wildcard_constraints:
    lot="|".join(LOTS),


rule compare_nodules:
    input:
        files.comparison("nodules"),


rule compare_lungs:
    input:
        files.comparison("lungs"),


rule compose_from_nothing:
    input:
        **lots.networks(files),
        **files.image_sets(
            *(f"{target}_{role}" for target in TARGETS for role in ("fit", "tune"))
        ),
        unmasked=f"{R}/banks/unmasked_fit.csv",
        beside=files.tables_of(
            *(f"{target}_{role}" for target in TARGETS for role in ("fit", "tune"))
        ),
        nodules_seen_by=weights_of(SEEN_BY["nodules"]),
        normals_seen_by=weights_of(SEEN_BY["normals"]),
    output:
        images=f"{R}/compare/lungs/from_nothing/composite.npy",
        masks=f"{R}/compare/lungs/from_nothing/composite_masks.npy",
        facts=f"{R}/compare/lungs/from_nothing/about.json",
    log:
        f"{LOGS}/compose_from_nothing.log",
    benchmark:
        f"{LOGS}/compose_from_nothing.tsv"
    conda:
        TORCH
    resources:
        **NETWORK,
    params:
        settings=settings(
            "banks",
            "compare.lungs.count",
            "compose",
            "device",
            "image",
            *(
                f"generate.{target}.{block}"
                for target in TARGETS
                for block in ("sampling", "selection")
            ),
            runs=FROM_NOTHING,
        ),
        code=code(
            "compare/compose_from_nothing.py",
            EXTRACTOR,
            *generator_modules(*FROM_NOTHING[:-1]),
        ),
    message:
        "composites of which nothing is real, by networks from nothing"
    script:
        f"{SCRIPTS}/compare/compose_from_nothing.py"


use rule refine_shard as refine_from_nothing with:
    input:
        composites=f"{R}/compare/lungs/from_nothing/composite.npy",
        state=files.last_state(FROM_NOTHING[-1]),
    output:
        images=f"{R}/compare/lungs/from_nothing/refined.npy",
    log:
        f"{LOGS}/refine_from_nothing.log",
    benchmark:
        f"{LOGS}/refine_from_nothing.tsv"
    params:
        settings=settings("device", "image.window_hu", run=FROM_NOTHING[-1]),
        code=code("refine/refine_shard.py"),
    message:
        "the same, refined"


rule score_composites:
    input:
        unpack(lots.composites(files)),
        **files.image_sets("lesions_fit", "lesions_test"),
        beside=files.tables_of("lesions_fit", "lesions_test"),
        extractor=weights_of(SEEN_BY["lesions"]),
    output:
        images=f"{R}/compare/lungs/{{lot}}.npz",
        table=f"{R}/compare/lungs/{{lot}}.csv",
        facts=f"{R}/compare/lungs/{{lot}}.json",
    log:
        f"{LOGS}/score_composites-{{lot}}.log",
    benchmark:
        f"{LOGS}/score_composites-{{lot}}.tsv"
    conda:
        TORCH
    resources:
        **NETWORK,
    params:
        settings=settings(
            "compare.lungs.count",
            "device",
            "score.anatomy",
            *SCORED_BY_SETTINGS,
        ),
        code=code("compare/score_composites.py", EXTRACTOR, *METRIC_MODULES),
    message:
        "what the chain's composites score: {wildcards.lot}"
    script:
        f"{SCRIPTS}/compare/score_composites.py"


rule subtract_composites:
    input:
        facts=files.shown("lungs", ".json"),
        images=files.shown("lungs", ".npz"),
        tables=files.shown("lungs", ".csv"),
        test=files.image_set("lesions_test"),
        beside=files.tables_of("lesions_test"),
        extractor=weights_of(SEEN_BY["lesions"]),
    output:
        table=f"{R}/compare/lungs/differences.csv",
    log:
        f"{LOGS}/subtract_composites.log",
    benchmark:
        f"{LOGS}/subtract_composites.tsv"
    conda:
        TORCH
    resources:
        **NETWORK,
    params:
        settings=settings("device", "score.bootstrap", "score.confidence"),
        code=code("compare/subtract_composites.py", EXTRACTOR),
    message:
        "which rows of whole slices are nearer to real ones than the chain's, and how sure that is"
    script:
        f"{SCRIPTS}/compare/subtract_composites.py"
