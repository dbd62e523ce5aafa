"""The third dimension: cubes of scans, pairs without giveaways, and candidates judged in them."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from lungsynth.ct.volume import Volume
from lungsynth.segment.inference import candidates, found
from lungsynth.segment.inference.planes import Scan
from lungsynth.segment.volumetric import crops, cubes, judge, network, pairs, pieces, release
from lungsynth.sets.bank import write_arrays
from lungsynth.study.errors import DataError
from lungsynth.study.seeds import patient_hash
from lungsynth.study.stages.segment import CubeNetwork, Cuts, NoduleVolumes, OperatingPointSettings, Volumetric
from lungsynth.train import weights

SMALL = CubeNetwork(side=16, spacing_mm=2.0, widths=(4, 8, 8))
SPACING = (2.5, 0.7, 0.7)


def ramp(shape, spacing, slopes):
    """A scan whose HU rise by `slopes` an mm along each axis, -300 in its first voxel."""
    axes = np.meshgrid(*(np.arange(n) * step for n, step in zip(shape, spacing, strict=True)), indexing="ij")
    return np.rint(-300 + sum(axis * slope for axis, slope in zip(axes, slopes, strict=True))).astype(np.int16)


def test_a_cube_has_the_scans_axes_its_places_and_its_millimetres():
    slopes = (3.0, 2.0, 5.0)
    hu, centre = ramp((40, 90, 90), SPACING, slopes), np.array([20.0, 44.5, 40.25])
    cube = cubes.cube(hu, SPACING, centre, CubeNetwork()).astype(float)
    places = cubes.places_mm(CubeNetwork())
    at = centre * SPACING
    wanted = -300 + sum(
        np.moveaxis((places + middle)[:, None, None] * slope, 0, axis)
        for axis, (middle, slope) in enumerate(zip(at, slopes, strict=True))
    )
    assert np.abs(cube - np.clip(wanted, *cubes.CLIP_HU)).max() < 2


def test_a_ball_keeps_its_size_in_slices_of_any_thickness():
    for spacing in ((1.0, 0.5, 0.5), SPACING, (1.25, 0.9, 0.9)):
        shape = tuple(int(50 / step) for step in spacing)
        centre = (np.array(shape) - 1) / 2
        axes = np.meshgrid(*(np.arange(n) for n in shape), indexing="ij")
        away = sum(((axis - c) * step) ** 2 for axis, c, step in zip(axes, centre, spacing, strict=True)) ** 0.5
        hu = np.where(away < 8, 40, -900).astype(np.int16)
        cube = cubes.cube(hu, spacing, centre, CubeNetwork())
        assert np.cbrt(6 / np.pi * np.count_nonzero(cube > -430)) == pytest.approx(16, rel=0.04)


def test_beyond_the_scan_nothing_is_known():
    hu = np.full((10, 60, 60), 0, np.int16)
    found_ = cubes.cut(hu, (2.0, 1.0, 1.0), [[0, 30, 30], [9, 30, 59]], CubeNetwork())
    known = cubes.known(found_.box_mm, CubeNetwork())
    assert (found_.hu[~known] == -1000).all() and (found_.hu[known] == 0).all()
    # Half a slice, or half a pixel, is known beyond the centre of the last one.
    assert known[0].any((1, 2)).sum() == 17
    assert known[1].any((0, 1)).sum() == 17 and known[1].any((1, 2)).sum() == 17


def test_what_is_clipped_in_some_cubes_is_clipped_in_all():
    hu = np.linspace(-3000, 3000, 40**3).astype(np.int16).reshape(40, 40, 40)
    cube = cubes.cube(hu, (1, 1, 1), np.array([19.5] * 3), CubeNetwork())
    assert cube.min() == -1000 and cube.max() == 400


# --- pieces and pairs ---


def bodies_in(kind, n, rng, group="people", whole=False):
    """Nodules as crops with little margin along z, or vessels in whole scans of thick slices."""
    made = []
    for k in range(n):
        radius = rng.uniform(2.5, 6)
        nodule = kind == "nodule"
        slice_mm = rng.choice([1.0, 1.25, 2.5]) if nodule else rng.choice([2.5, 5.0, 6.0])
        high = 2 * radius + rng.integers(0, 2) * slice_mm * 2 if nodule and not whole else 60
        side = rng.uniform(30, 44) if nodule and not whole else 60
        shape = (max(2, int(high / slice_mm)), int(side / 0.8), int(side / 0.8))
        axes = np.meshgrid(
            *((np.arange(m) - (m - 1) / 2) * s for m, s in zip(shape, (slice_mm, 0.8, 0.8), strict=True)), indexing="ij"
        )
        away = np.sqrt(axes[1] ** 2 + axes[2] ** 2 + (axes[0] ** 2 if nodule else 0))
        hu = np.where(away < radius, 0, -850) + rng.normal(0, 30, shape)
        mask = away < radius
        if not nodule:
            mask &= np.abs(axes[0]) <= slice_mm
        volume = Volume(hu.astype(np.int16), (slice_mm, 0.8, 0.8))
        made.append(pieces.Piece(f"{kind}-{k}", f"p{k}", group, volume, mask, nodule, whole or not nodule, 0.8))
    return made


@pytest.fixture(scope="module")
def made():
    """Pairs of nodules from crops and vessels from scans."""
    rng = np.random.default_rng(1)
    return pairs.make(bodies_in("vessel", 60, rng), bodies_in("nodule", 40, rng), 1, "fit", SMALL, rng)


def fitted_auc(pairs_, features):
    """AUC on one half of the pairs of a logistic regression on the other half, both ways, and its interval."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    nodule, values = pairs_.table["nodule"].to_numpy() == 1, []
    first, second = pairs.halves(pairs_)
    for learnt, tested in ((first, second), (second, first)):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=10, max_iter=500))
        model.fit(features[learnt], nodule[learnt])
        values.append(release.auc(nodule[tested], model.decision_function(features[tested])))
    half = 1.96 * np.sqrt((len(nodule) / 2 + 1) / (12 * (len(nodule) / 4) ** 2))
    return np.mean(values), half


