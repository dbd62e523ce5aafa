"""Outlines in space: how a candidate is shown, what is invented to learn from, and that outlines stop at the vessel."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import ndimage

from lungsynth.ct.volume import Volume
from lungsynth.segment.inference import candidates
from lungsynth.segment.inference.planes import Scan
from lungsynth.segment.outlines import bodies, release, views
from lungsynth.segment.outlines.bodies import Body
from lungsynth.segment.outlines.network import OutlineKind, changed
from lungsynth.segment.outlines.outline import Outliner, filled, load
from lungsynth.segment.volumetric.crops import Crop
from lungsynth.study.errors import DataError
from lungsynth.study.seeds import patient_hash
from lungsynth.study.stages.segment import NoduleVolumes, OperatingPointSettings, OutlineNetwork, Outlines
from lungsynth.train import weights

SMALL = OutlineNetwork(side=16, widths=(4, 8, 8, 8))
POINT = OperatingPointSettings()
LUNG_HU = -850


def nodule_on_a_vessel(radius=6.0, vessel=1.6, spacing=(1.25, 0.7, 0.7), room_mm=25.0, off=(0.0, 0.0, 0.0)):
    """A ball with a tube through it that leaves it on both sides: HU, the ball, and both."""
    shape = tuple(int(2 * room_mm / step) for step in spacing)
    z, y, x = np.meshgrid(
        *((np.arange(n) - n // 2) * step - move for n, step, move in zip(shape, spacing, off, strict=True)),
        indexing="ij",
    )
    ball = z**2 + y**2 + x**2 <= radius**2
    tube = (y - 0.4 * z) ** 2 + (x - 2) ** 2 <= vessel**2
    hu = np.where(ball | tube, 40, LUNG_HU).astype(np.int16)
    return Volume(hu, spacing), ball, ball | tube


def body_of(volume, mask, candidate, how="found", whole=True):
    """With a probability that is sure of the candidate."""
    probability = np.where(candidate, 240, 10).astype(np.uint8)
    return Body("s/1", "p", how, volume, probability, candidate, (mask * 255).astype(np.uint8), whole)


def find(volume, probability=None):
    """What that detector finds in a crop."""
    seen = detect(volume) if probability is None else probability
    return seen, candidates.find("s", seen, volume, np.ones(seen.shape, np.uint8), 0.5, POINT)[1]


def detect(volume):
    """A detector that takes for a nodule what is dense."""
    return np.where(volume.hu > -500, 250, 0).astype(np.uint8)


@pytest.mark.parametrize("slice_mm", [1.25, 2.5, 5.0])
def test_a_ball_comes_back_from_its_cube_as_it_was(slice_mm):
    volume, ball, _ = nodule_on_a_vessel(spacing=(slice_mm, 0.7, 0.7))
    view = views.of_candidate(ball, volume.spacing_mm, OutlineNetwork())
    assert view.side_mm == pytest.approx(3.2 * 12, rel=0.05)
    (_, _, mask), known = views.seen(volume.hu, np.zeros_like(volume.hu), [ball], volume.spacing_mm, view, 32)
    again = views.back(mask.numpy(), ball.shape, volume.spacing_mm, view) >= 0.5
    assert release.dice(again, ball) > 0.97 and known.all()


def test_beyond_the_scan_nothing_is_known_and_shown():
    volume, ball, _ = nodule_on_a_vessel()
    half = len(ball) // 2
    cut = volume.hu[:half], np.full((half, *ball.shape[1:]), 200, np.uint8), [ball[:half]]
    view = views.View(np.array([half - 0.5, 35, 35]), 32.0, np.eye(3))
    (hu, p, mask), known = views.seen(*cut, volume.spacing_mm, view, 16)
    assert known[:8].all() and not known[8:].any()
    x = views.shown(hu, p, mask, known, 2.0, 1.25)
    assert x.shape == (views.CHANNELS, 16, 16, 16) and not x[:4, 8:].any()
    assert x[4].unique().tolist() == [0.5] and x[5].unique().tolist() == [-0.5]


def test_a_turned_cube_shows_what_lies_that_way():
    volume, ball, _ = nodule_on_a_vessel(spacing=(1.0, 1.0, 1.0))
    hu = np.where(np.arange(50)[:, None, None] > 30, 40, LUNG_HU) * np.ones((50, 50, 50))
    quarter = np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 1]], float)  # the cube's second axis points up
    view = views.View(np.array([24.5, 24.5, 24.5]), 32.0, quarter)
    (seen, *_), _ = views.seen(hu, np.zeros(hu.shape), [ball], volume.spacing_mm, view, 32)
    assert (seen[:, 26:] > -100).all() and (seen[:, :16] < -800).all()


def test_a_nodule_is_made_faint_and_hollow_within_its_outline():
    volume, ball, both = nodule_on_a_vessel()
    rng = np.random.default_rng(0)
    depth, away = (ndimage.distance_transform_edt(one, sampling=volume.spacing_mm) for one in (ball, ~ball))
    body = body_of(volume, ball, both)
    hollow = {one.how: one for one in bodies.invented(body, find, rng)}["hollow"]
    assert (hollow.mask == ball).all() and hollow.candidate.sum() < both.sum()
    faint = bodies._faint(body, rng)
    for made, middle in ((hollow.volume.hu, -700), (faint, -400)):
        assert LUNG_HU - 100 < made[depth > 4].mean() < middle
        assert np.allclose(made[away > 3], volume.hu[away > 3])
    assert hollow.volume.hu[ball & (depth < 1)].mean() > -300
    small, ball, both = nodule_on_a_vessel(radius=2.0)
    assert not list(bodies.invented(body_of(small, ball, both), find, rng))


def test_outlines_of_crops_are_brought_back_to_the_consensus():
    for spacing in ((1.25, 0.7, 0.7), (2.5, 0.7, 0.7)):
        _, ball, _ = nodule_on_a_vessel(radius=6.0, spacing=spacing)
        share = bodies.inward(ball, spacing, bodies.OUTWARD_PX)
        radius = np.cbrt(3 / 4 / np.pi * share.sum() / 255 * np.prod(spacing))
        assert radius == pytest.approx(6.0 - 0.7 * 0.7, abs=0.15)
        assert not share[~ball].any()
    speck = np.zeros((3, 5, 5), bool)
    speck[1, 2, 2] = True
    assert (bodies.inward(speck, (1.0, 1.0, 1.0), 0.7) == 255 * speck).all()


def test_bodies_are_found_in_crops_and_scans_and_come_back_from_their_file(tmp_path):
    volume, ball, both = nodule_on_a_vessel()
    crop = bodies.of_crop(Crop("vois-1", "a", volume, ball, False), find)
    assert (crop.candidate == both).all() and not crop.whole
    assert bodies.of_crop(Crop("vois-2", "a", volume, ball, False), lambda v: find(v, 0 * detect(v))) is None
    labels, lungs = (ball * 3).astype(np.uint8), np.ones(ball.shape, np.uint8)
    scan = Scan("s", "b", volume, labels, lungs)
    (one,) = bodies.of_scan(scan, *find(volume), SMALL)
    assert one.name == "s/nodule-3" and one.whole and release.dice(one.mask, one.candidate) > 0.8
    for name in ("one", "two"):
        bodies.write(tmp_path / f"{name}.npz", {"fit": [crop], "tune": [one]})
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    (again,) = bodies.read(tmp_path / "one.npz", "tune")
    assert (again.name, again.patient, again.how, again.whole) == ("s/nodule-3", "b", "found", True)
    for mine, theirs in ((again.volume.hu, one.volume.hu), (again.share, one.share), (again.candidate, one.candidate)):
        assert (mine == theirs).all()
    with pytest.raises(DataError, match="nothing to learn outlines from"):
        bodies.write(tmp_path / "none.npz", {"fit": []})


def test_neither_the_hidden_nor_where_a_crop_ends_is_learnt_from():
    """A crop ends with its nodule: what lies beyond counts for nothing, and sides of any cube may be hidden."""
    volume, ball, both = nodule_on_a_vessel()
    rows = np.flatnonzero(ball.any((1, 2)))
    part = slice(rows[0], rows[-1] + 1)
    crop = replace(body_of(volume, ball, both, whole=False), volume=Volume(volume.hu[part], volume.spacing_mm))
    crop = replace(crop, probability=crop.probability[part], candidate=both[part], share=crop.share[part])
    rng = np.random.default_rng(0)
    shares = [float(changed(crop, SMALL, rng)[2].mean()) for _ in range(20)]
    full = [float(changed(body_of(volume, ball, both), SMALL, rng)[2].mean()) for _ in range(20)]
    assert max(shares) < 0.7 and max(full) == 1 and min(full) < 0.7


@pytest.fixture(scope="module")
def outliner():
    """A network of small size that has learnt nodules on vessels for some steps."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rng, made = np.random.default_rng(0), []
    for _ in range(16):
        off = rng.uniform(-2, 2, 3)
        volume, ball, both = nodule_on_a_vessel(rng.uniform(3, 8), rng.uniform(1, 2), (1.25, 0.9, 0.9), 20.0, off)
        made.append(body_of(volume, ball, both))
    kind = OutlineKind(Outlines(network=SMALL, warmup=5))
    source = kind.source(made, 8)
    modules = kind.build(source.shape)
    optimiser = kind.optimisers(modules)["outlines"]
    for step in range(80):
        for group in optimiser.param_groups:
            group["lr"] = 0.02 * kind.rate(step, 80)
        (update,) = kind.step(modules, iter([source.draw(rng)]), None, step)
        optimiser.zero_grad()
        update.loss.backward()
        optimiser.step()
    return Outliner(modules["outlines"].eval().requires_grad_(False), SMALL)


