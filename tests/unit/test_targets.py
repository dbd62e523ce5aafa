"""What segmenters learn from: the share of the readers who hold a pixel, or the consensus; windows of any size."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError
from scipy import ndimage

from lungsynth.cohort.base import Mark, ScanRef
from lungsynth.cohort.base import Scan as Read
from lungsynth.cohort.prepare import prepare_scan
from lungsynth.cohort.shapes import share_of
from lungsynth.ct import volume as volumes
from lungsynth.ct.volume import Volume
from lungsynth.segment.inference.grid import Grid
from lungsynth.segment.inference.planes import Scan, scans_of
from lungsynth.segment.kinds.dense_unet.network import DenseUNetKind
from lungsynth.segment.kinds.dense_unet.settings import Settings
from lungsynth.segment.kinds.unet.settings import Settings as FiveLevels
from lungsynth.segment.scoring import patches
from lungsynth.segment.training import paste, windows
from lungsynth.segment.training.augment import reach_of, window
from lungsynth.segment.training.augmentation import Augmentation
from lungsynth.segment.training.batches import Contexts, batches
from lungsynth.segment.training.losses import dice_loss
from lungsynth.sets.scans import load
from lungsynth.study.seeds import rng
from lungsynth.study.stages.segment import Network, Windows

STILL = {"shift_hu": 0, "noise_hu": 0}
WARPED = Augmentation(turn="any", zoom=1.25, stretch=1.2, bend_px=1.5, **STILL)
SMALL = {"architecture": {"widths": (4, 8), "growth": 2, "layers": 1}}


def disc(radius, size=71):
    y, x = np.mgrid[:size, :size] - size // 2
    return y**2 + x**2 <= radius**2


@pytest.fixture
def votes():
    """Of four readers, discs of 4, 6, 8 and 10 px: the consensus is that of 8."""
    return sum(disc(radius).astype(np.uint8) for radius in (4, 6, 8, 10))[None]


@pytest.fixture
def scan(votes):
    """A patch of that nodule."""
    hu = np.where(disc(8), 40, -880).astype(np.int16)[None]
    nodules = (votes >= 2).astype(np.uint8)
    return Scan("s", "p", Volume(hu, (1, 0.7, 0.7)), nodules, (hu < -500).astype(np.uint8), shares=share_of(votes, 4))


def contexts(scan, mm=0.7):
    return windows.cut(scan, Grid(mm), 71, 1, 4, rng(0, "w"))


def test_half_of_the_readers_is_a_consensus():
    for readers in (1, 2, 3, 4):
        for votes in range(readers + 1):
            share = share_of(np.array([votes]), readers)[0]
            assert (share >= windows.HALF) == (2 * votes >= readers)
            assert share == pytest.approx(255 * votes / readers, abs=0.5)


@pytest.mark.parametrize("mm", [0.7, 1.1])
def test_contexts_keep_shares_and_their_consensus_is_the_annotation_on_any_grid(scan, votes, mm):
    soft, hard = contexts(scan, mm), contexts(replace(scan, shares=None), mm)
    np.testing.assert_array_equal(soft.consensus, hard.consensus)
    assert set(np.unique(hard.masks)) == {0, 255}
    assert ((soft.masks > 0) & (soft.consensus == 0)).any()  # a reader's pixels outside the consensus
    if mm == 0.7:
        assert set(np.unique(soft.masks)) == {0, 64, 128, 191, 255}
        np.testing.assert_array_equal(soft.masks[0], share_of(votes[0], 4))


def test_a_consensus_that_is_not_of_half_of_the_readers_stays_what_it_is(scan, votes):
    for least in (1, 4):
        nodules = (votes >= least).astype(np.uint8)
        np.testing.assert_array_equal(contexts(replace(scan, nodules=nodules)).consensus[0], nodules[0])


@pytest.mark.parametrize("how", [Augmentation(**STILL), WARPED], ids=["quarter turns", "warped"])
def test_consensus_batches_do_not_know_of_shares_and_are_drawn_as_ever(scan, how):
    made = contexts(scan)
    with_shares, without = (batches([one], (48,), 8, how) for one in (made, contexts(replace(scan, shares=None))))
    one, two = with_shares(rng(0, "b")), without(rng(0, "b"))
    assert torch.equal(one["hu"], two["hu"]) and torch.equal(one["mask"], two["mask"])
    assert set(np.unique(one["mask"])) == {0, 1}
    stream = rng(0, "b")
    rows = Contexts([made], 48).draw(8, stream)
    drawn = [window(made.images[row], made.consensus[row], 48, how, stream)[0] for row in rows]
    np.testing.assert_array_equal(one["hu"], np.stack(drawn))


@pytest.mark.parametrize("how", [Augmentation(**STILL), WARPED], ids=["quarter turns", "warped"])
def test_votes_are_shares_that_move_with_the_image(scan, how):
    hard, soft = (batches([contexts(scan)], (48,), 8, how, targets=t)(rng(0, "b")) for t in ("consensus", "votes"))
    assert torch.equal(hard["hu"], soft["hu"])
    share = soft["mask"].numpy()
    assert share.dtype == np.float32 and share.min() == 0 and share.max() == 1
    if not how.warps:
        assert set(np.rint(255 * np.unique(share))) == {0, 64, 128, 191, 255}
    # Halfway between three quarters and a quarter, where a mask is half: nowhere else do the two part.
    assert ((share >= 0.5) != (hard["mask"].numpy() > 0)).mean() < 0.01


def test_each_batch_is_of_one_size_and_its_nodules_lie_as_far_from_the_middle(scan):
    data = batches([contexts(scan)], (48, 56, 64), 4, WARPED)
    reach = {48: [], 56: [], 64: []}
    for n in range(90):
        masks = data(rng(n, "b"))["mask"][:2, 0].numpy()
        reach[masks.shape[-1]] += [ndimage.center_of_mass(mask) for mask in masks if mask.any()]
    for size, places in reach.items():
        assert len(places) > 20
        assert 8 < np.abs(np.array(places) - (size - 1) / 2).max() < 18


@pytest.mark.parametrize("sizes, how", [((48, 32, 64), WARPED), ((64, 32), Augmentation(**STILL))])
def test_no_size_tells_how_far_from_its_middle_a_nodule_may_lie(scan, sizes, how, monkeypatch):
    reach = set()

    def seen(hu, mask, size, how, stream, reach_px, soft, beyond_px):
        reach.add(min(reach_px, reach_of(hu.shape[-1], size, beyond_px if how.warps else 0)))
        return window(hu, mask, size, how, stream, reach_px, soft, beyond_px)

    monkeypatch.setattr("lungsynth.segment.training.batches.window", seen)
    data = batches([contexts(scan)], sizes, 2, how)
    assert {data(rng(n, "b"))["mask"].shape[-1] for n in range(20)} == set(sizes)
    assert len(reach) == 1


def test_a_kind_learns_from_several_sizes_of_shares(scan):
    own = {**SMALL, "augmentation": WARPED.model_dump(), "window_px": 32, "windows_px": (16, 48), "targets": "votes"}
    own = Settings.model_validate(own)
    kind = DenseUNetKind(own, Network(slices=1, spacing_mm=0.7))
    source, modules = kind.source([contexts(scan)], 4), kind.build(kind.shape)
    assert source.shape.size_px == 32
    seen = set()
    for step in range(12):
        (update,) = kind.step(modules, iter([source.draw(rng(step, "b"))]), torch.Generator(), step)
        assert torch.isfinite(update.loss)
        seen.add(source.draw(rng(step, "b"))["hu"].shape[-1])
    assert seen == {16, 32, 48}


def test_sizes_that_do_not_fit_are_refused_by_their_key():
    with pytest.raises(ValidationError, match="windows_px 56 is larger than window_px 48: cut from a context and not"):
        Settings(window_px=48, windows_px=(32, 56))
    with pytest.raises(ValidationError, match="windows_px 42 must be a multiple of 8 for 4 widths"):
        Settings(window_px=48, windows_px=(42,))
    with pytest.raises(ValidationError, match="windows_px 40 must be a multiple of 16 for five levels"):
        FiveLevels.model_validate({"window_px": 48, "windows_px": [40]})
    with pytest.raises(ValueError, match=r"windows_px 72 is larger than segment\.windows\.context_px 64"):
        Settings(window_px=48, windows_px=(56, 72), augmentation=WARPED).check_contexts(
            Network(), Windows(context_px=64)
        )


def test_dice_of_shares_is_the_agreement_with_each_reader(votes):
    found = disc(7)[None]
    logits = torch.from_numpy(np.where(found, 40.0, -40.0))[None]
    share = torch.from_numpy(votes[None] / 4)
    expected = patches.to_readers(found, votes, np.array([4]))[0]
    assert 1 - dice_loss(logits, share, smooth=0).item() == pytest.approx(expected)


def test_a_window_where_no_half_of_the_readers_holds_a_pixel_is_left_to_the_cross_entropy():
    logits, share = torch.zeros(2, 1, 4, 4), torch.full((2, 1, 4, 4), 0.25)
    assert dice_loss(logits, share) == 0
    share[0] = 0.5
    assert dice_loss(logits, share) == dice_loss(logits[:1], share[:1]) > 0


def test_laid_nodules_have_no_readers(scan):
    hu = np.full((3, 64, 64), -880, np.int16)
    three = Scan("s", "p", Volume(hu, (1, 1, 1)), np.zeros(hu.shape, np.uint8), np.ones(hu.shape, np.uint8))
    three = replace(three, shares=np.full(hu.shape, 9, np.uint8))
    assert paste.pasted(three, [], 0, np.random.default_rng(0)).shares is None


def test_shares_are_prepared_upright_and_reach_the_planes(tmp_path, votes):
    """Of a scan whose rows run from back to front; without shares there is no such file."""
    shares, nodules = share_of(votes, 4), (votes >= 2).astype(np.uint8)
    shares[:, :, 0], nodules[:, :5, 5] = 99, 1
    shares[0, 0, 0] = 7
    hu = np.where(nodules, 40, -880).astype(np.int16)
    upright = Volume(hu, (1.0, 0.7, 0.7))
    given = [volumes.turned(upright.like(array), "RPS") for array in (hu, nodules, shares)]
    read = Read(given[0], nodules=given[1].hu, marks=(Mark((0, 0, 0), 5, label=1),), shares=given[2].hu)
    none = pd.DataFrame(columns=["scan", "mark"])
    for name, one in (("a", read), ("b", replace(read, shares=None))):
        facts, _ = prepare_scan(ScanRef(name, "p", "patch", ()), one, tmp_path)
        row = SimpleNamespace(scan=name, patient="p", role="fit", kind="patch", axes=facts["axes"])
        prepared = load(tmp_path, row, none, none)
        (plane,) = scans_of(prepared)
        if name == "a":
            np.testing.assert_array_equal(prepared.shares, shares)
            np.testing.assert_array_equal(plane.shares, shares)
        else:
            assert prepared.shares is None and plane.shares is None
            assert not (tmp_path / "b_shares.nii.gz").exists()