def test_header_and_borders_tell_nothing(made):
    value, half = fitted_auc(made, pairs.giveaways(made))
    assert abs(value - 0.5) <= half
    # Nor does any of it in the pictures: what is hidden, and what is clipped, are the same voxels in both of a pair.
    hidden = (made.cubes.hu == -1000).reshape(len(made.table) // 2, 2, -1)
    known = cubes.known(made.cubes.box_mm, SMALL).reshape(len(hidden), 2, -1)
    assert (known[:, 0] == known[:, 1]).all() and hidden[~known].all()


def test_cut_as_they_come_header_and_borders_would_tell_all():
    """Without pairs: the test above can fail."""
    rng = np.random.default_rng(2)
    both = [*bodies_in("vessel", 40, rng), *bodies_in("nodule", 40, rng)]
    alone = [cubes.cut(one.volume.hu, one.volume.spacing_mm, one.centre[None], SMALL) for one in both]
    order = np.arange(80).reshape(2, 40).T.ravel()
    parts = [np.concatenate([getattr(one, name) for one in alone])[order] for name in ("hu", "box_mm", "slice_mm")]
    table = pd.DataFrame({"pair": np.arange(80) // 2, "nodule": np.tile([0, 1], 40)})
    value, half = fitted_auc(
        pairs.Pairs(cubes.Cubes(*parts), table), pairs.giveaways(pairs.Pairs(cubes.Cubes(*parts), table))
    )
    assert value > 0.9 > 0.5 + half


def test_a_pair_is_a_candidate_and_a_nodule_in_slices_as_thick(made):
    assert made.table["nodule"].tolist() == [0, 1] * (len(made.table) // 2)
    assert (made.cubes.slice_mm[::2] == made.cubes.slice_mm[1::2]).all()
    middle = made.cubes.hu[:, 6:10, 7:9, 7:9].max((1, 2, 3))
    assert (middle > -400).mean() > 0.95  # the body is in the middle, jittered by a mm


def test_a_nodule_is_never_shown_in_thinner_slices_than_it_has():
    rng = np.random.default_rng(0)
    thick = [one for one in bodies_in("nodule", 30, rng) if one.slice_mm == 2.5]
    thin = bodies_in("vessel", 30, rng)
    thin = [pieces.resliced(one, 2.5, 0.3) for one in thin if one.slice_mm == 2.5]
    finer = [pieces.Piece(**{**vars(one), "volume": Volume(one.volume.hu, (1.0, 0.8, 0.8))}) for one in thin]
    with pytest.raises(DataError, match="thinner slices"):
        pairs.make(finer, thick, 1, "fit", SMALL, rng)


def test_groups_are_not_mixed():
    rng = np.random.default_rng(0)
    with pytest.raises(DataError):
        pairs.make(bodies_in("vessel", 3, rng, "phantom"), bodies_in("nodule", 3, rng), 1, "fit", SMALL, rng)


def test_resliced_lies_between_the_slices():
    hu = np.repeat(np.arange(0, 800, 100, dtype=np.int16), 4).reshape(8, 2, 2)
    piece = pieces.Piece("s", "p", "g", Volume(hu, (1.0, 1.0, 1.0)), np.ones(hu.shape, bool), True, True, 0.5)
    shown = pieces.resliced(piece, 2.5, 0.4)
    assert shown.volume.hu[:, 0, 0].tolist() == [50, 300, 550]
    assert shown.volume.spacing_mm == (2.5, 1.0, 1.0)


def test_candidates_of_a_scan_are_those_away_from_its_nodules():
    hu = np.full((12, 60, 60), -850, np.int16)
    probability, nodules = np.zeros(hu.shape, np.uint8), np.zeros(hu.shape, np.uint8)
    for z, y, x in ((5, 20, 20), (5, 40, 40)):
        probability[z - 1 : z + 2, y - 4 : y + 4, x - 4 : x + 4] = 250
    nodules[5, 18:22, 18:22] = 1
    scan = Scan("s", "p", Volume(hu, (2.5, 1, 1)), nodules, np.ones(hu.shape, np.uint8))
    point = OperatingPointSettings()
    (one,) = pieces.of_scan(scan, probability, 1, 0.5, 10, point, "people")
    assert not one.nodule and one.mask.any() and one.slice_mm == 2.5
    # Of thousands of candidates none may keep its whole scan in memory.
    assert one.volume.hu.base is None and one.mask.base is None
    # The nodule's own slice falls out; its candidate in the neighbouring ones is none of the others all the same.
    (thin,) = pieces.of_scan(scan, probability, 2, 0.5, 10, point, "people")
    assert thin.slice_mm == 5.0 and thin.mask.any((1, 2)).sum() == 2
    (nodule,) = pieces.nodules_of_scan(scan, probability, 0.5, point, "people")
    assert nodule.nodule and nodule.mask.sum() == 16 and nodule.detector == pytest.approx(250 / 255, abs=0.01)
    (missed,) = pieces.nodules_of_scan(scan, np.zeros_like(probability), 0.5, point, "people")
    assert np.isnan(missed.detector)
    assert pieces.thinnings(2.5, (5, 8)) == [1, 2, 3] and pieces.thinnings(6.0, (5, 8)) == [1]


# --- the folder of volumes ---


@pytest.fixture
def folder(tmp_path):
    """Four crops of four patients, and two cubes."""
    rng, rows, hu, bits, offset = np.random.default_rng(0), [], [], [], 0
    for k, patient in enumerate(("A", "B", "C", "D")):
        shape = (3 + k, 20, 22)
        values = rng.integers(-1000, 400, shape).astype(np.int16)
        mask = np.zeros(shape, bool)
        mask[1, 8:12, 9:13] = True
        rows.append(
            {"index": k, "patient": patient, "offset": offset, "sz_mm": 2.5, "sxy_mm": 0.7}
            | dict(zip(("nz", "ny", "nx"), shape, strict=True))
        )
        hu.append(values.ravel())
        bits.append(mask.ravel())
        offset += values.size
    pd.DataFrame(rows).to_csv(tmp_path / "vois.csv", index=False)
    write_arrays(tmp_path / "vois.npz", hu=np.concatenate(hu), mask=np.packbits(np.concatenate(bits)))
    cube = rng.integers(-1000, 400, (2, 51, 51, 51)).astype(np.int16)
    mask = np.zeros(cube.shape, bool)
    mask[:, 24:27, 24:27, 24:27] = True
    table = pd.DataFrame(
        {
            "index": [0, 1],
            "patient": ["A", "E"],
            "patient_low": ["A", "E"],
            "patient_high": ["A", "F"],
            "may_be_holdout": [0, 0],
        }
    )
    table.to_csv(tmp_path / "cubes.csv", index=False)
    write_arrays(tmp_path / "cubes.npz", hu=cube, mask=np.packbits(mask.ravel()))
    return tmp_path


def test_volumes_are_read_with_their_masks(folder):
    modulus = 9973  # a prime that divides none of these hashes
    wanted = NoduleVolumes(test_modulus=modulus, tune_remainder=patient_hash("B") % modulus, exclude_patients=("F",))
    fit = list(crops.read(folder, wanted, "fit"))
    assert [one.patient for one in fit] == ["A", "C", "D", "A"]
    assert [one.whole for one in fit] == [False, False, False, True]
    assert [one.mask.shape[0] for one in fit] == [3, 5, 6, 51]
    assert all(one.mask[1, 8:12, 9:13].all() and one.mask.sum() == 16 for one in fit[:3])
    assert [one.patient for one in crops.read(folder, wanted, "tune")] == ["B"]
    assert crops.people(folder, wanted) == {"fit": ["A", "C", "D"], "tune": ["B"]}
    # A study may learn from its own scans alone.
    assert list(crops.read(None, wanted, "fit")) == [] and crops.people(None, wanted) == {"fit": [], "tune": []}


def test_patients_held_out_by_hash_or_by_name_are_in_no_role():
    wanted = NoduleVolumes(exclude_patients=("LIDC-IDRI-0001",))
    held = [f"P{k}" for k in range(200) if patient_hash(f"P{k}") % 5 == 0]
    tuned = [f"P{k}" for k in range(200) if patient_hash(f"P{k}") % 5 == 1]
    for role in ("fit", "tune"):
        assert not any(crops.allowed({"patient": name}, wanted, role) for name in (*held, "LIDC-IDRI-0001"))
    assert all(crops.allowed({"patient": name}, wanted, "tune") for name in tuned)
    assert not any(crops.allowed({"patient": name}, wanted, "fit") for name in tuned)
    # Of whom nobody knows which of two patients it is counts as both.
    assert not crops.allowed({"patient": "X", "patient_low": "X", "patient_high": held[0]}, wanted, "fit")


def test_a_table_that_names_more_than_there_is_is_refused(folder):
    table = pd.read_csv(folder / "vois.csv")
    table.loc[3, "nz"] = 40
    table.to_csv(folder / "vois.csv", index=False)
    with pytest.raises(DataError, match=r"vois\.npz: holds"):
        list(crops.read(folder, NoduleVolumes(test_modulus=9973), "fit"))


# --- the network and what it says ---


def test_training_learns_balls_from_tubes():
    rng = np.random.default_rng(4)
    made = pairs.make(bodies_in("vessel", 60, rng), bodies_in("nodule", 40, rng, whole=True), 1, "fit", SMALL, rng)
    own = Volumetric(network=SMALL, learning_rate=5e-3)
    torch.manual_seed(0)
    kind = network.CandidateKind(own)
    modules = kind.build(kind.shape)
    optimiser = kind.optimisers(modules)["judge"]
    source, rng = kind.source(made, 16), np.random.default_rng(0)
    losses = []
    for step in range(40):
        (update,) = kind.step(modules, iter([source.draw(rng)]), None, step)
        optimiser.zero_grad()
        update.loss.backward()
        optimiser.step()
        losses.append(float(update.loss.detach()))
    assert np.mean(losses[-8:]) < 0.75 * np.mean(losses[:8])
    module = modules["judge"].eval()
    said = network.judged(module, made.cubes, SMALL)
    assert release.auc(made.table["nodule"].to_numpy() == 1, said) > 0.8
    assert np.allclose(said, network.judged(module, made.cubes, SMALL))


def test_what_is_unknown_cannot_change_the_answer(made):
    torch.manual_seed(0)
    module = network.Ensemble(SMALL).eval()
    other = np.where(cubes.known(made.cubes.box_mm, SMALL), made.cubes.hu, 300).astype(np.int16)
    changed = cubes.Cubes(other, made.cubes.box_mm, made.cubes.slice_mm)
    assert (network.judged(module, made.cubes, SMALL) == network.judged(module, changed, SMALL)).all()
    thicker = cubes.Cubes(made.cubes.hu, made.cubes.box_mm, made.cubes.slice_mm * 2)
    assert (network.judged(module, made.cubes, SMALL) != network.judged(module, thicker, SMALL)).any()


def test_training_looks_alike_at_both_of_a_pair(made):
    hu, box = network.changed(made.take(np.arange(16)).cubes, SMALL, np.random.default_rng(3))
    assert (box[::2] == box[1::2]).all() and set(np.unique(box)) <= {0, 1}
    assert hu.dtype == np.float32


def test_two_opinions_are_one():
    both = judge.joined(np.array([0.5, 0.9, 0.9]), np.array([0.8, 0.5, 0.1]), 0.5)
    assert both == pytest.approx([0.5, 0.9, 0.5])  # odds of 9 fall to a ninth of themselves
    assert (np.diff(judge.joined(np.full(9, 0.6), np.linspace(0, 1, 9), 0.7)) >= 0).all()
    assert np.isfinite(judge.joined(np.array([0.0, 1.0]), np.array([1.0, 0.0]), 0.5)).all()


def test_a_released_network_judges_the_candidates_of_any_detector(tmp_path):
    torch.manual_seed(0)
    module = network.Ensemble(SMALL).eval()
    weights.write(tmp_path / "weights.safetensors", {"judge": module})
    loaded = judge.load(SMALL, tmp_path / "weights.safetensors", Cuts(thin=0.7, thick=0.99))
    volume = Volume(
        ramp((20, 40, 40), SPACING, (1, 2, 3)), SPACING, (5.0, -7.0, 100.0), (-1.0, 0, 0, 0, -1.0, 0, 0, 0, 1.0)
    )
    # A table of places alone, of a kind that measures nothing.
    x, y, z = volume.to_mm(np.array([[10, 20, 20], [3, 5, 30]])).T
    table = pd.DataFrame({"x_mm": x, "y_mm": y, "z_mm": z, "probability": [0.9, 0.4]})
    said = loaded.probability(volume, table)
    seen = cubes.cut(volume.hu, SPACING, [[10, 20, 20], [3, 5, 30]], SMALL)
    assert said == pytest.approx(
        judge.joined(table["probability"].to_numpy(), network.judged(module, seen, SMALL), 0.7)
    )
    assert len(loaded.probability(volume, table.iloc[:0])) == 0
    # Of many the most probable ones are judged, wherever they stand; the rest stay.
    assert loaded.probability(volume, table[::-1], most=1) == pytest.approx([0.4, said[0]])
    # In thick slices a bound leaves the best by both opinions as they were; whatever else there is falls far.
    thick = judge.load(SMALL, tmp_path / "weights.safetensors", Cuts(thin=0.7, thick_mm=2.0))
    bounded = thick.probability(volume, table, most_thick=1)
    assert bounded[0] == said[0] and bounded[1] < 1e-5
    assert thick.probability(volume, table[::-1], most=1, most_thick=1) == pytest.approx(bounded[::-1])
    assert (loaded.probability(volume, table, most_thick=1) == said).all()


def test_the_cuts_leave_their_shares_of_nodules():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "nodule": np.tile([0, 1], 100),
            "detector": rng.random(200),
            "source": np.arange(200),
            "group": "people",
            "slice_mm": np.repeat([2.5, 6.0], 100),
        }
    )
    table.loc[:9, "detector"] = np.nan
    opinion = np.where(table["nodule"] == 1, 0.6, 0.3) + rng.normal(0, 0.1, 200).clip(-0.2, 0.2)
    own = Volumetric(keep=0.9, keep_thick=0.6)
    cuts = release.cuts(table, opinion, own)
    nodule = (table["detector"].notna() & (table["nodule"] == 1)).to_numpy()
    for keep, cut, thick in ((0.9, cuts.thin, False), (0.6, cuts.thick, True)):
        which = nodule & ((table["slice_mm"] > 3.5) == thick).to_numpy()
        assert keep <= (opinion[which] >= cut).mean() < keep + 0.03
    assert cuts.at(3.5) == cuts.thin < cuts.thick == cuts.at(5.0)
    assert release.cuts(table[:100], opinion[:100], own).thick is None
    scored = release.scores(table, opinion, cuts, 0.5).iloc[0]
    assert scored.nodules_kept >= 0.85 and scored.others_dropped > 0.3 and scored.auc > 0.9
    with pytest.raises(DataError, match="no nodule"):
        release.cuts(table.assign(detector=np.nan), opinion, own)


def test_auc_is_the_chance_of_a_higher_score():
    nodule = np.array([True, False, True, False])
    assert release.auc(nodule, np.array([3.0, 1.0, 2.0, 2.0])) == 0.875


class Seen:
    """As much of a prepared scan as `Found` asks for."""

    scan = "s"


def test_found_candidates_have_the_judges_probabilities_where_there_is_one(tmp_path):
    values = {name: [0.0, 0.0] for name in candidates.COLUMNS}
    table = pd.DataFrame(values | {"scan": "s", "label": [1, 2], "probability": [0.9, 0.8]})
    table.to_csv(tmp_path / "s.csv", index=False)
    pd.DataFrame({"threshold": [0.0, 0.0, 0.5], "label": [2, 1, 1], "probability": [0.3, 0.2, 0.7]}).to_csv(
        tmp_path / "judged.csv", index=False
    )
    point = OperatingPointSettings()
    plain, _ = found.Found(tmp_path / "s.csv", Seen()).candidates(0.0, point)
    assert plain["probability"].tolist() == [0.9, 0.8]
    judged, _ = found.Found(tmp_path / "s.csv", Seen(), tmp_path / "judged.csv").candidates(0.0, point)
    assert judged["probability"].tolist() == [0.2, 0.3]


# --- what ships ---

SHIPPED = Path(__file__).parents[2] / "models" / "nodule_candidates_3d"
NEVER = (
    "LIDC-IDRI-0001",
    "LIDC-IDRI-0002",
    "LIDC-IDRI-0350",
    "LIDC-IDRI-1011",
    "LIDC-IDRI-0028",
    "LIDC-IDRI-0293",
    "Lung_Dx-A0002",
)


@pytest.mark.skipif(not SHIPPED.is_dir(), reason="no such network ships")
def test_the_shipped_network_has_seen_no_patient_that_it_is_tested_on():
    recipe = json.loads((SHIPPED / "recipe.json").read_text())
    people = [name for names in recipe["patients"].values() for name in names]
    assert not set(people) & set(NEVER) and len(people) > 200
    assert not [name for name in people if name.startswith("LIDC") and patient_hash(name) % 5 == 0]
    own = CubeNetwork.model_validate(recipe["volumetric"]["network"])
    assert (SHIPPED / "weights.safetensors").stat().st_size < 1_000_000 * own.members
    judge.load(own, SHIPPED / "weights.safetensors", Cuts.model_validate(recipe["volumetric"]["cuts"]))
