"""Generators of pictures as models/ holds them: a generator for all, by label, or one a class in one file."""

import copy
import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from PIL import Image

from lungsynth.cohort.pictures.listing import refuse_seen
from lungsynth.ct.files import sha256
from lungsynth.generate.folder import contact_sheet
from lungsynth.generate.labels import how_many, labelled
from lungsynth.generate.pretrained import load
from lungsynth.generate.release import recipe
from lungsynth.generate.sample import draw
from lungsynth.generate.trained import shape_of, to_release, trainable
from lungsynth.sets.tables import write_json
from lungsynth.study import models
from lungsynth.study.errors import DataError, StudyError
from lungsynth.study.runs import Run, Subset
from lungsynth.study.stages.generate import Labels
from lungsynth.study.training import Training
from lungsynth.train import weights
from lungsynth.train.checkpoints import RunPlan
from lungsynth.train.data import Source
from lungsynth.train.state import TrainingState, start_from
from lungsynth.workflow.settings import load as load_study

CONFIG = yaml.safe_load((Path(__file__).resolve().parents[2] / "config.yaml").read_text(encoding="utf-8"))
SIZE, NAMES = 32, ("a", "b")
SMALL = {
    "dcgan": {"preset": "none", "z": 8, "generator_channels": 8, "generator_least": 4, "critic_channels": 4},
    "biggan": {"z": 8, "generator_channels": 8, "critic_channels": 4},
}


def run(kind="dcgan", name="dcgan", **more) -> Run:
    return Run(stage="generate", target="pictures", label=name, seed=3, kind=kind, settings=SMALL[kind], **more)


ONE_EACH = [run(name=f"dcgan.class{k}", subset=Subset(label=name)) for k, name in enumerate(NAMES)]
WAYS = {
    "none": [run()],
    "labels": [run("biggan", "biggan", labels=Labels(column="class"))],
    "runs": ONE_EACH,
    "single": [ONE_EACH[0]],
}


def listed(count: int = 20) -> pd.DataFrame:
    """Three pictures of four are of the class b."""
    classes = ["a" if k % 4 == 0 else "b" for k in range(count)]
    rows = {"id": [f"x-{k}" for k in range(count)], "class": classes, "file": [f"{c}/Quenby.png" for c in classes]}
    hashed = {"patient": [f"P-{k}" for k in range(count)], "sha256": [f"{k:064x}"[::-1] for k in range(count)]}
    return pd.DataFrame(rows | hashed).assign(role="fit")


def released(folder: Path, runs: list[Run], channels: int = 1) -> Path:
    """What the target leaves of networks with weights of their own, which lie beside the folder."""
    folder.mkdir(parents=True)
    known, grid = labelled(runs[0], listed()), {"size_px": SIZE, "levels": [0, 255], "channels": channels}
    shape, files = shape_of(runs[0], SIZE, channels), []
    for k, one in enumerate(runs):
        torch.manual_seed(k)
        kind = trainable(one)
        modules = kind.build(shape, how_many(known))
        files.append(folder.parent / f"{k}.safetensors")
        weights.write(files[-1], {name: modules[name] for name in kind.averaged})
    path = folder / models.WEIGHTS
    weights.write(path, to_release(runs, files, shape, how_many(known)), half=True)
    write_json(folder / models.RECIPE, recipe(runs, "tiny", grid, listed(), listed(), sha256(path)))
    return folder


