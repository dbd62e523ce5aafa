"""What a target needs, told by a dry run."""

import json
import re
import shutil
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, TEST_STUDY, snakemake

from lungsynth.workflow.jobs import gpus_asked

OWN_TARGETS = {
    *("release_segmenter", "score_patches", "segment_folder", "gather_candidates"),
    *("release_generators", "release_generator", "score_generator", "draw", "draw_pretrained"),
    *("compare_nodules", "compare_lungs"),
    *("compare_detectors", "detect_contender", "score_opening", "score_detector", "tabulate_detectors"),
    *("pool_detectors", "tabulate_folds"),
    *("judge_candidates", "release_candidates_3d", "cut_cubes", "train_volumetric", "release_volumetric"),
    *("outline_candidates", "release_outlines_3d", "gather_bodies", "train_outlines", "release_outlines"),
    *(
        "choose_rate",
        "score_contender",
        "score_composites",
        "subtract_composites",
        "compose_from_nothing",
        "tabulate_contenders",
    ),
    *("reader", "score_reader"),
    *("evaluate", "train_classifier", "score_classifiers"),
}
PICTURES = re.compile(r"pictures|checkpoints")
"""In the name of a file of rules: of the chain of pictures alone."""
STUDIES = sorted(path.name for path in (ROOT / "studies").glob("*.yaml"))


def jobs(text: str) -> dict[str, int]:
    """Rule -> number of jobs, from the table of a dry run."""
    table = text.split("Job stats:")[1].split("\n\n")[0]
    return {name: int(count) for name, count in re.findall(r"^(\w+)\s+(\d+)\s*$", table, re.M) if name != "total"}


@pytest.fixture(scope="module")
def default(fresh) -> str:
    """What a dry run of the default study says."""
    return snakemake(fresh, "--dry-run", "--cores", "2").stdout


@pytest.fixture(scope="module")
def tiny(fresh) -> str:
    """What a dry run of the test study says, which trains every network anew."""
    return snakemake(fresh, "--dry-run", "--cores", "2", *TEST_STUDY).stdout


def test_the_default_study_needs_at_most_100_jobs_and_every_rule_but_those_of_networks_that_ship(fresh, default, tiny):
    planned = jobs(default)
    rules = {
        name
        for path in (fresh / "rules").glob("*.smk")
        for name in re.findall(r"^rule (\w+):", path.read_text(), re.M)
        if not PICTURES.search(path.name)
    }
    assert set(jobs(tiny)) - {"all"} == rules - OWN_TARGETS
    trained = {"cut_windows", "train_segmenter", "mine_negatives", "train_generator", "choose_state"}
    assert set(jobs(tiny)) - set(planned) == trained
    assert sum(planned.values()) <= 100


def test_a_whole_run_asks_for_every_file_of_every_stage_by_name(fresh, tiny):
    """Each stage says at its top what it leaves; a file that is said nowhere would stay missing after a failed step."""
    asked = set(re.search(r"^rule all:\n    input: (.*)$", tiny, re.M)[1].split(", "))
    table = snakemake(fresh, "--summary", "--cores", "2", *TEST_STUDY).stdout
    made = {line.split("\t")[0] for line in table.splitlines() if line.startswith("results/")}
    passing = {path for path in made - asked if re.search(r"/state-\d+\.pt$", path)}
    assert made - asked == passing and len(passing) > 3  # states before the last may be cleaned away
    assert asked <= made


