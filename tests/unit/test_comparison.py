"""Comparisons: equal budgets, rates searched for all alike, spoilt runs as rows, the paper's places beside ours."""

import copy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from lungsynth.compare import ledger, table
from lungsynth.compare.composites import LOTS, held_against
from lungsynth.compare.contender import facts, spent_by
from lungsynth.generate.drawn import draw_bank
from lungsynth.generate.trained import shape_of, trainable
from lungsynth.report import comparison as comparison_page
from lungsynth.sets.bank import ImageSet
from lungsynth.study import comparison
from lungsynth.study.errors import StudyError
from lungsynth.study.runs import Run, chosen
from lungsynth.study.training import Training
from lungsynth.train import weights
from lungsynth.workflow.files import Files
from lungsynth.workflow.settings import check_compared, load

CONFIG = yaml.safe_load((Path(__file__).resolve().parents[2] / "config.yaml").read_text(encoding="utf-8"))


def study(**changes):
    config = copy.deepcopy(CONFIG)
    config["compare"]["nodules"] |= changes
    return load(config)


def contender(kind, run, note="", **values):
    scores = [
        {"set": "generated", "metric": name, "value": value, "floor": 1.0, "warnings": ["few"]}
        for name, value in values.items()
    ]
    scores += [{"set": "held_out", "metric": name, "value": 99.0, "floor": 1.0, "warnings": []} for name in values]
    facts = {"images": 64, "steps": 8, "generator": 5, "critic": 6, "rate": 1.0}
    return {"kind": kind, "run": run, "note": note, "scores": scores, **facts}


def test_every_run_has_the_same_budget_and_starts_from_nothing():
    runs = comparison.contenders(study(), "nodules")
    assert len(runs) == 6 * 3 + 3
    assert {(run.training.steps * run.training.batch, run.init_from, run.compared) for run in runs} == {
        (16000, None, True)
    }
    assert len({run.name for run in runs}) == len(runs)


def test_a_kind_may_draw_slices_of_fewer_pixels_which_are_enlarged(tmp_path):
    config = copy.deepcopy(CONFIG)
    config["compare"]["lungs"] |= {"kinds": ["gan", "dcgan"], "coarse": {"gan": 4}, "rates": [1]}
    one = load(config)
    check_compared(one, "lungs")
    small, whole = comparison.contenders(one, "lungs")
    assert (small.kind, small.factor, whole.factor) == ("gan", 4, 1)
    shape = shape_of(small, one.image.size_px)
    assert shape.size_px == 40
    torch.manual_seed(0)
    kind = trainable(small)
    weights.write(tmp_path / "gan.safetensors", {name: kind.build(shape)[name] for name in kind.averaged})
    made = draw_bank([small], [tmp_path / "gan.safetensors"], 2, 1, "s", one.image, one.banks)
    assert made.images.shape == (2, 160, 160)
    assert facts(small, [], 1.0, {}, [])["note"].startswith("draws one pixel for 4 x 4")
    for coarse, words in (({"gan": 3}, "does not divide"), ({"biggan": 2}, "biggan is not compared")):
        config["compare"]["lungs"]["coarse"] = coarse
        with pytest.raises(StudyError, match=words):
            check_compared(load(config), "lungs")


