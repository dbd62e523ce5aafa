"""The tiny study from end to end: what a user finds at the end is there, fits together and keeps its promises."""

import hashlib
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import SimpleITK as sitk
import torch
import yaml
from conftest import TEST_STUDY, snakemake
from safetensors.torch import save

from lungsynth.compose.dataset import CompositeDataset
from lungsynth.features.inception import Inception
from lungsynth.sets import shard


def test_every_released_image_has_its_mask_its_rows_and_its_mark(finished):
    release = finished / "results/test/release"
    manifest, lesions = pd.read_csv(release / "manifest.csv"), pd.read_csv(release / "lesions.csv")
    assert len(manifest)
    for row in manifest.itertuples():
        image, mask = (sitk.ReadImage(str(release / name)) for name in (row.file, row.mask))
        assert "_synthetic" in row.file and image.GetSpacing() == mask.GetSpacing()
        pixels, labels = sitk.GetArrayFromImage(image)[0], sitk.GetArrayFromImage(mask)[0]
        assert pixels.dtype == np.int16
        mine = lesions[lesions["image"] == row.file]
        assert len(mine) == row.lesions == labels.max()
        for lesion in mine.itertuples():
            rows, columns = np.nonzero(labels == lesion.label)
            box = (rows.min(), columns.min(), rows.max(), columns.max())
            assert box == (lesion.row_min, lesion.column_min, lesion.row_max, lesion.column_max)


def test_a_composite_on_demand_equals_its_shard(finished):
    folder = finished / "results/test/compose"
    composites = CompositeDataset(folder)
    images, masks, rows = shard.read(folder / "shards/1")
    for k, rank in rows.groupby("image")["composite"].first().items():
        made = composites[int(rank)]
        assert np.array_equal(made["image"], images[k]) and np.array_equal(made["mask"], masks[k])


def test_a_row_of_the_manifest_is_enough_to_render_its_composite_again(finished):
    root = finished / "results/test"
    composites = CompositeDataset(root / "compose")
    manifest = pd.read_csv(root / "release/manifest.csv")
    kept = pd.concat([pd.read_parquet(root / f"export/{k}-images.parquet").assign(shard=k) for k in (0, 1)])
    assert len(manifest) == len(kept)
    for (_, row), at, number in zip(manifest.iterrows(), kept["at"], kept["shard"], strict=True):
        again = composites[composites.index(row)]
        images, masks, _ = shard.read(root / f"compose/shards/{number}")
        assert np.array_equal(again["image"], images[at]) and np.array_equal(again["mask"], masks[at])
        released = sitk.GetArrayFromImage(sitk.ReadImage(str(root / "release" / row["mask"])))[0]
        assert np.array_equal(again["mask"], released)


def test_a_further_format_is_exported_beside_those_that_are_there(finished, tmp_path):
    release = finished / "results/test/release"
    overlay = tmp_path / "study.yaml"
    overlay.write_text("release: {formats: [nifti, png16, coco]}\n")
    places = [release / "images/coco", release / "masks/coco", release / "coco", finished / "results/test/export/coco"]
    try:
        run = snakemake(finished, "--cores", "2", *TEST_STUDY, str(overlay), "--", "results/test/release/coco")
        assert "3 of 3 steps" in run.stdout + run.stderr
        instances = json.loads((release / "coco/instances_synthetic.json").read_text())
        assert all((release / "images/coco" / one["file_name"]).is_file() for one in instances["images"])
    finally:
        for place in places:
            shutil.rmtree(place, ignore_errors=True)
        for record in (finished / "results/test/.records").glob("*-coco*.json"):
            record.unlink()
    manifest, lesions = pd.read_csv(release / "manifest.csv"), pd.read_csv(release / "lesions.csv")
    assert len(instances["images"]) == len(manifest) and len(instances["annotations"]) == len(lesions)


def test_scores_name_their_sets_and_stand_with_interval_and_n(finished):
    scores = pd.read_csv(finished / "results/test/score/scores.csv")
    expected = ["set", "reference", "metric", "extractor", "value", "low", "high", "floor", "n_set", "n_reference"]
    assert list(scores.columns)[:10] == expected
    assert {"real", "generated", "composite", "refined"} <= set(scores["set"])
    assert (scores["low"] <= scores["high"]).all() and (scores["n_set"] > 0).all()


def test_the_ledger_knows_every_file_and_what_made_it(finished):
    root = finished / "results/test"
    ledger = json.loads((root / "provenance.json").read_text())
    files = {
        str(path.relative_to(finished))
        for path in root.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(root).parts)
    }
    assert files - set(ledger["files"]) == {"results/test/provenance.json"}
    entry = ledger["files"]["results/test/release/manifest.csv"]
    assert entry["rule"] == "list_release" and entry["inputs"]


