"""Classifiers: the contract of every registered kind, equal sizes, scores by hand, bad input in one line."""

import copy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from pydantic import ValidationError

from lungsynth.nets.count import counts
from lungsynth.report import classifiers as page
from lungsynth.sets.bank import ImageSet
from lungsynth.sets.tables import write_csv, write_json
from lungsynth.study import evaluation
from lungsynth.study.errors import DataError, StudyError, TrainingError
from lungsynth.study.runs import Run
from lungsynth.study.seeds import rng as named_rng
from lungsynth.study.stages.generate import Labels
from lungsynth.study.stages.utility import Alter
from lungsynth.study.training import Training
from lungsynth.train.data import Shape
from lungsynth.utility.classify import table
from lungsynth.utility.classify.classifier import make_kind
from lungsynth.utility.classify.data import altered, as_tested, equal, learnt_from, sets_of, source
from lungsynth.utility.classify.registry import CLASSIFIERS
from lungsynth.utility.classify.scores import METRICS, Said, by_approach, metrics, read_said, symmetric_difference
from lungsynth.utility.classify.training import train_classifier
from lungsynth.workflow.settings import check_classified, load

CONFIG = yaml.safe_load((Path(__file__).resolve().parents[2] / "config.yaml").read_text(encoding="utf-8"))
WINDOW = (-1000, 400)
BY_SIZE = Labels(column="diameter_mm", cuts=(8,))
every_kind = pytest.mark.parametrize("name", CLASSIFIERS.names())


def discs(small, large, seed=0, size=32, patients=4):
    """Discs of 4 to 6 mm and of 12 to 18 mm."""
    rng = named_rng(seed, "discs")
    mm = np.concatenate([rng.uniform(4, 6, small), rng.uniform(12, 18, large)])
    y, x = np.mgrid[:size, :size] - size / 2
    masks = np.stack([np.hypot(y, x) < one / 2 for one in mm]).astype(np.uint8)
    hu = np.where(masks > 0, rng.normal(-100, 90, masks.shape), -1000).astype(np.int16)
    rows = pd.DataFrame({"id": [f"{seed}-{k}" for k in range(len(mm))], "diameter_mm": mm, "source": "scan"})
    return ImageSet(hu, masks, 1.0, rows.assign(patient=[f"p{k % patients}" for k in range(len(mm))]))


def sets(wanted=BY_SIZE, window=WINDOW, **given):
    made = {"fit": discs(20, 14), "generated": discs(12, 30, 1), "test": discs(10, 6, 2)} | given
    return sets_of(made["fit"], made["generated"], made["test"], wanted, window)


def run(name="resnet", trained_on="real", seed=5, steps=60, **block):
    training = Training(steps=steps, checkpoints=1, points_every=5, batch=8)
    label = f"{name}.{trained_on}"
    return Run(
        stage="utility", target="nodules", label=label, seed=seed, kind=name, settings=block, training=training,
        labels=BY_SIZE,
    )  # fmt: skip


@every_kind
@pytest.mark.parametrize("shape", [Shape(1, 32), Shape(3, 64)])
def test_every_class_of_an_image_gets_a_number_whatever_lies_beside_it(name, shape):
    kind = make_kind(name, {})
    torch.manual_seed(1)
    modules = {key: module.eval() for key, module in kind.build(shape, 3).items()}
    images = torch.rand(5, shape.channels, shape.size_px, shape.size_px) * 2 - 1
    with torch.no_grad():
        together, alone = kind.logits(modules, images), kind.logits(modules, images[3:4])
    assert together.shape == (5, 3) and together.isfinite().all()
    torch.testing.assert_close(together[3:4], alone, atol=1e-5, rtol=1e-5)


