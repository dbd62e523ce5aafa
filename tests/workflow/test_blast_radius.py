"""An edit reruns what stands on it, and nothing else."""

import re
from contextlib import contextmanager

import pytest
from conftest import TEST_STUDY, snakemake

LATER_THAN_PLAN = {
    *("render_shard", "train_refiner", "refine_shard", "judge_shard", "judge_refinement", "score_sets"),
    *("tabulate_scores", "make_report", "draw_story", "record_provenance", "all"),
    *("measure_shard", "export_shard", "finish_format", "list_release", "write_datasheet"),
    "measure_anatomy",
}
EVERYTHING_AFTER_GENERATION = {*LATER_THAN_PLAN, "draw_groups", "make_plan", "compare_distributions"}


@contextmanager
def edited(path, old: str, new: str):
    """The file with one text replaced, put back at the end."""
    before = path.read_text()
    assert old in before, f"{path}: {old!r} is not in it"
    path.write_text(before.replace(old, new, 1))
    try:
        yield
    finally:
        path.write_text(before)


def planned(folder) -> str:
    """What a dry run says."""
    return snakemake(folder, "--dry-run", "--cores", "2", *TEST_STUDY).stdout


def rules_in(text: str) -> set[str]:
    """Names of the rules that a dry run would run."""
    if "Nothing to be done" in text:
        return set()
    table = text.split("Job stats:")[1].split("\n\n")[0]
    return {name for name, _ in re.findall(r"^(\w+)\s+(\d+)\s*$", table, re.M)} - {"total"}


def reruns(folder) -> set[str]:
    """Names of the rules that would run now."""
    return rules_in(planned(folder))


def test_after_a_run_nothing_is_to_be_done(finished):
    assert reruns(finished) == set()


@contextmanager
def taken_away(path):
    """Without a file, as a step that failed leaves the results; put back as it was at the end."""
    aside = path.rename(path.with_name("aside"))
    try:
        yield
    finally:
        aside.rename(path)


UNMADE = [
    ("banks/nodules_fit.npz", "cut_banks"),
    ("refine/shards/0.npy", "refine_shard"),
    ("features/slices.json", "train_extractor"),
]


def test_what_a_failed_step_left_unmade_is_made_though_all_later_files_are_there(finished):
    for name, rule in UNMADE:
        with taken_away(finished / "results/test" / name):
            assert rule in reruns(finished), name
    assert reruns(finished) == set()


def test_states_before_the_last_may_be_cleaned_away(finished):
    states = sorted((finished / "results/test/generate/nodules").glob("*/state-*.pt"))
    assert len(states) > 1
    with taken_away(states[0]):
        assert reruns(finished) == set()


def test_a_comment_a_docstring_and_a_blank_line_rerun_nothing(finished):
    path = finished / "lungsynth/compose/render.py"
    with edited(path, '"""', '"""Another sentence. '), edited(path, "\n\n\n", "\n\n\n# a remark\n\n\n"):
        assert reruns(finished) == set()


DESCRIBED = {"write_datasheet", "make_report", "record_provenance", "all"}
EXPORTED = DESCRIBED | {"export_shard", "finish_format", "list_release"}
SCORES = {"score_sets", "tabulate_scores", "write_datasheet", "make_report", "record_provenance", "all"}
CASES = [
    (
        "score.bootstrap",
        "score: {bootstrap: 20",
        "score: {bootstrap: 21",
        SCORES | {"compare_distributions", "measure_anatomy", "score_detection"},
    ),
    (
        "score.anatomy.slices",
        "score: {bootstrap: 20",
        "score: {anatomy: {slices: 21}, bootstrap: 20",
        {"measure_anatomy", "make_report", "record_provenance", "all"},
    ),
    (
        "generate.nodules.sampling",
        "sampling: {count: 24}",
        "sampling: {count: 25}",
        EVERYTHING_AFTER_GENERATION | {"draw_samples", "select_samples"},
    ),
    (
        "compose.plan.keep",
        "plan: {keep: 40",
        "plan: {keep: 41",
        LATER_THAN_PLAN | {"make_plan", "compare_distributions"},
    ),
    ("release.title", "study: test", "study: test\nrelease: {title: Another}", DESCRIBED),
    ("release.licence", "study: test", "study: test\nrelease: {licence: CC0}", EXPORTED),
]