def test_an_outline_stops_at_the_vessel(outliner):
    volume, ball, both = nodule_on_a_vessel(5.5, 1.4, (1.25, 0.8, 0.8), off=(1.0, -1.0, 0.5))
    found = outliner.outline(volume, detect(volume), both)
    assert release.dice(both, ball) < 0.9 < release.dice(found, ball)
    body = replace(body_of(volume, ball, both), probability=detect(volume))
    table = release.scores(outliner, [body])
    assert table["dice"].tolist() == [release.dice(found, ball)] * 2 and table["nodules"].tolist() == [1, 1]


def test_every_candidate_of_a_scan_stays_and_none_takes_anothers_voxels(outliner):
    volume, ball, both = nodule_on_a_vessel(5.5, 1.4, (1.25, 0.8, 0.8))
    labels = np.where(both, 7, 0).astype(np.uint16)
    corner = np.zeros(ball.shape, bool)
    corner[tuple(slice(n // 2, n // 2 + 2) for n in ball.shape)] = True
    labels[corner] = 2
    labels[1:3, 1:3, 1:3] = 4  # of which the network outlines nothing
    made = outliner.outlined(volume, detect(volume), labels, np.array([7, 4, 2]))
    assert set(np.unique(made)) == {0, 2, 4, 7} and (made == 4).sum() >= 1
    assert release.dice((made == 7) | (made == 2), ball) > release.dice(both, ball)
    table = pd.DataFrame({"scan": ["s", "s", "t"], "label": [7, 9, 7], "probability": [0.9, 0.1, 0.8]})
    again = candidates.measured_again(table.assign(**dict.fromkeys(candidates.MEASURED, -1)), "s", made, volume)
    assert again.loc[1:, candidates.MEASURED].eq(-1).all(axis=None)
    millilitres = (made == 7).sum() * np.prod(volume.spacing_mm)
    assert again.loc[0, "volume_mm3"] == pytest.approx(millilitres) and again["probability"].equals(
        table["probability"]
    )


def test_a_cavity_is_drawn_with_its_nodule():
    _, ball, _ = nodule_on_a_vessel()
    depth = ndimage.distance_transform_edt(ball, sampling=(1.25, 0.7, 0.7))
    wall = ball & (depth < 2)
    assert (filled(wall) == ball).all()
    open_ = wall & (np.arange(ball.shape[1]) < ball.shape[1] // 2)[:, None]
    assert (filled(open_) == open_).all()


def test_what_no_cube_can_hold_stays_the_detectors(outliner):
    volume, _, _ = nodule_on_a_vessel(3.0, 1.0, (2.0, 2.0, 2.0), room_mm=80.0)
    rod = np.zeros(volume.hu.shape, bool)
    rod[:, 38:43, 38:43] = True
    found = outliner.outline(volume, detect(volume), rod)
    reach = SMALL.side_mm[1] / 2 / 2.0
    far = np.abs(np.arange(len(rod)) - (len(rod) - 1) / 2) > reach
    assert far.any() and (found[far] == rod[far]).all()


@pytest.mark.parametrize("shares", [{"whole": 0.0}, {"whole": 0.5, "invented": 0.5}])
def test_a_batch_is_drawn_from_what_there_is(shares):
    volume, ball, both = nodule_on_a_vessel(3.0, 1.0, (2.0, 1.5, 1.5), 12.0)
    kind = OutlineKind(Outlines(network=SMALL, **shares))
    for whole in (True, False):
        source = kind.source([body_of(volume, ball, both, whole=whole)] * 2, 2)
        assert source.draw(np.random.default_rng(0))["seen"].shape == (2, views.CHANNELS, 16, 16, 16)


def test_a_released_network_outlines_as_the_trained_one_does(outliner, tmp_path):
    weights.write(tmp_path / "weights.safetensors", {"outlines": outliner.module})
    volume, _, both = nodule_on_a_vessel(5.5, 1.4, (1.25, 0.8, 0.8))
    again = load(SMALL, tmp_path / "weights.safetensors")
    assert (again.outline(volume, detect(volume), both) == outliner.outline(volume, detect(volume), both)).all()


def test_what_goes_with_a_released_network_names_who_was_learnt_from():
    run = type("Run", (), {"name": "segment/bodies/outlines-1", "seed": 1})()
    table = pd.DataFrame({"role": ["fit", "tune"], "how": ["found"] * 2, "whole": [0, 1]})
    scans = pd.DataFrame([["s1", "c", "fit", "volume", "ff"]], columns=["scan", "patient", "role", "kind", "pixels"])
    about = release.recipe(Outlines(), NoduleVolumes(), run, "s", table, {"fit": ["a"], "tune": ["b"]}, scans)
    assert about["patients"] == {"fit": ["a", "c"], "tune": ["b"]} and about["bodies"]["tune/found/1"] == 1
    assert about["outlines"]["network"]["side"] == 32 and json.dumps(about)


SHIPPED = Path(__file__).parents[2] / "models" / "nodule_outlines_3d"


@pytest.mark.skipif(not SHIPPED.is_dir(), reason="no such network ships")
def test_the_shipped_network_has_seen_no_patient_that_it_is_tested_on():
    recipe = json.loads((SHIPPED / "recipe.json").read_text())
    people = [name for names in recipe["patients"].values() for name in names]
    judge = json.loads((SHIPPED.with_name("nodule_candidates_3d") / "recipe.json").read_text())
    assert not set(people) & set(judge["training"]["nodules"]["exclude_patients"]) and len(people) > 200
    assert not [name for name in people if name.startswith("LIDC") and patient_hash(name) % 5 == 0]