@every_kind
def test_a_kind_learns_what_is_easy_and_twice_gives_the_same_bytes(name, tmp_path):
    made = []
    for k in range(2):
        folder = tmp_path / str(k)
        folder.mkdir()
        said, facts = train_classifier(run(name), sets(), Alter(), "cpu", folder / "losses.csv")
        write_csv(folder / "predictions.csv", said)
        made.append([(folder / part).read_bytes() for part in ("losses.csv", "predictions.csv")])
        right = (said["truth"] == said["predicted"]).groupby(said["set"]).mean()
    assert made[0] == made[1]
    losses = pd.read_csv(folder / "losses.csv")["loss_classifier"]
    assert losses.iloc[-1] < 0.5 * losses.iloc[0]
    assert right["test"] > 0.9 and right["generated"] > 0.9
    assert facts["learnt"] == {"below 8": 12, "8 and above": 14} and facts["parameters"] > 1000
    np.testing.assert_allclose(said.filter(like="probability").sum(axis=1), 1, atol=1e-5)


@every_kind
def test_impossible_settings_are_one_clear_line(name):
    settings = CLASSIFIERS.settings(name)
    settings().check_size(32)
    with pytest.raises((StudyError, ValueError)) as caught:
        settings().check_size(2)
    assert "2 px" in str(caught.value) and "\n" not in str(caught.value)
    for wrong in ({"learning_rate": 0}, {"no_such_key": 1}, {"preset": "none of these"}):
        with pytest.raises(ValidationError):
            settings(**wrong)


def test_levels_are_stated_whole():
    with pytest.raises(ValidationError, match="equally long"):
        CLASSIFIERS.settings("resnet")(layers=(1, 1))
    with pytest.raises(ValidationError, match="every branch needs channels"):
        CLASSIFIERS.settings("inception")(levels=(((1, 1, 0, 1, 1, 1),),))


@pytest.mark.parametrize(
    ("name", "preset", "parameters"),
    [
        ("resnet", "resnet18", 11_689_512),
        ("resnet", "resnet50", 25_557_032),
        ("resnet", "resnet101", 44_549_160),
        ("vgg", "vgg16", 138_365_992),
        ("vgg", "vgg19", 143_678_248),
        # GoogLeNet of 2014, 6,998,552, has a bias for each of 7,280 channels where batch norm has two numbers.
        ("inception", "googlenet", 6_998_552 + 7_280),
    ],
)
def test_published_sizes_have_the_published_number_of_parameters(name, preset, parameters):
    with torch.device("meta"):
        network = make_kind(name, {"preset": preset}).build(Shape(3, 224), 1000)["classifier"]
    assert counts(network)[0] == parameters


