# The report: the story in one picture, and everything on one page.

# Names are those that lungsynth.report.assemble knows.
STORY = dict(
    lesions_test=f"{R}/banks/lesions_test.npz",
    pool_normals=f"{R}/compose/normals.npz",
    composites=stems("compose/shards"),
    masks=expand(f"{R}/compose/shards/{{shard}}_masks.npy", shard=SHARDS),
    rows=expand(f"{R}/compose/shards/{{shard}}.parquet", shard=SHARDS),
    refined=stems("refine/shards"),
    gate_images=expand(f"{R}/refine/gate/{{shard}}-images.csv", shard=SHARDS),
)
SHOWN_BANKS = [
    name for name in BANKS if name not in STORY and not name.endswith("_tune")
]
IMAGE_SETS = {
    **{name: f"{R}/banks/{name}.npz" for name in SHOWN_BANKS},
    **{
        f"{layer}_{made}": f"{R}/generate/{layer}/{made}.npz"
        for layer in LAYERS
        for made in ("generated", "selected")
    },
}
TRAININGS = dict(
    **({"segmenter": "segment"} if study.segment.steps else {}),
    nodules="generate/nodules",
    normals="generate/normals",
    refiner="refine",
)
LAST_SEGMENT = dict(
    segmenter=study.segment.segments - 1,
    nodules=study.generate.nodules.segments - 1,
    normals=study.generate.normals.segments - 1,
    refiner=study.refine.segments - 1,
)


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
        f"logs/{study.study}/draw_story.log",
    benchmark:
        f"logs/{study.study}/draw_story.tsv"
    conda:
        LIBRARY
    resources:
        mem_mb=2000,
        runtime=10,
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
        **IMAGE_SETS,
        **{
            f"selection_{layer}": f"{R}/generate/{layer}/selection.json"
            for layer in LAYERS
        },
        **{
            f"losses_{name}": f"{R}/{place}/losses-{LAST_SEGMENT[name]}.csv"
            for name, place in TRAININGS.items()
        },
        **{
            f"verdict_{name}": f"{R}/{place}/state-{LAST_SEGMENT[name]}.json"
            for name, place in TRAININGS.items()
        },
        cohort=f"{R}/cohort/cohort.csv",
        marks=f"{R}/cohort/marks.csv",
        quarantine=f"{R}/cohort/quarantine.csv",
        detection=f"{R}/segment/detection.csv",
        froc=f"{R}/segment/froc.csv",
        groups=f"{R}/compose/groups.parquet",
        plan_summary=f"{R}/compose/plan.json",
        gate=f"{R}/refine/gate.csv",
        gate_facts=f"{R}/refine/gate.json",
        gate_lesions=expand(f"{R}/refine/gate/{{shard}}-lesions.csv", shard=SHARDS),
        scores=f"{R}/score/scores.csv",
        score_facts=expand(f"{R}/score/{{extractor}}.json", extractor=SCORED_BY),
        differences=f"{R}/score/differences.csv",
        distributions=f"{R}/score/distributions.csv",
        lungs=f"{R}/score/lungs.csv",
        manifest=f"{R}/release/manifest.csv",
        beside=tables(
            STORY["lesions_test"], STORY["pool_normals"], *IMAGE_SETS.values()
        ),
    output:
        page=report(
            f"{R}/report/report.html",
            caption="../report/report.rst",
            category="6 Report",
            labels={"what": "the whole study on one page"},
        ),
    log:
        f"logs/{study.study}/make_report.log",
    benchmark:
        f"logs/{study.study}/make_report.tsv"
    conda:
        LIBRARY
    resources:
        mem_mb=3000,
        runtime=20,
    params:
        settings=settings(*type(study).model_fields),
        code=code("report/make_report.py"),
    message:
        "report.html: the study on one page"
    script:
        f"{SCRIPTS}/report/make_report.py"
