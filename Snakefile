# lungsynth: chest CT -> a labelled, refined, scored synthetic data set. The chain, stage by stage, in the order of the data.
from snakemake.utils import min_version

min_version("9.0")


# Beside this file and not where one stands: results may go to another folder than the checkout.
configfile: f"{workflow.basedir}/config.yaml"


report: "report/workflow.rst"


include: "rules/common.smk"


# Two chains, one house: what differs is where images come from, and what is made of what generators draw.
if study.chain == "composites":

    include: "rules/cohort.smk"
    include: "rules/segment.smk"
    include: "rules/banks.smk"
    include: "rules/features.smk"
    include: "rules/generate.smk"
    include: "rules/compose.smk"
    include: "rules/refine.smk"
    include: "rules/score.smk"
    include: "rules/anatomy.smk"
    include: "rules/models.smk"
    include: "rules/ship.smk"
    include: "rules/candidates_3d.smk"
    include: "rules/outlines_3d.smk"
    include: "rules/compare.smk"
    include: "rules/compare_ct.smk"
    include: "rules/compare_detectors.smk"
    include: "rules/reader.smk"
    include: "rules/utility.smk"
    include: "rules/networks.smk"
    include: "rules/release.smk"
    include: "rules/report.smk"
    include: "rules/provenance.smk"

else:

    include: "rules/pictures.smk"
    include: "rules/features.smk"
    include: "rules/generate.smk"
    include: "rules/score.smk"
    include: "rules/checkpoints.smk"
    include: "rules/compare.smk"
    include: "rules/ship.smk"
    include: "rules/compare_pictures.smk"
    include: "rules/gist_pictures.smk"
    include: "rules/reader.smk"
    include: "rules/utility.smk"
    include: "rules/networks.smk"
    include: "rules/release_pictures.smk"
    include: "rules/report_pictures.smk"
    include: "rules/provenance.smk"


onstart:
    from lungsynth.workflow.alive import hold

    hold(study.study)


if study.chain == "composites":
    EVERYTHING = [COHORT, SEGMENTED, BANKED, FEATURES, GENERATED, COMPOSED, REFINED]
    EVERYTHING += [SCORES, ANATOMY, RELEASED, NETWORKS, REPORT, LEDGER]
else:
    EVERYTHING = [PICTURED, FEATURES, GENERATED, SCORES, CHECKPOINTS, NETWORKS]
    EVERYTHING += [EVALUATED if files.tells_classes else [], RELEASED, REPORT, LEDGER]


# Every file, not the last ones alone: Snakemake makes a missing file only for what asks for it, and a step that failed
# after a change of settings would leave the old results and nothing to do.
rule all:
    default_target: True
    input:
        EVERYTHING,