@pytest.mark.parametrize("key, old, new, expected", CASES, ids=[case[0] for case in CASES])
def test_a_setting_reruns_the_steps_that_use_it_and_what_follows(finished, key, old, new, expected):
    with edited(finished / "studies/test.yaml", old, new):
        assert reruns(finished) == expected


CODE_CASES = [
    (
        "lungsynth/compose/plan.py",
        "QUANTILES = (",
        "QUANTILES = (0.01, ",
        LATER_THAN_PLAN | {"make_plan", "compare_distributions"},
    ),
    (
        "lungsynth/release/exporter.py",
        'MARK = "_synthetic"',
        'MARK = "_made"',
        EXPORTED | {"measure_shard"},
    ),
]


@pytest.mark.parametrize("name, old, new, expected", CODE_CASES, ids=[case[0] for case in CODE_CASES])
def test_an_edit_of_a_module_reruns_the_steps_that_import_it(finished, name, old, new, expected):
    with edited(finished / name, old, new):
        assert reruns(finished) == expected


def exported(text: str) -> set[str]:
    """FORMAT/SHARD of what a dry run would export."""
    return {"/".join(found) for found in re.findall(r"released images as (\w+), shard (\d+)", text)}


def test_a_further_format_exports_nothing_again(finished):
    with edited(finished / "studies/test.yaml", "study: test", "study: test\nrelease: {formats: [nifti, png16, coco]}"):
        text = planned(finished)
    assert exported(text) == {"coco/0", "coco/1"}
    assert rules_in(text) == EXPORTED


def test_an_edit_of_one_format_exports_that_format_alone(finished):
    with edited(finished / "lungsynth/release/formats/png16.py", "OFFSET_HU = 1024", "OFFSET_HU = 2048"):
        text = planned(finished)
    assert exported(text) == {"png16/0", "png16/1"}
    assert rules_in(text) == EXPORTED


def test_an_edit_of_one_generator_reruns_that_target_only(finished):
    path = finished / "lungsynth/generate/kinds/dcgan/network.py"
    with edited(path, "class Dcgan(DoublingGan):", "class Dcgan(DoublingGan):\n    extra = 1\n"):
        text = planned(finished)
    assert set(re.findall(r"generator of (\w+): \S+, checkpoint", text)) == {"normals"}
    own = {"train_generator", "draw_samples", "select_samples", "count_networks"}
    assert rules_in(text) == EVERYTHING_AFTER_GENERATION | own


@pytest.mark.parametrize(
    "old, new, untouched",
    [
        ("threshold: 0.05", "threshold: 0.06", {"cut_windows", "train_segmenter", "detect_nodules"}),
        ("  operating_point:", "  inference: {views: 8}\n  operating_point:", {"cut_windows", "train_segmenter"}),
    ],
    ids=["operating_point.threshold", "inference.views"],
)
def test_how_a_detector_is_used_reruns_no_training(finished, old, new, untouched):
    with edited(finished / "studies/test.yaml", old, new):
        again = reruns(finished)
    assert again >= {"find_candidates", "score_detection"}
    assert not again & {*untouched, "mine_negatives"}


def test_an_edit_of_how_random_numbers_descend_is_seen_by_every_step_that_draws(finished):
    with edited(finished / "lungsynth/study/seeds.py", ">> 1", ">> 2"):
        drawing = {"make_phantom", "list_scans", "cut_windows", "train_generator", "draw_groups", "render_shard"}
        assert drawing <= reruns(finished)


def test_an_edit_of_what_is_computed_of_settings_is_seen_where_it_is_used_and_nowhere_before(finished):
    edit = ("self.fov_mm / self.size_px", "self.fov_mm / self.size_px * 1.0")
    with edited(finished / "lungsynth/study/stages/cohort.py", *edit):
        found = reruns(finished)
    assert {"cut_banks", "render_shard", "export_shard"} <= found
    # A scan is prepared on its own grid.
    assert not found & {"make_phantom", "annotate_phantom", "list_scans", "prepare_scans"}