def test_our_residual_network_computes_what_monai_s_does():
    from monai.networks.nets import ResNet

    ours = make_kind("resnet", {"layers": (1, 2, 1, 1)}).build(Shape(1, 32), 3)["classifier"].eval()
    theirs = ResNet(
        "basic", [1, 2, 1, 1], [8, 16, 32, 64], 2, 1, 3, 2, no_max_pool=True, num_classes=3, bias_downsample=False
    ).eval()
    # Convolutions and norms come in the order of the forward pass in both, but shortcuts at the end of a block.
    theirs.load_state_dict(dict(zip(theirs.state_dict(), ours.state_dict().values(), strict=True)))
    images = torch.rand(2, 1, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(ours(images), theirs(images))


def test_both_sets_are_cut_to_the_same_number_of_each_class():
    cut = equal(sets(), 5, "x")
    assert cut.fit.counts(2).tolist() == cut.generated.counts(2).tolist() == [12, 14]
    again, other = equal(sets(), 5, "x"), equal(sets(), 6, "x")
    assert cut.fit.table.equals(again.fit.table) and not cut.fit.table.equals(other.fit.table)
    assert [learnt_from(cut, name).counts(2).tolist() for name in evaluation.TRAINED_ON] == [[12, 14]] * 2 + [[24, 28]]
    assert set(learnt_from(cut, "combined").table["id"]) == {*cut.fit.table["id"], *cut.generated.table["id"]}


def test_generated_images_are_tested_in_the_proportions_of_the_test_images():
    given = sets(test=discs(10, 6, 2), generated=discs(5, 30, 1))
    assert as_tested(given.generated, given.test, 2, 1, "x").counts(2).tolist() == [5, 3]
    many = sets(test=discs(10, 6, 2), generated=discs(50, 30, 1))
    assert as_tested(many.generated, many.test, 2, 1, "x").counts(2).tolist() == [10, 6]


def test_trainings_of_one_kind_and_seed_start_alike_whatever_they_learn_from(tmp_path):
    """Of two sets that are the same they are one training, whatever each is called."""
    same, made = sets(generated=discs(20, 14)), {}
    for name in ("real", "generated"):
        said, _ = train_classifier(run(trained_on=name, steps=4), same, Alter(), "cpu", tmp_path / name)
        made[name] = said[said["set"] == "test"]
    assert made["real"].equals(made["generated"])
    assert (tmp_path / "real").read_bytes() == (tmp_path / "generated").read_bytes()


def test_a_batch_has_as_many_of_each_class_and_stays_in_them():
    one = sets().fit
    data = source(one, 2, 8, Alter(shift_px=0, grey=0))
    batch = data.draw(named_rng(1))
    assert np.bincount(batch["labels"]).tolist() == [4, 4]
    known = {tuple(image.flatten().tolist()): label for image, label in zip(one.images, one.labels, strict=True)}
    assert [known[tuple(image.flatten().tolist())] for image in batch["images"]] == batch["labels"].tolist()
    assert torch.equal(batch["images"], data.draw(named_rng(1))["images"])


def test_images_are_mirrored_only_where_that_is_asked_for():
    images = torch.zeros(64, 1, 8, 8)
    images[..., 0] = 1
    still = altered(images, Alter(shift_px=0, grey=0), named_rng(1))
    mirrored = altered(images, Alter(shift_px=0, grey=0, mirror=True), named_rng(1))
    assert torch.equal(still, images)
    flipped = (mirrored[:, 0, 0, -1] == 1).float().mean()
    assert 0.3 < flipped < 0.7 and torch.equal(mirrored.sum((1, 2, 3)), images.sum((1, 2, 3)))


def pictures(names, column, seed=0, colour=True):
    """Pictures of 8 bits, in colour or not."""
    values = named_rng(seed, "pictures").integers(0, 256, (len(names), 32, 32, *([3] if colour else [])))
    rows = pd.DataFrame({"id": range(len(names)), column: names, "patient": [f"p{k}" for k in range(len(names))]})
    return ImageSet(values.astype(np.uint8), np.zeros((len(names), 32, 32), np.uint8), 1.0, rows)


def test_pictures_have_the_classes_of_their_folders_and_generated_ones_what_they_were_asked_for():
    fit = pictures(["b", "a", "a", "b", "a"], "class")
    made, test = pictures(["b", "b", "a", "a"], "label", 1), pictures(["a", "b", "c"], "class", 2)
    known = sets_of(fit, made, test, Labels(column="class"), (0, 255))
    assert known.names == ("a", "b") and known.fit.images.shape == (5, 3, 32, 32)
    assert known.fit.labels.tolist() == [1, 0, 0, 1, 0] and known.generated.labels.tolist() == [1, 1, 0, 0]
    assert known.test.table["id"].tolist() == ["0", "1"]  # of a folder that is new, nothing can be learnt
    assert known.fit.images.min() == -1 and known.fit.images.max() == 1
    assert float(known.fit.images[1, 2, 3, 4]) == pytest.approx(fit.images[1, 3, 4, 2] / 127.5 - 1, abs=1e-6)
    assert (known.generated.table["patient"] == "").all()


def flat(one):
    return ImageSet(np.full_like(one.images, 7), one.masks, one.mm_per_px, one.table)


@pytest.mark.parametrize(
    ("given", "error", "line"),
    [
        (
            {"fit": discs(9, 0)},
            TrainingError,
            "images of the fit bank are of one class; .*below 8 9, 8 and above 0",
        ),
        ({"fit": discs(9, 1)}, DataError, "the class '8 and above' by diameter_mm has 1 images in the fit bank, 2 are"),
        ({"generated": discs(9, 1)}, DataError, "'8 and above' .* has 1 images in the generated set, 2 are needed"),
        ({"test": discs(0, 9)}, DataError, "the class 'below 8' .* has 0 images in the test bank, 1 are needed"),
        ({"wanted": Labels(column="texture")}, DataError, "the fit bank has no column 'texture'"),
        ({"generated": pictures(["a"] * 4, "kind")}, DataError, "has neither a column 'diameter_mm' nor 'label'"),
        (
            {"test": flat(discs(9, 9))},
            DataError,
            "the test bank: every image of the class 'below 8' has one grey",
        ),
        ({"window": (2000, 3000)}, DataError, r"the fit bank: every image .* in the window \[2000, 3000\]"),
        (
            {"test": discs(9, 9, size=16)},
            DataError,
            r"differ in channels or size: .*the test bank \[1, 16, 16\]",
        ),
    ],
)
def test_what_cannot_be_learnt_from_is_one_clear_line(given, error, line):
    with pytest.raises(error, match=line) as caught:
        sets(**given)
    assert "\n" not in str(caught.value)


def test_fewer_images_than_a_batch_are_refused():
    with pytest.raises(TrainingError, match="34 images are fewer than a batch of 35"):
        source(sets().fit, 2, 35, Alter())


def test_scores_are_those_of_the_confusion_table():
    """Counted by hand: 8 of 10 and 9 of 10 right."""
    found = dict(zip(METRICS, metrics(np.array([[8, 2], [1, 9]])), strict=True))
    assert found == pytest.approx(
        {
            "accuracy": 17 / 20,
            "precision": (8 / 9 + 9 / 11) / 2,
            "recall": (0.8 + 0.9) / 2,
            "f1": (16 / 19 + 18 / 21) / 2,
            "balanced_accuracy": 0.85,
        }
    )
    uneven = dict(zip(METRICS, metrics(np.array([[90, 0, 0], [5, 5, 0], [2, 0, 0]])), strict=True))
    assert uneven["accuracy"] == pytest.approx(95 / 102)
    assert uneven["balanced_accuracy"] == uneven["recall"] == pytest.approx((1 + 0.5 + 0) / 3)
    assert uneven["precision"] == pytest.approx((90 / 97 + 1 + 0) / 3)
    assert uneven["f1"] == pytest.approx((180 / 187 + 10 / 15 + 0) / 3)
    assert np.isnan(metrics(np.array([[4, 1], [0, 0]]))[1:]).all()  # a class that is not there has no recall


def test_gist_s_differences_are_symmetric_ones():
    """FACTS 7.1: what the text gives follows from the accuracies of its Table 2."""
    base = {"inception": 78.36, "resnet": 82.69, "vgg": 82.21}
    for other, given in (
        ({"inception": 65.87, "resnet": 69.71, "vgg": 68.27}, (17.32, 17.03, 18.53)),
        ({"inception": 74.03, "resnet": 65.86, "vgg": 59.61}, (5.68, 22.66, 31.87)),
    ):
        for (name, value), reported in zip(other.items(), given, strict=True):
            assert 100 * symmetric_difference(base[name], value) == pytest.approx(reported, abs=0.006)


def said(trained_on, right, seed=1, kind="resnet", patients=20, each=5):
    """A training of which so many images of each patient are right; classes by turns."""
    on = ("test", "generated") if trained_on == "real" else ("test",)
    rows = [
        {"id": f"{p}-{k}", "patient": "" if name == "generated" else f"p{p}", "set": name, "truth": "ab"[k % 2]}
        | {"predicted": "ab"[k % 2 if k < right(p) else 1 - k % 2]}
        for name in on
        for p in range(patients)
        for k in range(each)
    ]
    facts = {"kind": kind, "trained_on": trained_on, "seed": seed, "classes": ["a", "b"], "learnt": {"a": 30, "b": 31}}
    return Said(facts, pd.DataFrame(rows), "0" * 64)


def rows_of(frame, **wanted):
    return frame[(frame[list(wanted)] == pd.Series(wanted)).all(axis=1)]


def test_intervals_are_those_of_patients_and_not_of_images():
    """Half of the patients are all right, the other half all wrong: as sure as 20 throws of a coin, not as 100."""
    found = by_approach([said("real", lambda p: 5 * (p % 2))], 1, 2000)
    (row,) = rows_of(table.of_trainings(found, 0.95), approach="base", metric="accuracy").to_dict("records")
    half = 1.96 * (0.25 / 20) ** 0.5
    assert row["value"] == 0.5 and (row["n_train"], row["n_test"], row["units"]) == (61, 100, 20)
    assert row["low"] == pytest.approx(0.5 - half, abs=0.03) and row["high"] == pytest.approx(0.5 + half, abs=0.03)
    (row,) = rows_of(table.of_trainings(found, 0.95), approach="gan_test", metric="accuracy").to_dict("records")
    assert row["units"] == 100 and row["high"] - 0.5 == pytest.approx(1.96 * (0.25 / 100) ** 0.5, abs=0.015)


def test_one_patient_gives_no_interval():
    found = by_approach([said("real", lambda p: 3, patients=1)], 1, 50)
    rows = rows_of(table.of_trainings(found, 0.95), approach="base")
    assert len(rows) == 5 and rows[["low", "high"]].isna().all(axis=None)


def test_a_difference_to_base_is_drawn_in_pairs():
    """Every patient loses one image: the difference is .2 whoever is drawn, however unequal patients are."""
    trainings = [
        *(said("real", lambda p: 2 + p % 4, seed) for seed in (1, 2)),
        *(said("generated", lambda p: 1 + p % 4, seed) for seed in (1, 2)),
        *(said("combined", lambda p: 2 + p % 4, seed) for seed in (1, 2)),
    ]
    summary = table.of_approaches(by_approach(trainings, 1, 400), 0.95)
    assert summary["approach"].drop_duplicates().tolist() == ["base", "gan_train", "gan_test", "combined"]
    accuracy = summary[summary["metric"] == "accuracy"].set_index("approach")
    lost, same, other = accuracy.loc["gan_train"], accuracy.loc["combined"], accuracy.loc["gan_test"]
    assert [lost["difference"], lost["difference_low"], lost["difference_high"]] == pytest.approx([0.2] * 3)
    assert lost["symmetric_difference"] == pytest.approx(0.2 / 0.6) and lost["seeds"] == 2 and lost["sd"] == 0
    assert [same["difference"], same["difference_low"], same["difference_high"]] == pytest.approx([0] * 3)
    assert other["difference"] == 0 and other["difference_low"] < -0.03 < 0.03 < other["difference_high"]
    assert lost["high"] - lost["low"] > 0.1
    assert accuracy.loc["base", ["difference", "symmetric_difference"]].isna().all()


def test_confusion_tables_hold_every_image_once():
    found = by_approach([said("real", lambda p: 3)], 1, 20)
    confusions = table.of_confusions(found)
    assert confusions.groupby("approach")["count"].sum().to_dict() == {"base": 100, "gan_test": 100}
    assert rows_of(confusions, approach="base", truth="a")["count"].tolist() == [40, 20]  # 0, 2 right and 4 wrong of 5


def test_the_paper_s_rows_stand_beside_ours():
    trainings = [said("real", lambda p: 4), said("generated", lambda p: 3)]
    claims = table.claims(table.of_approaches(by_approach(trainings, 1, 100), 0.95))
    scores = claims[claims["claim"] == "score"]
    assert len(scores) == 9 * 4 and scores["reported"].between(0, 1).all()
    # Every accuracy is a whole number of 208 pictures, cut or rounded to two digits of per cent (FACTS 7.1).
    accuracies = scores.loc[scores["metric"] == "accuracy", "reported"] * 208
    assert (accuracies - accuracies.round()).abs().max() < 0.03
    assert accuracies.round().tolist() == [163, 137, 154, 172, 145, 137, 171, 142, 124]
    (order,) = claims[(claims["classifier"] == "resnet") & claims["claim"].str.startswith("base")].to_dict("records")
    assert order["ours"] == pytest.approx(0.2) and order["agrees"] == "yes" and order["reported"] > 0
    absent = claims[claims["classifier"] == "vgg"]
    assert absent["ours"].isna().all() and set(absent["reason"]) == {"not trained here"}
    apart = claims[claims["claim"].str.startswith("symmetric")]
    assert (100 * apart["reported"]).round(2).tolist() == [17.32, 5.68, 17.03, 22.66, 18.53, 31.87]


def test_class_names_that_look_like_numbers_come_back_as_they_were(tmp_path):
    rows = said("real", lambda p: 3).table.replace({"a": "007", "b": "NA"}).assign(**{"probability 007": 0.5})
    write_csv(tmp_path / "p.csv", rows)
    write_json(tmp_path / "f.json", {"classes": ["007", "NA"], "kind": "x", "trained_on": "real", "seed": 1})
    again = read_said(tmp_path / "p.csv", tmp_path / "f.json")
    assert again.table["truth"].tolist() == rows["truth"].tolist()
    assert by_approach([again], 1, 20)[0].confusion.sum() == 100


def study(**changes):
    config = copy.deepcopy(CONFIG)
    config["utility"]["classify"] |= changes
    return load(config)


def test_every_kind_learns_from_every_set_with_every_seed_at_one_budget():
    runs = evaluation.classifiers(study(kinds=["resnet", "vgg"]))
    assert len(runs) == 2 * 3 * 3 and len({one.name for one in runs}) == len(runs)
    assert {one.training for one in runs} == {study().utility.classify.training}
    assert runs[0].name == "utility/nodules/resnet.real-2023" and runs[0].settings["widths"] == [8, 16, 32, 64]
    assert [evaluation.trained_on(one) for one in runs[::3]] == [*evaluation.TRAINED_ON] * 2


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kinds": ["resnext"]}, r"utility\.classify\.kinds: no classifier 'resnext'.*resnet"),
        ({"kinds": ["vgg", "vgg"]}, "kinds names vgg twice"),
        ({"settings": {"vgg": {}}}, "settings: vgg is not trained; kinds names resnet"),
        ({"settings": {"resnet": {"widht": 1}}}, r"utility\.classify\.settings\.resnet\.widht: unknown key"),
        ({"training": {"checkpoints": 2}}, "checkpoints must be 1"),
        ({"training": {"steps": 0, "checkpoints": 1}}, "steps must be 1 at least"),
    ],
)
def test_settings_that_cannot_be_are_one_clear_line(changes, words):
    with pytest.raises(StudyError, match=words) as caught:
        study(**changes)
    assert "\n" not in str(caught.value)


