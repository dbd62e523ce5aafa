"""A folder of pictures becomes a scored, released synthetic set with a report, by the shortest overlay there is."""

import json
import shutil
import zipfile

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import copy_of_repository, snakemake
from PIL import Image

TINY = {
    "study": "tiny",
    "chain": "pictures",
    "pictures": {"path": "mine", "size_px": 32},
    "features": {"training": {"steps": 30}},
    "generate": {
        "pictures": {
            "dcgan": {"preset": "none", "z": 8, "generator_channels": 16, "critic_channels": 8, "learning_rate": 2e-3},
            "training": {"steps": 12, "batch": 8, "checkpoints": 2},
            "sampling": {"count": 24},
            "selection": {"keep": 12, "min_likeness_quantile": None, "min_distance_quantile": 0},
        }
    },
    "utility": {"classify": {"seeds": 1, "training": {"steps": 4, "batch": 4}}},
    "score": {"bootstrap": 20, "floors": 2, "checkpoints": {"count": 12, "shown": 4}},
    "release": {"title": "Discs and rings"},
}


def discs(folder, name: str, count: int, inner: float, seed: int) -> None:
    """Pictures of mixed sizes and places of a disc, or of a ring where `inner` is above 0."""
    (folder / name).mkdir(parents=True)
    draw = np.random.default_rng(seed)
    for k in range(count):
        height, width = draw.integers(40, 90, 2)
        y, x = np.mgrid[:height, :width]
        radius = np.hypot(y - height / 2 - draw.normal(), x - width / 2 - draw.normal()) / min(height, width)
        grey = 60 + 150 * ((radius < 0.35) & (radius >= inner)) + draw.normal(0, 8, (height, width))
        Image.fromarray(grey.clip(0, 255).astype(np.uint8)).save(folder / name / f"picture {k} ü.png")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A copy of the repository in which the tiny study of pictures ran to its end, and released its generators."""
    folder = copy_of_repository(tmp_path_factory.mktemp("pictures"))
    data = folder / "data"
    discs(data / "mine", "disc", 24, 0, 1)
    discs(data / "mine", "a ring", 20, 0.2, 2)
    (data / "mine" / "disc" / "notes.txt").write_text("no picture")
    (folder / "tiny.yaml").write_text(yaml.safe_dump(TINY))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LUNGSYNTH_DATA", str(data))
        snakemake(folder, "all", "release_generators", "--cores", "2", "--configfile", "config.yaml", "tiny.yaml")
        again = snakemake(folder, "--cores", "2", "--dry-run", "--configfile", "config.yaml", "tiny.yaml")
    assert "Nothing to be done" in again.stdout + again.stderr
    return folder / "results/tiny"


def test_every_file_is_listed_or_refused_and_no_patient_has_two_roles(study):
    listed, refused = (pd.read_csv(study / "cohort" / f"{name}.csv") for name in ("pictures", "quarantine"))
    assert len(listed) == 44 and refused["file"].tolist() == ["disc/notes.txt"]
    assert set(listed["role"]) == {"fit", "tune", "test"}
    assert (listed.groupby("patient")["role"].nunique() == 1).all()


def test_banks_hold_equal_squares_in_grey_levels(study):
    with np.load(study / "banks/pictures_fit.npz") as bank:
        assert bank["images"].dtype == np.uint8 and bank["images"].shape[1:] == (32, 32)


def test_the_release_is_a_folder_a_class_and_a_zip_of_the_same_pictures(study):
    manifest = pd.read_csv(study / "release/manifest.csv")
    assert 0 < len(manifest) <= 12 and set(manifest["class"]) <= {"disc", "a ring"}
    with zipfile.ZipFile(study / "release/pictures.zip") as archive:
        about = json.loads(archive.read("dataset.json"))
        assert len(about["labels"]) == len(manifest) and about["classes"] == ["a ring", "disc"]
        for (name, label), row in zip(about["labels"], manifest.itertuples(), strict=True):
            assert about["classes"][label] == row[2]
            with Image.open(archive.open(name)) as one, Image.open(study / "release/pictures" / row.file) as other:
                assert np.array_equal(one, other)
    assert "Discs and rings" in (study / "release/DATASHEET.md").read_text()


def test_every_state_is_scored_and_shown(study):
    table = pd.read_csv(study / "score/checkpoints.csv")
    assert table["checkpoint"].tolist() == [0, 1, 0, 1] and table["images"].tolist() == [48, 96, 48, 96]
    assert table[["fid_train", "fid_tune", "kid_train", "kid_tune"]].notna().all().all()


def test_scores_say_what_held_out_pictures_would(study):
    scores = pd.read_csv(study / "score/scores.csv")
    copies = scores[scores["metric"] == "authenticity"].set_index("set")["value"]
    assert {"generated", "selected", "held_out"} <= set(copies.index)


def test_the_report_speaks_of_pictures_and_not_of_lungs(study):
    page = (study / "report/report.html").read_text()
    assert "Discs and rings" in page and "Along the training" in page
    assert not any(word in page for word in (" HU", " mm", "lung window", "nodule"))


def test_classifiers_learn_from_equally_many_real_and_generated_pictures(study):
    table = pd.read_csv(study / "utility/classifiers_summary.csv")
    assert set(table["approach"]) == {"base", "gan_train", "gan_test", "combined"}
    counts = table.groupby("approach")["n_train"].first()
    assert counts["base"] == counts["gan_train"] == counts["gan_test"] == counts["combined"] / 2


def test_released_generators_draw_elsewhere_and_another_study_starts_from_them(study, monkeypatch):
    folder, mine = study.parent.parent, ["--configfile", "config.yaml", "tiny.yaml"]
    monkeypatch.setenv("LUNGSYNTH_DATA", str(folder / "data"))
    released = study / "generate/pictures/released"
    recipe = json.loads((released / "recipe.json").read_text())
    learnt = pd.read_csv(study / "banks/pictures_fit.csv")
    assert recipe["grid"] == {"size_px": 32, "levels": [0, 255], "channels": 1}
    assert recipe["images"] == len(recipe["pictures"]) == len(learnt)
    shares = dict(zip(recipe["classes"]["names"], recipe["classes"]["shares"], strict=True))
    assert shares == pytest.approx(learnt["class"].value_counts(normalize=True).to_dict())
    assert set(recipe["patients"]) == {"fit"} and "picture" not in " ".join(recipe["patients"]["fit"])
    assert {"authenticity", "kid"} <= set(pd.read_csv(released / "scores.csv")["metric"])
    # By its path; the default study's chain is the other one.
    path = released.relative_to(folder)
    snakemake(folder, "draw", "--cores", "2", "--config", f"draw={{network: {path}, count: 20}}")
    one = folder / f"results/demo/draw/{study.name}-pictures-released"
    (record,) = (folder / "results/demo/.records").glob("draw_pretrained*.json")
    read = [str(path / name) for name in ("recipe.json", "weights.safetensors")]
    assert json.loads(record.read_text())["inputs"] == read
    rows = pd.read_csv(one / "images.csv")
    assert len(rows) == 20 and set(rows["label"]) == {"disc", "a ring"} and (one / "contact.png").is_file()
    with Image.open(one / rows["file"][0]) as picture:
        assert picture.mode == "L" and picture.size == (32, 32)
    assert not any(word in (one / "DATASHEET.md").read_text() for word in (" HU", " mm", "chest", "mask"))
    shutil.copytree(released, folder / "models/discs")
    again = "generate={pictures: {init_from: discs, kind: wgan_gp, training: {steps: 0}}}"
    drawn = "results/again/generate/pictures/generated.npz"
    snakemake(folder, drawn, "--cores", "2", "--config", "study=again", again, *mine)
    assert set(pd.read_csv(folder / drawn.replace("npz", "csv"))["label"]) == {"disc", "a ring"}