def test_the_number_of_jobs_follows_from_the_settings_alone(fresh, tiny):
    settings = yaml.safe_load((fresh / "studies/test.yaml").read_text())
    planned = jobs(tiny)
    assert planned["prepare_scans"] == settings["cohort"]["batches"]
    assert planned["train_segmenter"] == settings["segment"]["training"]["checkpoints"]
    render = settings["compose"]["render"]
    assert planned["render_shard"] == -(-render["count"] // render["shard_size"])
    layers = settings["generate"]
    assert planned["train_generator"] == sum(
        block["training"]["checkpoints"]
        for block in (layers["nodules"], layers["normals"], layers["normals"]["detail"])
    )


def test_classifiers_are_trained_on_each_set_with_each_seed_and_one_job_scores_them(fresh):
    asked = ["--config", "utility={classify: {kinds: [resnet, vgg], seeds: 2}}", *TEST_STUDY]
    planned = jobs(snakemake(fresh, "--dry-run", "--cores", "2", *asked, "--", "evaluate").stdout)
    assert planned["train_classifier"] == 2 * 3 * 2 and planned["score_classifiers"] == planned["evaluate"] == 1
    assert {"select_samples", "cut_banks"} <= set(planned) and not {"score_sets", "render_shard"} & set(planned)


def test_a_classifier_that_cannot_take_the_images_is_one_line_where_it_is_asked_for(fresh):
    deep = "utility={classify: {settings: {resnet: {layers: [1,1,1,1,1,1], widths: [8,8,8,8,8,8]}}}}"
    run = snakemake(fresh, "--dry-run", "--cores", "2", "--config", deep, "--", "evaluate", check=False)
    (line,) = [line for line in run.stderr.splitlines() if line.startswith("lungsynth:")]
    assert run.returncode == 1 and "utility.classify: images of 32 px do not suit the kind resnet" in line


def test_a_target_needs_no_more_than_what_leads_to_it(fresh):
    planned = jobs(snakemake(fresh, "--dry-run", "--cores", "2", "--", "results/demo/cohort/qc.html").stdout)
    assert set(planned) == {"make_phantom", "annotate_phantom", "list_scans", "prepare_scans", "check_cohort"}


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_can_be_planned(fresh, name, tmp_path, monkeypatch):
    pictures = yaml.safe_load((fresh / "studies" / name).read_text()).get("pictures")
    if pictures:  # a generator a class takes their names from the folder
        monkeypatch.setenv("LUNGSYNTH_DATA", str(tmp_path))
        (tmp_path / pictures["path"] / "a class").mkdir(parents=True)
    snakemake(fresh, "--dry-run", "--cores", "2", "--quiet", "all", "--configfile", "config.yaml", f"studies/{name}")


def test_rules_carry_their_settings_as_plain_strings(fresh):
    """Snakemake drops params of other types without a word; a change in them would rerun nothing."""
    for path in sorted((fresh / "rules").glob("*.smk")):
        for block in re.findall(r"^    params:\n((?:        .*\n)+)", path.read_text(), re.M):
            names = re.findall(r"^        (\w+)=", block, re.M)
            # The user's own files come in at the first step, and in the targets that strangers run on theirs.
            own = ("list_scans.py", "list_pictures.py", "cut_cubes.py", "gather_bodies.py", "score_patches.py")
            own = (*own, "gather_candidates.py")
            more = ["data"] if any(script in block for script in own) else []
            assert names == ["settings", "code", *more], f"{path.name}: {block}"


def test_a_misspelt_key_is_one_line_and_no_job(fresh):
    run = snakemake(fresh, "--dry-run", "--cores", "2", "--config", "segmnt={}", check=False)
    lines = [line for line in (run.stdout + run.stderr).splitlines() if line.startswith("lungsynth:")]
    assert run.returncode == 1 and len(lines) == 1
    assert "segmnt" in lines[0] and "'segment'" in lines[0]
    assert "Traceback" not in run.stdout + run.stderr


def test_an_image_size_that_the_generator_cannot_make_is_refused_before_any_job(fresh):
    run = snakemake(fresh, "--dry-run", "--cores", "2", "--config", "image={size_px: 100}", check=False)
    (line,) = [line for line in run.stderr.splitlines() if line.startswith("lungsynth:")]
    assert run.returncode == 1 and "image.size_px" in line and "100" in line


def test_the_view_of_a_rule_is_canonical_json(finished):
    for path in Path(finished, "results/test/.records").glob("*.json"):
        record = json.loads(path.read_text())
        assert record["settings"]["seed"] == 2023 and re.fullmatch(r"[0-9a-f]{16}", record["code"])


def test_a_step_that_reads_images_names_the_table_beside_them(finished):
    """Else an edited table would rerun nothing."""
    looked_at = 0
    for path in Path(finished, "results/test/.records").glob("*.json"):
        inputs = set(json.loads(path.read_text())["inputs"])
        for images in (name for name in inputs if name.endswith(".npz")):
            beside = images.removesuffix("npz") + "csv"
            if Path(finished, beside).exists():
                looked_at += 1
                assert beside in inputs, f"{path.name}: {beside}"
    assert looked_at > 10


def test_every_step_with_a_network_asks_for_a_gpu_where_the_study_wants_one(fresh, monkeypatch):
    for path in (fresh / "rules").glob("*.smk"):
        for name, body in re.findall(r"^rule (\w+):\n((?:    .*\n|\n)+)", path.read_text(), re.M):
            asks = re.search(r"resources:\n        \*\*(CUBES_)?(NETWORK|TRAINING),", body) is not None
            assert asks == ("        TORCH\n" in body), name
    monkeypatch.setattr("glob.glob", lambda pattern: ["/dev/nvidia0"])
    assert [gpus_asked(device) for device in ("cpu", "auto", "cuda")] == [0, 1, 1]
    monkeypatch.setattr("glob.glob", lambda pattern: [])
    assert [gpus_asked(device) for device in ("cpu", "auto", "cuda")] == [0, 0, 1]


@pytest.mark.parametrize("part, rule", [("volumetric", "judge_candidates"), ("outlines", "outline_candidates")])
def test_candidates_are_judged_and_outlined_in_three_dimensions_by_one_key(fresh, default, part, rule):
    """A job a batch more; without the key the DAG does not know of it."""
    folder = fresh / "models/tiny_network"
    folder.mkdir()
    (folder / "recipe.json").write_text(json.dumps({part: {"network": {"side": 16}}, "patients": {}}))
    (folder / "weights.safetensors").write_bytes(b"")
    try:
        key = f"segment={{{part}: {{init_from: tiny_network}}}}"
        planned = jobs(snakemake(fresh, "--dry-run", "--cores", "2", "--config", key).stdout)
    finally:
        shutil.rmtree(folder)
    assert rule not in default
    assert planned == jobs(default) | {rule: jobs(default)["detect_nodules"]}


@pytest.mark.parametrize(
    "name, made, pieces",
    [("candidates_3d", ("cut_cubes", "volumetric"), 5), ("outlines_3d", ("gather_bodies", "outlines"), 3)],
)
def test_the_networks_for_three_dimensions_are_made_by_one_command(fresh, name, made, pieces):
    study = ("--configfile", "config.yaml", f"studies/{name}.yaml")
    planned = jobs(snakemake(fresh, f"release_{name}", "--dry-run", "--cores", "2", *study).stdout)
    gathered, network = made
    assert planned[f"train_{network}"] == pieces
    assert {"detect_nodules", gathered, f"release_{network}"} < set(planned)
    assert not {"judge_candidates", "outline_candidates"} & set(planned)