def audit(folder) -> subprocess.CompletedProcess:
    """`make audit` of the tiny study."""
    command = [sys.executable, "-m", "lungsynth.workflow.audit", "--configfile", "config.yaml", "studies/test.yaml"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_audit_confirms_an_untouched_study(finished):
    run = audit(finished)
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_audit_finds_an_edited_output_and_an_edited_module(finished):
    output, module = finished / "results/test/release/lesions.csv", finished / "lungsynth/ct/window.py"
    before = output.read_bytes(), module.read_text()
    stamp = output.stat()
    try:
        output.write_bytes(before[0].replace(b"solid", b"SOLID", 1))
        os.utime(output, (stamp.st_atime, stamp.st_mtime))
        module.write_text(before[1] + "\nEXTRA = 1\n")
        run = audit(finished)
        assert run.returncode == 1
        assert "edited: results/test/release/lesions.csv" in run.stdout and "code: " in run.stdout
    finally:
        output.write_bytes(before[0])
        os.utime(output, (stamp.st_atime, stamp.st_mtime))
        module.write_text(before[1])


def test_bad_data_stop_the_run_with_one_line(fresh, tmp_path):
    (tmp_path / "scans").mkdir()
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--configfile", "config.yaml", "studies/test.yaml"]
    overlay = tmp_path / "none.yaml"
    overlay.write_text("study: none\ncohort: {sources: [{reader: luna16, path: scans}]}\n")
    run = subprocess.run(
        [*command, str(overlay), "--", "results/none/cohort/qc.html"],
        cwd=fresh,
        capture_output=True,
        text=True,
        env={**os.environ, "LUNGSYNTH_DATA": str(tmp_path)},
        check=False,
    )
    lines = [line for line in run.stderr.splitlines() if line.startswith("lungsynth:")]
    assert run.returncode == 1 and len(lines) == 1 and "scans" in lines[0]


def test_inception_scores_every_set_where_its_weights_are_given(finished, tmp_path, monkeypatch):
    torch.manual_seed(0)
    weights = save(Inception().state_dict())
    (tmp_path / "inception.safetensors").write_bytes(weights)
    monkeypatch.setenv("LUNGSYNTH_DATA", str(tmp_path))
    given = {"path": "inception.safetensors", "sha256": hashlib.sha256(weights).hexdigest()}
    target = finished / "results/test/score/inception.json"
    overlay = tmp_path / "study.yaml"
    overlay.write_text(yaml.safe_dump({"score": {"inception": given}}))
    try:
        arguments = ["--cores", "1", *TEST_STUDY, str(overlay), "--", str(target.relative_to(finished))]
        snakemake(finished, *arguments)
        scores = json.loads(target.read_text())
    finally:
        for path in (target, target.with_name("inception-differences.csv")):
            path.unlink(missing_ok=True)
        (finished / "results/test/.records/score_sets-inception.json").unlink(missing_ok=True)
    assert {score["extractor_sha256"] for score in scores} == {given["sha256"]}
    assert {"nodules_test", "normals_test", "lesions_test"} <= {score["reference"] for score in scores}
    assert all(score["dimensions"] == 2048 for score in scores)


COMPARED = {
    "images": 32,
    "batch": 8,
    "seeds": 1,
    "count": 16,
    "checkpoints": 1,
    "rates": [1],
    "kinds": ["gan"],
    "others": [],
}


def test_generators_are_compared_on_the_study_and_beside_its_composites(finished):
    lungs = COMPARED | {"rates": [0.5, 1]}
    overlay = finished / "studies/compared.yaml"
    overlay.write_text(yaml.safe_dump({"compare": {"nodules": COMPARED, "lungs": lungs}}), encoding="utf-8")
    snakemake(finished, "--cores", "2", *TEST_STUDY, "studies/compared.yaml", "--", "compare_nodules", "compare_lungs")
    folder = finished / "results/test/compare"
    nodules, whole = (pd.read_csv(folder / f"{name}.csv").set_index("kind") for name in ("nodules", "lungs"))
    assert (nodules.at["gan", "runs"], nodules.at["gan", "scored"], nodules.at["gan", "images"]) == (1, 1, 32)
    assert "w_capsule, as the study draws" in nodules.index
    assert whole.at["two stages, refined", "real_backgrounds"] > 0
    assert whole.at["two stages, all generated", "real_backgrounds"] == 0
    assert 0 < whole.at["two stages, refined", "in_range"] <= 1
    # Four steps teach nobody to draw lungs: the two stages from nothing are scored as they are, and the row says so.
    alone = whole.loc["two stages from nothing"]
    assert (alone["images"], alone["real_backgrounds"], alone["scored"]) == (3 * 32 + 4, 0, 1)
    assert "no nodule is laid on them: none of 40 generated normals is of use" in alone["note"]
    # Of a generator that hardly learnt, slices may show no lungs to measure.
    assert not whole.at["gan", "in_range"] >= whole.at["two stages, refined", "in_range"]
    for column, row in (("refined", "two stages, refined"), ("from_nothing", "two stages from nothing")):
        apart = whole[f"kid_minus_{column}"].dropna()
        assert "gan" in apart.index and row not in apart.index
        assert np.allclose(apart, (whole["kid"] - whole.at[row, "kid"])[apart.index])
    assert set(json.loads((folder / "lungs/rates/gan.json").read_text())["kid_to_tune"]) == {"0.5", "1"}
    page = (folder / "lungs.html").read_text(encoding="utf-8")
    assert "those learnt from that of authenticity" in page and "Macro" not in page
    assert "Two-Stages GAN" in page and "gan: KID less that of two stages, refined is" in page
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_detectors_are_compared_on_whole_scans_and_over_folds(finished):
    own = {"dense_unet": {"architecture": {"widths": [8, 16], "growth": 4, "layers": 2}}}
    compared = {"kinds": ["cnn_vgg", "dense_unet"], "seeds": 1, "patches": 32, "batch": 8, "settings": own}
    overlay = finished / "studies/detected.yaml"
    overlay.write_text(yaml.safe_dump({"compare": {"detectors": compared | {"folds": ["test"]}}}), encoding="utf-8")
    study = [*TEST_STUDY, "studies/detected.yaml"]
    snakemake(finished, "--cores", "2", *study, "--", "compare_detectors", "pool_detectors")
    folder = finished / "results/test/compare"
    kinds = pd.read_csv(folder / "detectors.csv").set_index("kind")
    assert kinds.index.tolist() == ["cnn_vgg", "dense_unet", "baseline"] and (kinds["patches"] == [32, 32, 0]).all()
    # A patch classifier outlines nothing; of the others every nodule with a mask counts, found or not.
    marks = pd.read_csv(finished / "results/test/cohort/marks.csv")
    tested = set(pd.read_csv(finished / "results/test/cohort/cohort.csv").query("role == 'test'")["scan"])
    outlined = pd.read_csv(folder / "detectors/baseline_nodules.csv")
    assert len(outlined) == marks["scan"].isin(tested).sum() > 5
    assert np.isnan(kinds.at["cnn_vgg", "dice"]) and 0 <= kinds.at["baseline", "dice"] < 1
    assert np.isclose(kinds.at["baseline", "dice"], outlined["dice"].mean())
    for end in (".csv", "_groups.csv", "_differences.csv", "_claims.csv"):
        assert (folder / f"detectors{end}").read_bytes() == (folder / f"pooled_detectors{end}").read_bytes()
    assert "threshold and opening" in (folder / "detectors.html").read_text(encoding="utf-8").lower()


def test_a_blind_test_is_made_of_the_study_and_its_answers_are_scored(finished):
    asked = {"orientation": 2, "real": 3, "generated": 3}
    overlay = finished / "studies/asked.yaml"
    overlay.write_text(yaml.safe_dump({"utility": {"reader": asked}}), encoding="utf-8")
    study = [*TEST_STUDY, "studies/asked.yaml"]
    snakemake(finished, "--cores", "2", *study, "--", "reader")
    folder = finished / "results/test/reader"
    key = pd.read_csv(folder / "key.csv")
    manifest = pd.read_csv(finished / "results/test/release/manifest.csv")
    released = set(manifest["file"].str.extract(r"(composite-\d+)")[0])
    real = set(pd.read_csv(finished / "results/test/banks/lesions_test.csv")["id"])
    assert set(key.loc[key["truth"] == "generated", "source"]) <= released
    assert set(key.loc[key["truth"] == "real", "source"]) <= real

    none = snakemake(finished, "--cores", "2", *study, "--", "score_reader", check=False)
    assert (
        none.returncode == 1 and "utility.reader.answers: there is no folder results/test/reader/answers" in none.stderr
    )
    (folder / "answers").mkdir()
    questions = key[key["part"] == "question"]
    given = questions[["test", "id"]].assign(answer=questions["truth"], confidence="", seconds="", reader="Ann")
    given.to_csv(folder / "answers/ann.csv", index=False)
    snakemake(finished, "--cores", "2", *study, "--", "score_reader")
    (row,) = pd.read_csv(folder / "readers.csv").to_dict("records")
    assert (row["accuracy"], row["answered"], row["positive"]) == (1, 6, "generated")

    # Who is positive is no matter of the page: readers keep theirs.
    overlay.write_text(yaml.safe_dump({"utility": {"reader": asked | {"positive": "real"}}}), encoding="utf-8")
    plan = snakemake(finished, "--dry-run", "--cores", "2", *study, "--", "score_reader").stdout
    assert "score_reader" in plan and "rule reader" not in plan and "a blind test on one page" not in plan
