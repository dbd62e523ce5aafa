"""What is asked of every detector, and of one in the tests that judges no voxels, from training to score."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import BaseModel

import lungsynth.segment.kinds as room
from lungsynth.ct.volume import Volume
from lungsynth.segment import apply
from lungsynth.segment.inference import candidates
from lungsynth.segment.inference.grid import Grid
from lungsynth.segment.inference.planes import Scan
from lungsynth.segment.registry import DETECTORS
from lungsynth.segment.scoring.luna16 import evaluate
from lungsynth.segment.settings import DetectorSettings
from lungsynth.segment.training import windows
from lungsynth.segment.voxels import VoxelDetector
from lungsynth.study.errors import DataError, StudyError
from lungsynth.study.seeds import rng
from lungsynth.study.stages.segment import ChosenDetector, Cubes, Inference, Network, Windows
from lungsynth.study.training import Training
from lungsynth.train import weights
from lungsynth.train.checkpoints import RunPlan
from lungsynth.train.data import Source
from lungsynth.train.loop import run_checkpoint
from lungsynth.workflow.files import Files
from lungsynth.workflow.settings import load

TOYS = str(Path(__file__).with_name("toy_kinds"))
NAMES = [*DETECTORS.names(), "patch_classifier"]
NETWORK = Network(slices=3, spacing_mm=1.4)


@pytest.fixture(autouse=True)
def toys(monkeypatch):
    """The kinds of the tests stand beside the real ones."""
    monkeypatch.setattr(room, "__path__", [*room.__path__, TOYS])


def chest(seed: int, balls: int = 3) -> Scan:
    """Two lungs with balls of 9 to 12 mm and vessels along z."""
    stream = np.random.default_rng(seed)
    shape, spacing = (24, 96, 120), (2.5, 1.4, 1.4)
    hu = np.full(shape, 40, np.int16)
    lungs, nodules = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    lungs[2:22, 8:88, 6:56], lungs[2:22, 8:88, 64:114] = 1, 2
    hu[lungs > 0] = -850
    for column in (14, 44, 72, 102):
        hu[2:22, 20:26, column : column + 6] = 40
    volume = Volume(hu, spacing)
    for k in range(balls):
        place = (4 + 6 * k + stream.integers(3), 40 + stream.integers(34), (30, 90)[k % 2] + stream.integers(-8, 9))
        box, ball = volume.ball(volume.to_mm(np.array(place, float)), 4.5 + k / 2)
        nodules[box][ball] = k + 1
    hu[nodules > 0] = 0
    hu += stream.normal(0, 15, shape).astype(np.int16)
    return Scan(f"s{seed}", f"p{seed}", volume, nodules, lungs)


def contexts(scan: Scan) -> windows.Windows:
    return windows.cut(scan, Grid(NETWORK.spacing_mm), 64, NETWORK.slices, 20, rng(0, scan.name), Cubes())


TINY = {
    "dense_unet": {"architecture": {"widths": [8, 16], "growth": 4, "layers": 2}},
    "unet": {"architecture": {"widths": [4, 4, 8, 8, 8]}},
    "unet_plus_plus": {"architecture": {"widths": [4, 4, 8, 8, 8]}},
    "cnn_vgg": {"architecture": {"blocks": [[4, 1], [8, 1]], "patch_px": 16, "hidden": 8}, "sweep": {"least_hu": -400}},
    "faster_rcnn": {
        "architecture": {
            "blocks": [[4, 1], [8, 1]],
            "enlarge": 1,
            "hidden": 8,
            "cube": {"planes": 5, "side_px": 12, "widths": [4, 8], "hidden": 8},
        },
        "window_px": 32,
        "proposals": {"least": 0.01},
    },
}
"""Networks that take no time; what is asked of a kind does not depend on its size."""


def chosen(name: str, **settings) -> ChosenDetector:
    return ChosenDetector(kind=name, settings=TINY.get(name, {}) | settings, network=NETWORK)


STATES: dict[tuple[str, int], bytes] = {}
"""By kind and steps: each is trained once, whatever number of tests look at it."""


def trained_state(name: str, folder: Path, steps: int) -> Path:
    """A state of a short training on two chests."""
    state = folder / "state-0.pt"
    if (name, steps) not in STATES:
        train(name, folder, steps)
        STATES[name, steps] = state.read_bytes()
    state.write_bytes(STATES[name, steps])
    return state


def train(name: str, folder: Path, steps: int) -> None:
    kind = apply.make_kind(chosen(name))
    training = Training(steps=steps, checkpoints=1, points_every=1, batch=8)
    plan = RunPlan(f"segment/nodules/{name}-0", 0, training, device="cpu")
    data = kind.source([contexts(chest(1)), contexts(chest(2))], training.batch)
    run_checkpoint(kind, data, plan, None, *(folder / one for one in ("state-0.pt", "state-0.json", "losses-0.csv")))


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


@pytest.fixture
def trained(name, tmp_path):
    return apply.load(chosen(name), trained_state(name, tmp_path, 2))


def test_settings_name_what_weights_fix_and_whether_voxels_are_judged(name):
    settings = DETECTORS.settings(name)
    assert issubclass(settings, DetectorSettings)
    assert issubclass(settings.model_fields["architecture"].annotation, BaseModel)
    assert settings.gives_probability == issubclass(DETECTORS.get(name), VoxelDetector)


def test_batches_come_from_contexts_by_their_stream_alone(name):
    kind = apply.make_kind(chosen(name))
    source = kind.source([contexts(chest(1))], 8)
    assert isinstance(source, Source)
    assert source.shape == kind.shape
    one, two, other = (source.draw(rng(0, n)) for n in (1, 1, 2))
    assert all(torch.equal(one[key], two[key]) for key in one)
    assert any(not torch.equal(one[key], other[key]) for key in one)
    assert all(len(value) == 8 for value in one.values())


def test_contexts_that_a_kind_cannot_learn_from_are_refused_by_what_they_lack(name):
    settings = DETECTORS.settings(name).model_validate(chosen(name).settings)
    settings.check_contexts(NETWORK, Windows())
    if type(settings).check_contexts is not DetectorSettings.check_contexts:
        with pytest.raises(ValueError, match=r"\d+ is larger than segment\.windows\.context_px 32"):
            grown = {"window_px": 48} if hasattr(settings, "window_px") else {"architecture": {"patch_px": 40}}
            DETECTORS.settings(name).model_validate(grown).check_contexts(NETWORK, Windows(context_px=32))


@pytest.mark.parametrize("slices, thickness_mm", [(8, 10.0), (1, 2.5)])
def test_few_and_thick_slices_are_searched_as_they_are(trained, slices, thickness_mm):
    scan = chest(3)
    volume = Volume(scan.volume.hu[4 : 4 + slices], (thickness_mm, 1.4, 1.4))
    parts = (array[4 : 4 + slices] for array in (scan.nodules, scan.lungs))
    found = apply.detect(trained, Scan(scan.name, scan.patient, volume, *parts)).candidates
    assert found["z_mm"].between(0, thickness_mm * slices).all()


def test_every_average_and_optimiser_is_of_a_module(name):
    kind = apply.make_kind(chosen(name))
    modules = kind.build(kind.shape)
    assert set(kind.averaged) <= set(modules)
    assert kind.optimisers(modules)


def test_candidates_lie_in_the_scan_and_are_ranked_between_0_and_1(trained):
    scan = chest(3)
    found = apply.detect(trained, scan)
    assert list(found.candidates.columns) == candidates.COLUMNS
    assert found.candidates["probability"].between(0, 1).all()
    assert (found.candidates["scan"] == scan.name).all()
    places = scan.volume.to_index(found.candidates[["x_mm", "y_mm", "z_mm"]].to_numpy(float))
    assert ((places >= 0) & (places < scan.lungs.shape)).all()
    if found.labels is not None:
        assert set(np.unique(found.labels)) - {0} == set(found.candidates["label"])


def test_the_same_scan_gives_the_same_and_its_nodules_are_not_looked_at(trained):
    scan = chest(3)
    blind = Scan(scan.name, scan.patient, scan.volume, np.zeros_like(scan.nodules), scan.lungs)
    pd.testing.assert_frame_equal(apply.detect(trained, scan).candidates, apply.detect(trained, blind).candidates)


def test_a_scan_without_lungs_has_no_candidates(trained):
    scan = chest(3)
    bare = Scan(scan.name, scan.patient, scan.volume, scan.nodules, np.zeros_like(scan.lungs))
    assert len(apply.detect(trained, bare).candidates) == 0


def test_released_weights_find_what_the_state_finds(name, trained, tmp_path):
    weights.write(tmp_path / "w.safetensors", trained.modules)
    again = apply.load(chosen(name), tmp_path / "w.safetensors")
    scan = chest(3)
    pd.testing.assert_frame_equal(apply.detect(trained, scan).candidates, apply.detect(again, scan).candidates)


def test_a_probability_is_of_every_voxel_and_of_single_slices_where_the_settings_promise_it(trained):
    scan = chest(3)
    if not type(trained.kind.settings).gives_probability:
        assert apply.detect(trained, scan).probability is None
        with pytest.raises(StudyError, match="gives no probability of every voxel"):
            apply.segment_volume(trained, scan.volume, scan.lungs)
        return
    probability = apply.segment_volume(trained, scan.volume, scan.lungs)
    assert (probability.shape, probability.dtype) == (scan.lungs.shape, np.uint8)
    np.testing.assert_array_equal(apply.detect(trained, scan).probability, probability)
    images = apply.segment_images(trained, scan.volume.hu[4:6], 1.4, scan.lungs[4:6])
    assert (images.shape, images.dtype) == ((2, *scan.lungs.shape[1:]), np.float32)
    assert images.min() >= 0 and images.max() <= 1


def test_a_detector_without_a_probability_learns_is_mined_detects_and_is_scored(tmp_path):
    trained = apply.load(chosen("patch_classifier"), trained_state("patch_classifier", tmp_path, 60))
    fit = chest(1)
    mined = windows.mine_candidates(fit, apply.detect(trained, fit).candidates, Grid(1.4), 64, 3, 2, Cubes())
    assert set(mined.table["what"]) == {"mined"} and len(mined) <= 2
    assert apply.make_kind(chosen("patch_classifier")).source([contexts(fit), mined], 8).draw(rng(0))
    scans = [chest(4), chest(5)]
    found = pd.concat([apply.detect(trained, scan).candidates for scan in scans])
    rows = []
    for scan in scans:
        for label in range(1, 4):
            x, y, z = scan.volume.to_mm(np.argwhere(scan.nodules == label).mean(0))
            rows.append((scan.name, x, y, z, 8.0 + label))
    truth = pd.DataFrame(rows, columns=["scan", "x_mm", "y_mm", "z_mm", "diameter_mm"])
    score = evaluate(found, truth, [scan.name for scan in scans])
    assert score.matched.nodules == 6
    assert score.cpm[0] > 0.8


def test_its_first_candidates_that_are_lesions_are_not_mined():
    scan = chest(1)
    centre = scan.volume.to_mm(np.argwhere(scan.nodules == 1).mean(0))
    vessel = scan.volume.to_mm(np.array([12.0, 23.0, 17.0]))
    table = pd.DataFrame([centre, vessel], columns=["x_mm", "y_mm", "z_mm"]).assign(probability=[0.9, 0.4])
    mined = windows.mine_candidates(scan, table, Grid(1.4), 32, 3, most=5)
    assert mined.table[["slice", "row", "column"]].to_numpy().tolist() == [[12, 23, 17]]


def test_too_few_contexts_are_said(name):
    scan = chest(1)
    without = Scan("s", "p", scan.volume, np.zeros_like(scan.nodules), scan.lungs)
    kind = apply.make_kind(chosen(name))
    with pytest.raises(DataError, match="0 nodule"):
        kind.source([contexts(without)], 8)


def test_views_are_a_setting_of_use_and_not_of_the_weights(name, tmp_path):
    state = trained_state(name, tmp_path, 2)
    for views in (1, 8):
        trained = apply.load(chosen(name), state, inference=Inference(views=views))
        assert trained.inference.views == views
        apply.detect(trained, chest(3))


def test_what_needs_a_probability_is_refused_in_one_line_and_the_rest_of_the_study_is_not(capsys):
    kinds = {"segment": {"kind": "patch_classifier"}, "banks": {"cut_from": "annotation"}}
    study = load(kinds)
    files = Files(study, {})
    refuse = files.needing_probability("judge_shard", "state-2.pt")
    with pytest.raises(SystemExit) as ended:
        refuse(None)
    (line,) = capsys.readouterr().err.splitlines()
    assert ended.value.code == 1
    assert line.startswith("lungsynth: judge_shard needs the probability of every voxel")
    assert "segment.kind patch_classifier gives none" in line
    assert Files(load({}), {}).needing_probability("judge_shard", "state-2.pt") == "state-2.pt"
    with pytest.raises(StudyError, match=r"^banks\.cut_from: segmentation cuts along masks"):
        load({**kinds, "banks": {"cut_from": "segmentation"}})