def test_a_generator_a_class_goes_into_one_file_and_draws_each_picture_by_that_of_its_class(tmp_path):
    network = load(released(tmp_path / "each", WAYS["runs"]))
    assert (network.name, network.card) == ("each", None)
    assert set(weights.read(tmp_path / "each" / models.WEIGHTS)) == {"class0_generator", "class1_generator"}
    assert network.recipe["classes"] == {"names": ["a", "b"], "shares": [0.25, 0.75]}
    made = network.sample(40, seed=1)
    assert made.images.dtype == np.uint8 and made.images.shape == (40, SIZE, SIZE)
    assert 2 <= (made.table["label"] == "a").sum() < 20
    for k, name in enumerate(NAMES):
        alone = network.sample(40, seed=1, label=name)
        own = (made.table["label"] == name).to_numpy()
        assert np.array_equal(alone.images[own], made.images[own])
        assert not np.array_equal(alone.images[~own], made.images[~own])
        whole = draw(*network.drawing[k], 40, 1, "pretrained/each")
        part = draw(*network.drawing[k], np.flatnonzero(own), 1, "pretrained/each")
        assert np.array_equal(whole[own], part)
    assert np.array_equal(network.sample(11, seed=1).images, made.images[:11])


def test_a_run_of_a_class_starts_from_the_networks_of_its_class(tmp_path):
    path = released(tmp_path / "each", WAYS["runs"]) / models.WEIGHTS
    given, kind, shape = weights.read(path), trainable(ONE_EACH[1]), shape_of(ONE_EACH[1], SIZE)
    assert [weights.part(path, one.subset) for one in ONE_EACH] == ["class0_", "class1_"]
    plan = RunPlan("generate/pictures/dcgan-3", 3, Training(steps=2, ema=0.9), start=path, part="class1_")
    state = TrainingState(kind, Source(lambda rng: {}, shape), plan, torch.device("cpu"))
    start_from(state, plan.start, plan.part)
    own = {name: value.to(torch.float16) for name, value in state.modules["generator"].state_dict().items()}

    def are_those_of(name):
        return all(torch.equal(value, given[name][key].to(torch.float16)) for key, value in own.items())

    assert are_those_of("class1_generator") and not are_those_of("class0_generator")


def test_one_that_learnt_by_label_is_told_it_and_one_without_classes_has_none(tmp_path):
    made = load(released(tmp_path / "x" / "labels", WAYS["labels"])).sample(9, seed=1, label="b")
    assert set(made.table["label"]) == {"b"} and len(made) == 9
    single = load(released(tmp_path / "y" / "single", WAYS["single"])).sample(3, seed=1)
    assert set(single.table["label"]) == {"a"}
    network = load(released(tmp_path / "z" / "none", WAYS["none"], channels=3))
    made = network.sample(3, seed=1)
    assert made.images.shape == (3, SIZE, SIZE, 3) and "label" not in made.table
    with pytest.raises(StudyError, match="label: got 'b'; none has learnt without classes"):
        network.sample(3, label="b")


def test_a_recipe_counts_the_pictures_that_were_shown_and_tells_no_name_of_a_file(tmp_path):
    few = [one.model_copy(update={"subset": one.subset.model_copy(update={"count": 4})}) for one in ONE_EACH]
    told = json.loads((released(tmp_path / "few", few) / models.RECIPE).read_text())
    assert told["images"] == len(told["pictures"]) == len(told["patients"]["fit"]) == 8
    assert told["grid"] == {"size_px": SIZE, "levels": [0, 255], "channels": 1}
    assert all(len(digest) == 16 for digest in told["pictures"])
    text = json.dumps(told)
    assert not any(word in text for word in ("Quenby", ".png", "_hu", "_mm"))


def test_a_picture_for_testing_that_shipped_weights_learnt_from_is_refused(tmp_path):
    told = json.loads((released(tmp_path / "none", WAYS["none"]) / models.RECIPE).read_text())
    shown = listed().assign(sha256=[f"{k:064x}"[::-1] for k in range(100, 120)])
    further = recipe(WAYS["none"], "further", told["grid"], shown, shown, "of further", [told])
    assert set(told["pictures"]) < set(further["pictures"]) and further["images"] == 20
    mine = listed().assign(patient="P-another", role=["test"] + ["fit"] * 19)
    with pytest.raises(DataError, match=r"and further has learnt from it"):
        refuse_seen(mine, {"further": further})
    with pytest.raises(DataError, match=r"pictures: a/Quenby.png is for testing here, and x has learnt from it"):
        refuse_seen(mine, {"x": told})
    refuse_seen(mine.assign(role="fit"), {"x": told})
    strangers = listed().assign(role="test", sha256=[f"{k + 99:064x}"[::-1] for k in range(20)])
    refuse_seen(strangers, {"x": told})


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_a_contact_sheet_shows_each_class_that_has_pictures(kind):
    bright = np.full((3, 32, 32), np.iinfo(kind).max, kind)
    page = contact_sheet({"a": bright, "empty": bright[:0]}, (0, int(np.iinfo(kind).max)))
    with Image.open(io.BytesIO(page)) as picture:
        pixels = np.asarray(picture.convert("L"))
    assert (pixels == 255).sum() == pytest.approx(3 * 96**2, abs=300)  # and the letters of the title


