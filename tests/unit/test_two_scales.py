"""Slices in two scales: the detail network under the loop, what it draws, and what studies say of it."""

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from torch.nn import functional

from lungsynth.ct import volume
from lungsynth.ct.files import sha256
from lungsynth.generate.augment import alter
from lungsynth.generate.data import bank_source, to_tensor
from lungsynth.generate.detail.kind import crop_source
from lungsynth.generate.detail.network import enlarge, shrink
from lungsynth.generate.folder import write_folder
from lungsynth.generate.gan_settings import Augment
from lungsynth.generate.losses import squared_slope
from lungsynth.generate.pretrained import load as load_pretrained
from lungsynth.generate.release import recipe
from lungsynth.generate.sample import draw
from lungsynth.generate.trained import generator_of, load_all, trainable
from lungsynth.nets.grain import log_spectrum
from lungsynth.sets.bank import ImageSet
from lungsynth.sets.tables import read_csv, write_json
from lungsynth.study import models
from lungsynth.study.errors import DataError, StudyError, TrainingError
from lungsynth.study.runs import Run, drawn_by, runs_of
from lungsynth.study.training import Training
from lungsynth.train import weights
from lungsynth.train.checkpoints import RunPlan
from lungsynth.train.data import Shape
from lungsynth.train.loop import run_checkpoint
from lungsynth.workflow.settings import load

CONFIG = yaml.safe_load((Path(__file__).resolve().parents[2] / "config.yaml").read_text(encoding="utf-8"))
SIZE, FACTOR, WINDOW = 64, 2, (-1000, 400)
COARSE = {
    "z": 8,
    "generator_channels": 16,
    "generator_least": 8,
    "critic_channels": 4,
    "critic_most": 8,
    "pixel_norm": True,
    "r1": 0.3,
    "augment": {"shift_px": 1, "grey": 0.02, "share": 0.5},
}
DETAIL = {
    "network": {"channels": 4, "blocks": 1, "judge_channels": 4},
    "objective": {"crop_px": 32, "alone": 1},
    "factor": FACTOR,
}


def run(kind, settings, factor=1, **training):
    made = {"steps": 4, "checkpoints": 1, "points_every": 1, "batch": 3, "ema": 0.9} | training
    given = {"label": kind, "seed": 5, "kind": kind, "settings": settings, "factor": factor}
    return Run(stage="generate", target="normals", training=Training(**made), **given)


RUNS = [run("dcgan", COARSE, FACTOR), run("detail", DETAIL)]


def slices(n=6):
    rng = np.random.default_rng(0)
    hu = np.clip(rng.normal(-400, 300, (n, SIZE, SIZE)), -1000, 400).astype(np.int16)
    table = pd.DataFrame({"id": range(n), "patient": "a", "scan": "a-1"})
    return ImageSet(hu, np.ones_like(hu, np.uint8), 2.0, table)


def source(one):
    real = to_tensor(slices(), WINDOW, with_mask=False)
    if one.kind == "detail":
        return crop_source(real, one.training.batch, one.settings["objective"]["crop_px"], FACTOR)
    return bank_source(shrink(real, one.factor), one.training.batch, turn="none")


def train(one, folder, checkpoints=1):
    folder.mkdir(exist_ok=True)
    pieces = one.training.model_copy(update={"checkpoints": checkpoints})
    plan, state = RunPlan(one.name, one.seed, pieces, device="cpu"), None
    for k in range(checkpoints):
        files = [folder / f"state-{k}.pt", folder / f"state-{k}.json", folder / f"losses-{k}.csv"]
        run_checkpoint(trainable(one), source(one), replace(plan, checkpoint=k), state, *files)
        state = files[0]
    return state


