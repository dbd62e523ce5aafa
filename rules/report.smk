# The report: the story in one picture, and everything on one page.

# Names are those that lungsynth.report.assemble knows.
STORY = dict(
    lesions_test=files.image_set("lesions_test"),
    pool_normals=f"{R}/compose/normals.npz",
    composites=files.image_set("lesions_composite"),
    masks=expand(f"{R}/compose/shards/{{shard}}_masks.npy", shard=SHARDS),
    rows=expand(f"{R}/compose/shards/{{shard}}.parquet", shard=SHARDS),
    refined=files.image_set("lesions_refined"),
    gate_images=expand(f"{R}/refine/gate/{{shard}}-images.csv", shard=SHARDS),
)
SHOWN = files.image_sets(
    *(
        entry.name
        for entry in catalogue.of(study.chain)
        if entry.name not in (*STORY, "lesions_fit")
        and not entry.sharded
        and entry.role != "tune"
    )
)
REPORT = [f"{R}/report/story.png", f"{R}/report/report.html"]
# What nothing else stands on.
LAST = [*REPORT, f"{R}/release/DATASHEET.md", f"{R}/compose/render.json"]


rule draw_story:
    input:
        **STORY,
        beside=tables(STORY["lesions_test"], STORY["pool_normals"]),
    output:
        story=report(
            f"{R}/report/story.png",
            caption="../report/refined.rst",
            category="4 Refinement",
            labels={"what": "real, generated, composite, refined"},
        ),
    log:
        f"{LOGS}/draw_story.log",
    benchmark:
        f"{LOGS}/draw_story.tsv"
    conda:
        LIBRARY
    resources:
        **LIGHT,
    params:
        settings=settings(),
        code=code("report/draw_story.py"),
    message:
        "the story in one picture"
    script:
        f"{SCRIPTS}/report/draw_story.py"


rule make_report:
    input:
        **STORY,
        **SHOWN,
        **{
            f"selection_{target}": f"{R}/generate/{target}/selection.json"
            for target in TARGETS
        },
        **files.of_runs("losses", "losses-{}.csv"),
        **files.of_runs("slopes", "slopes-{}.csv"),
        **files.of_runs("verdict", "state-{}.json"),
        **{
            name.format(eye): f"{R}/refine/{name.format(eye)}.{end}"
            for eye in EYES
            for name, end in (("{}", "csv"), ("{}_threshold", "json"))
        },
        recipes=files.recipes(),
        shipped_scores=files.shipped_scores(),
        cohort=f"{R}/cohort/cohort.csv",
        marks=f"{R}/cohort/marks.csv",
        quarantine=f"{R}/cohort/quarantine.csv",
        detection=f"{R}/segment/detection.csv",
        froc=f"{R}/segment/froc.csv",
        plan_summary=f"{R}/compose/plan.json",
        gate_facts=f"{R}/refine/gate.json",
        gate_lesions=expand(f"{R}/refine/gate/{{shard}}-lesions.csv", shard=SHARDS),
        scores=f"{R}/score/scores.csv",
        score_facts=expand(f"{R}/score/{{extractor}}.json", extractor=SCORED_BY),
        differences=f"{R}/score/differences.csv",
        measures=f"{R}/score/measures.csv",
        distributions=f"{R}/score/distributions.csv",
        lungs=f"{R}/score/lungs.csv",
        anatomy=f"{R}/score/anatomy.csv",
        manifest=f"{R}/release/manifest.csv",
        networks=NETWORKS[0],
        beside=tables(STORY["lesions_test"], STORY["pool_normals"], *SHOWN.values()),
    output:
        page=report(
            f"{R}/report/report.html",
            caption="../report/report.rst",
            category="6 Report",
            labels={"what": "the whole study on one page"},
        ),
    log:
        f"{LOGS}/make_report.log",
    benchmark:
        f"{LOGS}/make_report.tsv"
    conda:
        LIBRARY
    resources:
        **LIGHT,
    params:
        # Comparisons, classifiers and the blind test have pages and tables of their own.
        settings=settings(*(set(type(study).model_fields) - {"compare", "utility"})),
        code=code("report/make_report.py"),
    message:
        "report.html: the study on one page"
    script:
        f"{SCRIPTS}/report/make_report.py"