def study(tmp_path, monkeypatch, way, **changes):
    """The settings of a study that starts from a generator released in this way."""
    released(tmp_path / "models" / "x", WAYS[way])
    for folder in models.MODELS.glob("*/"):
        (tmp_path / "models" / folder.name).symlink_to(folder)
    monkeypatch.setattr(models, "MODELS", tmp_path / "models")
    monkeypatch.setenv("LUNGSYNTH_DATA", str(tmp_path))
    names = changes.pop("folders", NAMES)
    for name in names:
        (tmp_path / "mine" / name).mkdir(parents=True)
    config = copy.deepcopy(CONFIG) | {"chain": "pictures"}
    config["pictures"] |= {"path": "mine", "size_px": changes.pop("size_px", SIZE)}
    steps = changes.pop("steps", 4)
    config["generate"]["pictures"] |= {"init_from": "x", "training": {"steps": steps}} | changes
    return config


@pytest.mark.parametrize(
    ("way", "changes"),
    [
        ("none", {"classes": "none", "steps": 0}),
        ("none", {"classes": "runs"}),
        ("labels", {"classes": "labels", "steps": 0}),
        ("labels", {"classes": "labels", "folders": ("b",)}),
        ("runs", {"classes": "runs", "steps": 0}),
        ("runs", {"classes": "runs", "folders": ("b",)}),
        ("single", {"classes": "runs", "folders": ("a",), "steps": 0}),
        ("single", {"classes": "none"}),
    ],
)
def test_a_study_starts_from_what_fits_and_takes_over_what_it_is(tmp_path, monkeypatch, way, changes):
    one = load_study(study(tmp_path, monkeypatch, way, kind="wgan_gp", **changes))
    assert one.generate.pictures.kind == WAYS[way][0].kind
    assert one.generate.pictures.block()["z"] == 8


@pytest.mark.parametrize(
    ("way", "changes", "line"),
    [
        (
            "none",
            {"classes": "runs", "steps": 0},
            "was not told any classes, and no a, b; set generate.pictures.classes",
        ),
        ("none", {"classes": "labels", "kind": "biggan"}, "draws without classes; take"),
        ("labels", {"classes": "runs"}, "models/x draws a, b; set generate.pictures.classes to labels"),
        ("labels", {"classes": "labels", "folders": ("a", "c")}, "models/x draws a, b, and no c; name its classes in"),
        ("runs", {"classes": "none"}, "models/x draws a, b; set generate.pictures.classes to runs"),
        ("runs", {"classes": "runs", "folders": ("b", "c")}, "models/x draws a, b, and no c; name its classes in"),
        ("single", {"classes": "runs", "steps": 0}, "models/x draws a, and no b; name its classes in"),
        ("none", {"classes": "none", "size_px": 64}, "draws 32 px in grey, levels 0 to 255; this study, 64 px in grey"),
    ],
)
def test_classes_or_a_grid_that_do_not_fit_are_one_line(tmp_path, monkeypatch, way, changes, line):
    with pytest.raises(StudyError) as caught:
        load_study(study(tmp_path, monkeypatch, way, **changes))
    assert line in str(caught.value) and "\n" not in str(caught.value)
