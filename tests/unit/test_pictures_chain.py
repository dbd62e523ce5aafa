"""The chain of pictures in the library: parts of banks, classes, grey levels, settings that cannot be."""

import copy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lungsynth.ct.window import to_levels, to_unit
from lungsynth.features.classes import TURNS, of_pictures
from lungsynth.generate.data import to_tensor
from lungsynth.generate.sample import as_pictures
from lungsynth.generate.selection import select
from lungsynth.report.pictures import few_learnt_from
from lungsynth.sets.bank import ImageSet
from lungsynth.sets.parts import learnt_by, part_of
from lungsynth.study import comparison, runs
from lungsynth.study.errors import StudyError, TrainingError
from lungsynth.study.runs import Subset
from lungsynth.study.stages.generate import Selection
from lungsynth.workflow.settings import check_compared, load

CONFIG = yaml.safe_load((Path(__file__).resolve().parents[2] / "config.yaml").read_text(encoding="utf-8"))


def pictures(count: int, names=("a", "b"), channels: int = 1) -> ImageSet:
    shape = (count, 8, 8) if channels == 1 else (count, 8, 8, channels)
    images = np.random.default_rng(count).integers(0, 256, shape).astype(np.uint8)
    table = pd.DataFrame(
        {"id": [f"p{k}" for k in range(count)], "class": [names[k % len(names)] for k in range(count)]}
    )
    return ImageSet(images, np.zeros((count, 8, 8), np.uint8), 1.0, table)


def study(tmp_path, monkeypatch, **pictures_block):
    """A study of a folder with two classes."""
    monkeypatch.setenv("LUNGSYNTH_DATA", str(tmp_path))
    for name in ("a", "b"):
        (tmp_path / "mine" / name).mkdir(parents=True, exist_ok=True)
    config = copy.deepcopy(CONFIG)
    config |= {"chain": "pictures"}
    config["pictures"] |= {"path": "mine"}
    config["generate"]["pictures"] |= pictures_block
    return config


@pytest.mark.parametrize(("levels", "kind"), [((0, 255), np.uint8), ((0, 65535), np.uint16)])
def test_grey_levels_go_to_the_networks_scale_and_back(levels, kind):
    grey = np.linspace(*levels, 77).astype(kind)
    again = to_levels(to_unit(grey, levels), levels)
    assert again.dtype == kind and np.abs(again.astype(int) - grey).max() <= 1


@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 5))
def test_smaller_parts_lie_in_larger_ones(one, other, seed):
    bank = pictures(20)
    few, many = (set(part_of(bank, Subset(count=n), seed).table["id"]) for n in sorted((one, other)))
    assert len(few) == min(one, other) and few <= many


def test_a_part_is_of_one_class_and_not_larger_than_it():
    assert set(part_of(pictures(9), Subset(label="b"), 1).table["class"]) == {"b"}
    with pytest.raises(TrainingError, match="holds 4 of the class 'b', 5 are wanted"):
        part_of(pictures(9), Subset(label="b", count=5), 1)
    with pytest.raises(TrainingError, match="holds 0 of the class 'c'"):
        part_of(pictures(9), Subset(label="c"), 1)


@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_are_tensors_and_pictures_again(channels):
    bank = pictures(3, channels=channels)
    tensor = to_tensor(bank, (0, 255), with_mask=False)
    assert tensor.shape == (3, channels, 8, 8)
    again = as_pictures(tensor.numpy(), (0, 255), "dcgan:1")
    assert np.abs(again.images.astype(int) - bank.images).max() <= 1 and again.channels == channels


def test_an_extractor_of_one_class_learns_how_far_a_picture_is_turned():
    assert of_pictures(pictures(4).table).classes == ("a", "b")
    alone = of_pictures(pictures(4, names=("a",)).table)
    assert alone.turned and alone.classes == TURNS and not alone.mirrored