def test_a_kind_that_cannot_take_the_images_is_refused():
    check_classified(study())
    deep = {"layers": [1] * 6, "widths": [8] * 6}
    with pytest.raises(StudyError, match=r"utility\.classify: images of 32 px do not suit the kind resnet: 32 px are"):
        check_classified(study(settings={"resnet": deep}))


def test_the_report_shows_every_approach_with_its_interval_and_its_distance_to_base():
    trainings = [said("real", lambda p: 4), said("generated", lambda p: 2 + p % 2), said("combined", lambda p: 4)]
    summary = table.of_approaches(by_approach(trainings, 1, 100), 0.95)
    chart, shown = page.chart(summary), page.table(summary)
    assert [name for _, name, _ in chart.legend] == ["base", "GAN-train", "GAN-test", "combined"]
    assert chart.svg.count("<title>") == 4 and "resnet, GAN-train: 0.5, n 100" in chart.svg
    assert chart.svg == page.chart(summary).svg
    rows = [dict(zip(shown.columns, row, strict=True)) for row in shown.rows]
    assert rows[1]["base minus this, accuracy"].startswith("0.3 (") and rows[0]["base minus this, accuracy"] == ""
    assert rows[1]["symmetric difference"] == "0.462" and rows[1]["accuracy"] == "0.5" and rows[3]["n train"] == "61"


def test_pictures_are_classified_by_their_folders_and_only_where_they_are_drawn_by_class():
    config = copy.deepcopy(CONFIG) | {"chain": "pictures"}
    config["pictures"] |= {"path": "films", "classes": ["ill", "well"]}
    one = evaluation.classifiers(load(config))[0]
    assert one.name == "utility/pictures/resnet.real-2023"
    assert one.labels == Labels(column="class", names=("ill", "well"))
    check_classified(load(config))
    config["generate"]["pictures"]["classes"] = "none"
    with pytest.raises(StudyError, match=r"generate\.pictures\.classes: none draws pictures without classes"):
        check_classified(load(config))