@pytest.fixture(scope="module")
def states(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two_scales")
    return [train(one, folder / one.kind) for one in RUNS]


@pytest.mark.parametrize("one", RUNS, ids=lambda one: one.kind)
def test_two_checkpoints_end_in_the_bytes_of_one(one, tmp_path):
    assert train(one, tmp_path / "a").read_bytes() == train(one, tmp_path / "b", checkpoints=2).read_bytes()


def test_a_step_changes_all_weights_of_the_detail_network_and_of_its_judge():
    kind, data = trainable(RUNS[1]), source(RUNS[1])
    torch.manual_seed(0)
    modules = kind.build(data.shape)
    before = {name: copy.deepcopy(dict(module.named_parameters())) for name, module in modules.items()}
    optimisers = kind.optimisers(modules)
    for update in kind.step(modules, iter(lambda: data.draw(np.random.default_rng(1)), None), torch.Generator(), 5):
        optimisers[update.optimiser].zero_grad()
        update.loss.backward()
        optimisers[update.optimiser].step()
    for name, module in modules.items():
        now = dict(module.named_parameters())
        same = [key for key, old in before[name].items() if torch.equal(old, now[key])]
        # A judge's last bias cancels out of the hinge as long as both sides lie within its margin.
        assert set(same) <= {"wide.6.bias", "fine.4.bias"}


def test_a_slice_depends_on_its_index_alone_and_has_the_study_s_size(states):
    modules = load_all(RUNS, states, Shape(1, SIZE // FACTOR))
    few, many = (draw(generator_of(RUNS), modules, n, 7, "normals") for n in (3, 11))
    assert many.shape == (11, 1, SIZE, SIZE) and np.abs(many).max() <= 1
    assert np.array_equal(few, many[:3]) and not np.array_equal(many[0], many[8])


def test_crops_lie_on_the_coarse_grid_and_few_slices_are_one_line():
    real = to_tensor(slices(), WINDOW, with_mask=False)
    crop = crop_source(real, 3, 30, 4).draw(np.random.default_rng(0))["images"]
    assert crop.shape == (3, 1, 28, 28)
    means = shrink(real, 4)
    found = [
        any(torch.allclose(shrink(one, 4), means[k, :, r : r + 7, c : c + 7]) for r in range(10) for c in range(10))
        for one in crop
        for k in range(len(real))
    ]
    assert sum(found) == len(crop)
    with pytest.raises(TrainingError, match="6 images are fewer than a batch of 7"):
        crop_source(real, 7, 32, 4)


def test_an_enlarged_constant_stays_constant():
    flat = torch.full((1, 1, 8, 8), 0.25)
    assert torch.allclose(enlarge(flat, 4), torch.full((1, 1, 32, 32), 0.25))
    assert torch.allclose(shrink(enlarge(flat, 4), 4), flat)


def test_alterations_are_none_where_none_are_asked_for_and_move_whole_pixels():
    images = torch.rand(4, 1, 16, 16, generator=torch.Generator().manual_seed(1))
    assert alter(images, Augment(), torch.Generator()) is images
    moved = alter(images, Augment(shift_px=2), torch.Generator().manual_seed(2))
    assert all(
        set(one.flatten().tolist()) <= set(old.flatten().tolist()) for one, old in zip(moved, images, strict=True)
    )
    turned = alter(torch.full((3, 1, 16, 16), 0.5), Augment(share=1), torch.Generator().manual_seed(3))
    assert torch.allclose(turned, torch.full((3, 1, 16, 16), 0.5))


def test_the_slope_penalty_of_a_linear_critic_is_the_square_of_its_weights():
    weight, images = torch.rand(9, requires_grad=True), torch.rand(5, 9, requires_grad=True)
    slope = squared_slope(images @ weight, images)
    assert slope.item() == pytest.approx(weight.detach().square().sum().item(), rel=1e-6)
    slope.backward()
    assert weight.grad is not None


@pytest.fixture
def released(states, tmp_path):
    """A folder as models/ holds it, outside of models/."""
    folder = tmp_path / "tiny_slices"
    folder.mkdir()
    modules = load_all(RUNS, states, Shape(1, SIZE // FACTOR))
    path = folder / models.WEIGHTS
    weights.write(path, {name: modules[name] for name in ("generator", "detail")}, half=True)
    cohort = pd.DataFrame({"scan": ["a-1", "b-1"], "patient": ["a", "b"], "pixels": ["one", "two"]})
    cohort = cohort.assign(role="fit", kind="volume")
    grid = {"size_px": SIZE, "mm_per_px": 2.0, "window_hu": [-1000, 400]}
    write_json(folder / models.RECIPE, recipe(RUNS, "tiny", grid, slices().table, cohort, sha256(path)))
    (folder / models.CARD).write_text("# tiny\n")
    return folder


def test_released_weights_of_half_precision_draw_what_the_states_draw(released, states):
    network = load_pretrained(released)
    made = network.sample(3, seed=1)
    assert made.images.shape == (3, SIZE, SIZE) and made.images.dtype == np.int16
    assert made.masks.shape == made.images.shape and made.mm_per_px == 2.0
    assert made.table["source"][2] == "tiny_slices:1:2" and set(made.table["weights"]) == {network.recipe["sha256"]}
    assert network.recipe["patients"] == {"fit": ["a"]} and network.recipe["scans"] == ["one"]
    modules = load_all(RUNS, states, Shape(1, SIZE // FACTOR))
    whole = draw(generator_of(RUNS), modules, 3, 1, "pretrained/tiny_slices")
    half = draw(*network.drawing[0], 3, 1, "pretrained/tiny_slices")
    assert np.abs(whole - half).max() < 0.02
    assert network.sample(2, seed=1).images.tobytes() == made.images[:2].tobytes()


def test_what_is_no_generator_is_one_line():
    with pytest.raises(StudyError, match="load: 'nodule_segmenter' is no generator"):
        load_pretrained("nodule_segmenter")
    with pytest.raises(StudyError, match="load: got 'ct_slizes'"):
        load_pretrained("ct_slizes")


def test_weights_that_were_changed_are_refused(released):
    path = released / models.WEIGHTS
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    with pytest.raises(DataError, match="SHA-256"):
        load_pretrained(released)


def with_normals(**changes):
    config = copy.deepcopy(CONFIG)
    block = config["generate"]["normals"]
    block.update({"init_from": None, "kind": "dcgan", "dcgan": COARSE, "training": {"steps": 4}})
    block["detail"] = {"factor": 4, "training": {"steps": 4}} | changes.pop("detail", {})
    block.update(changes)
    return config


def test_a_study_with_a_factor_trains_two_runs_and_one_without_trains_one():
    study = load(with_normals())
    assert [(one.name, one.factor) for one in drawn_by(study, "normals")] == [
        ("generate/normals/dcgan-2023", 4),
        ("generate/normals/detail-2023", 1),
    ]
    whole = load(with_normals(detail={"factor": 1}))
    assert [one.factor for one in drawn_by(whole, "normals")] == [1]
    assert "generate/normals/detail-2023" not in runs_of(whole)


@pytest.mark.parametrize(
    ("config", "line"),
    [
        (with_normals(detail={"factor": 3}), "generate.normals.detail.factor: 3 does not divide image.size_px, 160"),
        (with_normals(detail={"factor": 16}), "image.size_px: 160 in steps of 16 px does not suit generate.normals"),
        (
            with_normals(labels={"column": "lesions"}),
            "generate.normals.labels: the kind dcgan draws without classes; take",
        ),
        (with_normals(training={"steps": 0}), "generate/normals/dcgan-2023: training.steps is 0, and init_from names"),
        (with_normals(detail={"init_from": "nothing"}), "init_from: got 'nothing'; that is no run of this study"),
        (with_normals(init_from="nodule_segmenter"), "generate.normals.init_from: models/nodule_segmenter holds no"),
    ],
)
def test_bad_settings_are_one_clear_line(config, line):
    with pytest.raises(StudyError) as caught:
        load(config)
    assert line in str(caught.value) and "\n" not in str(caught.value)


def test_a_detail_network_for_nodules_is_refused():
    config = copy.deepcopy(CONFIG)
    config["generate"]["nodules"]["detail"] = {"factor": 4}
    with pytest.raises(StudyError, match=r"generate\.nodules: detail: nodules are drawn in one piece"):
        load(config)


def test_a_shipped_network_is_taken_over_and_only_on_its_own_grid(released, monkeypatch):
    monkeypatch.setattr(models, "MODELS", released.parent)
    config = with_normals(init_from="tiny_slices", kind="wgan_gp", detail={"factor": 1})
    config["image"] = {"size_px": SIZE, "fov_mm": 128, "window_hu": [-1000, 400]}
    config["refine"]["objective"]["crop_px"] = SIZE
    config["refine"]["judge"] = config["refine"]["gate"]["eye"] = config["segment"]["init_from"] = config["generate"][
        "nodules"
    ]["init_from"] = None
    config["segment"]["training"]["steps"] = config["generate"]["nodules"]["training"]["steps"] = 6
    coarse, detail = drawn_by(load(config), "normals")
    assert (coarse.kind, coarse.settings["z"], coarse.factor) == ("dcgan", 8, 2)
    assert (detail.settings["network"]["channels"], detail.init_from) == (4, "tiny_slices")
    with pytest.raises(StudyError, match=r"draws 64 px of 2 mm .*; this study, 64 px of 1 mm"):
        load(config | {"image": config["image"] | {"fov_mm": 64}})
    config["generate"]["nodules"]["init_from"] = "tiny_slices"
    with pytest.raises(StudyError, match="models/tiny_slices holds no network for nodules"):
        load(config)


def test_a_drawn_folder_holds_images_with_spacing_masks_a_row_each_and_a_datasheet(released, tmp_path):
    network = load_pretrained(released)
    write_folder(tmp_path / "drawn", network.sample(3, seed=4), network, 4, slice_mm=2.5)
    rows = read_csv(tmp_path / "drawn/images.csv")
    assert rows["seed"].tolist() == [4, 4, 4] and rows["index"].tolist() == [0, 1, 2]
    for file in (*rows["file"], *rows["mask"]):
        one = volume.read(tmp_path / "drawn" / file)
        assert one.hu.shape == (1, SIZE, SIZE) and tuple(one.spacing_mm) == (2.5, 2.0, 2.0) and "_synthetic" in file
    page = (tmp_path / "drawn/DATASHEET.md").read_text()
    assert "NOT FOR DIAGNOSTIC USE" in page and network.recipe["sha256"] in page
    assert f"stand on its card\n({released}/CARD.md)." in page and "networks before it" not in page


def test_the_spectrum_tells_strength_and_length_of_grain_and_knows_white_noise():
    rng = torch.Generator().manual_seed(0)
    white = 0.1 * torch.randn(4, 1, 96, 96, generator=rng)
    found = log_spectrum(white)
    # The mean of the logarithm of an exponential power lies Euler's constant below its logarithm.
    assert found[3:8, 3:8].mean().item() == pytest.approx(np.log(0.01) - 0.5772, abs=0.05)
    assert (log_spectrum(2 * white) - found)[3:8, 3:8].mean().item() == pytest.approx(np.log(4), abs=0.01)
    long = functional.avg_pool2d(white, 3, 1, 1)
    assert log_spectrum(long)[8, 8] < found[8, 8] - 2 and log_spectrum(long)[1, 1] > found[1, 1] - 1
    assert torch.isfinite(log_spectrum(torch.zeros(1, 1, 32, 32))).all()