def test_selected_pictures_keep_the_proportion_in_which_classes_were_drawn():
    made, real = pictures(40), pictures(60)
    made = ImageSet(made.images, made.masks, 1.0, made.table.assign(label=["x"] * 10 + ["y"] * 30))
    features = [np.random.default_rng(k).normal(size=(len(one), 4)) for k, one in enumerate((made, real))]
    settings = Selection(keep=20, min_distance_quantile=0, min_likeness_quantile=None)
    rng = np.random.default_rng(1)
    kept = select(made, features[0], real, features[1], settings, (0, 255), "pictures", rng)
    assert made.take(kept.rows).table["label"].value_counts().to_dict() == {"y": 15, "x": 5}


def test_a_generator_a_class_takes_their_names_from_the_folder(tmp_path, monkeypatch):
    one = load(study(tmp_path, monkeypatch))
    assert [run.subset.label for run in runs.drawn_by(one, "pictures")] == ["a", "b"]
    assert one.image.window_hu == (0, 255) and one.image.mm_per_px == 1
    assert "CT" not in one.release.title


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ({"classes": "labels"}, "generate.pictures.classes: the kind dcgan draws without classes"),
        ({"use": "best_kid"}, "use: best_kid chooses among one run's states"),
        ({"count": 1}, "count: got 1"),
    ],
)
def test_what_cannot_be_is_one_line(tmp_path, monkeypatch, block, words):
    with pytest.raises(StudyError, match=words) as caught:
        load(study(tmp_path, monkeypatch, **block))
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_not_there_and_a_zip_without_names_are_said(tmp_path, monkeypatch):
    config = study(tmp_path, monkeypatch)
    for path, words in (("gone", "'gone' is not there"), ("mine.zip", "is a zip, whose classes must be named")):
        (tmp_path / "mine.zip").write_bytes(b"")
        config["pictures"]["path"] = path
        with pytest.raises(StudyError, match=words):
            load(config)
    config["pictures"]["path"] = None
    with pytest.raises(StudyError, match=r"pictures\.path: is missing"):
        load(config)


def test_sizes_and_sweeps_are_runs_of_the_study_s_generator(tmp_path, monkeypatch):
    config = study(tmp_path, monkeypatch)
    config["compare"]["sizes"] |= {"counts": [32, 64], "seeds": 2, "images": 1600}
    config["compare"]["sweep"] |= {"batch": [8, 16], "smooth": [0, 0.1], "images": 1600}
    one = load(config)
    sizes = comparison.contenders(one, "sizes")
    assert [(run.label, run.seed, run.subset.count) for run in sizes] == [
        *(("size32", 2023, 32), ("size32", 2024, 32)),
        *(("size64", 2023, 64), ("size64", 2024, 64)),
    ]
    assert {run.training.steps * run.training.batch for run in comparison.contenders(one, "sweep")} == {1600}
    assert [run.label for run in comparison.contenders(one, "sweep")] == [
        *("batch8.smooth0", "batch8.smooth0.1"),
        *("batch16.smooth0", "batch16.smooth0.1"),
    ]
    config["compare"]["sizes"]["counts"] = [8]
    with pytest.raises(StudyError, match=r"compare\.sizes\.counts: 8 is less than a batch, 16"):
        check_compared(load(config), "sizes")
    config["compare"]["sweep"]["gamma"] = [1]
    with pytest.raises(StudyError, match=r"compare\.sweep\.gamma: the kind dcgan has no such setting"):
        check_compared(load(config), "sweep")


def test_what_generators_have_learnt_from_is_the_union_of_their_parts(tmp_path, monkeypatch):
    bank, one = pictures(20), load(study(tmp_path, monkeypatch, count=4))
    drawn_by = runs.drawn_by(one, "pictures")
    found = learnt_by(bank, drawn_by, one.seed).table
    parts = [set(part_of(bank, run.subset, one.seed).table["id"]) for run in drawn_by]
    assert set(found["id"]) == set.union(*parts) and found["id"].is_unique and len(found) == 4 * len(drawn_by)
    assert learnt_by(bank, [run.model_copy(update={"subset": None}) for run in drawn_by], one.seed) is bank


def test_twenty_pictures_are_a_caution(tmp_path, monkeypatch):
    one = load(study(tmp_path, monkeypatch, count=20))
    assert "learnt from 20 pictures" in few_learnt_from(700, runs.drawn_by(one, "pictures"))[0]
    assert few_learnt_from(700, []) == []