def test_rates_are_tried_with_a_quarter_of_the_budget_and_both_networks_follow():
    tried = comparison.tried(study(rates=[0.5, 2]), "nodules", "stylegan")
    given = comparison.contenders(study(), "nodules")[-2]
    assert given.kind == "stylegan"
    for factor, run in tried.items():
        assert run.training.steps * 4 == given.training.steps
        for name in comparison.RATES:
            assert run.settings[name] == pytest.approx(factor * given.settings[name])
    one = study(rates=[2])
    assert comparison.tried(one, "nodules", "stylegan") == {}
    alone = comparison.contenders(one, "nodules")[-2]
    assert alone.settings["learning_rate"] == pytest.approx(2 * given.settings["learning_rate"])
    # What the table says of the rate, too.
    told = facts(alone, [], comparison.stated_rate([2]), {}, [])
    assert told["rate"] == 2 and comparison.stated_rate([0.5, 1, 2]) == comparison.stated_rate([]) == 1


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"kinds": ["dcgam"]}, r"compare\.nodules\.kinds: no generator 'dcgam'.*dcgan"),
        ({"kinds": ["gan", "diffusion"]}, r"diffusion stands in kinds and others twice"),
        ({"images": 100}, r"images: 100 is less than 128, a batch of 32 for each checkpoint and each rate"),
        ({"rates": [1, 0]}, r"rates must be above 0"),
        ({"settings": {"w_capsule": {"zz": 3}}}, r"compare\.nodules\.settings\.w_capsule\.zz: unknown key"),
        ({"settings": {"wgam": {}}}, r"wgam is not compared"),
    ],
)
def test_bad_settings_are_one_line(changes, words):
    with pytest.raises(StudyError, match=words):
        study(**changes)


def test_a_size_that_a_kind_cannot_take_is_said_for_the_target_alone():
    config = copy.deepcopy(CONFIG) | {"banks": CONFIG["banks"] | {"nodule_px": 36}}
    config["generate"]["nodules"]["init_from"] = None
    config["generate"]["nodules"] |= {"kind": "gan", "training": {"steps": 10}}
    made = load(config)
    with pytest.raises(StudyError, match=r"compare\.nodules: images of 36 px do not suit the kind \w+"):
        check_compared(made, "nodules")


def test_the_table_has_mean_and_spread_over_runs_and_counts_those_that_spoilt():
    runs = [contender("dcgan", "a", kid=1.0), contender("dcgan", "b", kid=3.0), contender("wgan", "c", "it burst")]
    kinds = table.of_kinds(runs).set_index("kind")
    row = kinds.loc["dcgan"]
    assert (row["kid"], row["kid_floor"], row["scored"]) == (2.0, 1.0, 2)
    assert row["kid_sd"] == pytest.approx(2**0.5)
    assert (kinds.loc["wgan", "runs"], kinds.loc["wgan", "scored"], kinds.loc["wgan", "note"]) == (1, 0, "c: it burst")
    assert pd.isna(kinds.loc["wgan", "kid"])
    assert len(table.scores(runs)) == 2


def test_differences_to_the_two_stages_are_columns_and_say_who_is_ahead():
    runs = [contender("gan", "a", kid=3.0), contender("wgan", "b", kid=1.0), contender("dcgan", "c", "it burst")]
    rows = [("gan", 2.0, 1.5, 2.5), ("wgan", 0.1, -0.2, 0.4), ("biggan", -1.0, -2.0, -0.5)]
    apart = pd.DataFrame(rows, columns=["first", "kid_difference", "low", "high"]).assign(second="two stages, refined")
    kinds = table.of_kinds(runs, apart)
    columns = [f"kid_minus_refined{end}" for end in ("", "_low", "_high")]
    assert kinds.columns[-1] == "note" and kinds["kind"].tolist() == ["gan", "wgan", "dcgan"]
    assert kinds.set_index("kind").loc["gan", columns].tolist() == [2.0, 1.5, 2.5]
    assert kinds.set_index("kind").loc["dcgan", columns].isna().all()
    real = ImageSet(np.zeros((6, 1, 1)), np.zeros((6, 1, 1)), 1.0, pd.DataFrame({"patient": list("aabcde")}))
    words, *lines = comparison_page._apart(apart, real)
    assert "6 images of 5 patients" in words
    ends = ["two stages, refined is ahead", "n is too small to tell", "biggan is ahead"]
    assert all(end in line for end, line in zip(ends, lines, strict=True))
    _, *lines = comparison_page._apart(apart, real.take([0, 1, 2]))
    assert all("2 patients only: n is too small to tell" in line for line in lines)


def test_two_stages_from_nothing_are_the_chains_networks_at_the_budget_and_from_no_weights():
    made = study()
    runs = comparison.from_nothing(made)
    assert [run.name for run in runs] == [
        "generate/nodules/w_capsule.nothing-2023",
        "generate/normals/dcgan.nothing-2023",
        "generate/normals/detail.nothing-2023",
        "refine/composites/cyclegan.nothing-2023",
    ]
    assert all(run.init_from is None and run.compared and comparison.is_from_nothing(run) for run in runs)
    assert {run.training.steps * run.training.batch for run in runs[:-1]} == {16000}
    assert runs[-1].training.steps == made.refine.training.steps == 300
    own = {run.name.replace(".nothing", ""): run for run in runs}
    assert all(own[run.name].settings == run.settings for run in chosen(made)[1:])
    spent = spent_by(runs, [{"generator": 1, "critic": 2}] * 4)
    assert (spent["images"], spent["generator"], spent["critic"]) == (3 * 16000 + 300, 4, 8)
    assert spent["trained"][2] == ["generate", "normals", "detail.nothing-2023"]


def test_a_budget_too_small_for_one_of_the_two_stages_is_said_and_they_can_be_left_out():
    config = copy.deepcopy(CONFIG)
    config["compare"]["lungs"] |= {"images": 64, "rates": [1], "checkpoints": 4}
    with pytest.raises(StudyError, match=r"compare\.lungs\.images: 64 is less than 128, a batch of 32 .*from_nothing"):
        check_compared(load(config), "lungs")
    config["compare"]["lungs"]["from_nothing"] = False
    check_compared(made := load(config), "lungs")
    assert not any("from_nothing" in file for file in Files(made, {}).shown("lungs", ".json"))


def test_a_lot_of_the_chain_and_one_of_the_comparison_are_not_held_against_each_other():
    kinds = ["gan", *(lot.title for lot in LOTS.values())]
    assert held_against(LOTS["refined"], kinds) == ["gan", "two stages, as laid", "two stages, all generated"]
    assert held_against(LOTS["from_nothing"], kinds) == ["gan"]


def test_claims_stand_beside_the_places_of_both():
    runs = [
        contender("w_capsule", "a", fid=9.0, inception_score=2.0),
        contender("wgan", "b", fid=3.0, inception_score=3.0),
        contender("diffusion", "c", fid=1.0, inception_score=3.0),
    ]
    claims = table.claims("nodules", table.of_kinds(runs)).set_index(["metric", "kind"])
    assert len(claims) == 4
    assert tuple(claims.loc[("fid", "w_capsule"), ["reported", "place_reported", "place_ours"]]) == (30.2, 1, 2)
    assert tuple(claims.loc[("inception_score", "wgan"), ["reported", "place_reported", "place_ours"]]) == (7.2, 2, 1)


def test_the_ledger_of_papers_fills_in_what_a_study_of_a_preset_finds():
    run = Run(
        stage="generate",
        target="pictures",
        label="dcgan",
        seed=1,
        kind="dcgan",
        settings={"preset": "chen"},
        training=Training(steps=5500, points_every=11),
    )
    networks = pd.DataFrame({"run": run.name, "network": ["generator", "critic"], "total": [26_129_728, 4_369_440]})
    table = ledger.rows([run], networks, [{"stop_step": 2200, "diverged_step": None}], [pd.DataFrame()])
    chen = table[table["paper"] == "Chen 2025"]
    ours = dict(zip(chen["claim"], chen["ours"], strict=True))
    assert ours["numbers of the generator"] == "26,129,728" and ours["where to stop"] == "stop at epoch 200"
    assert ours["the loss climbs again"] == "no divergence"
    assert not table.loc[table["paper"] != "Chen 2025", "ours"].any()
    assert table["note"].str.startswith("contradiction").sum() >= 5
