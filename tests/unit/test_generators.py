"""The contract of every registered generator, whatever its name; then what single kinds promise."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from lungsynth.generate.base import COLLAPSED_SD, Shape, make_kind
from lungsynth.generate.data import batches, to_tensor
from lungsynth.generate.prior import Prior
from lungsynth.generate.registry import GENERATORS
from lungsynth.generate.sample import as_nodules, as_slices, draw, load_generator
from lungsynth.generate.sizes import start_and_doublings
from lungsynth.generate.wasserstein import gradient_penalty
from lungsynth.sets.bank import ImageSet
from lungsynth.study.errors import StudyError, TrainingError
from lungsynth.study.seeds import rng as named_rng
from lungsynth.train.loop import run_segment
from lungsynth.train.segments import SegmentPlan

SMALL = {"generator_channels": 16, "generator_least": 4, "critic_channels": 4, "critic_most": 8, "batch": 4}
WINDOW = (-1000, 400)
every_kind = pytest.mark.parametrize("name", GENERATORS.names())


def bank(n=12, size=32, channels=2):
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:size, :size] - size / 2
    masks = np.stack([np.hypot(y, x) < r for r in rng.uniform(2, size / 3, n)]).astype(np.uint8)
    hu = np.where(masks > 0, rng.normal(-100, 90, masks.shape), -1000).astype(np.int16)
    images = ImageSet(hu, masks, 1.25, pd.DataFrame({"id": range(n)}))
    return to_tensor(images, WINDOW, with_mask=channels == 2)


NODULE = Shape(32, 2)


def small(name, shape=NODULE, ema=0.9, real=None, **block):
    return make_kind(name, SMALL | block, shape, ema, real)


def paths(folder, segment):
    return [folder / f"state-{segment}.pt", folder / f"state-{segment}.json", folder / f"losses-{segment}.csv"]


def train(name, folder, segments=1, steps=2, **block):
    folder.mkdir(exist_ok=True)
    plan = SegmentPlan(f"generate/{name}", seed=5, steps=steps, segments=segments, points_every=1, device="cpu")
    for k in range(segments):
        previous = paths(folder, k - 1)[0] if k else None
        gan = small(name, real=bank(), **block)
        run_segment(gan, batches(bank(), 4, turn=True), replace(plan, segment=k), previous, *paths(folder, k))
    return paths(folder, segments - 1)[0]


@every_kind
@pytest.mark.parametrize(("size", "channels"), [(32, 2), (64, 1), (96, 1), (160, 1)])
def test_networks_have_the_sizes_that_are_asked_for(name, size, channels):
    gan = small(name, Shape(size, channels))
    modules = gan.build()
    images = gan.draw(modules["generator"], 2, torch.Generator())
    assert images.shape == (2, channels, size, size)
    assert images.abs().max() <= 1
    assert modules["critic"](images).shape == (2,)


@every_kind
def test_impossible_sizes_are_one_clear_line(name):
    with pytest.raises(StudyError, match=r"100 px; near sizes are 80, 96, 112"):
        small(name, Shape(100, 1))
    with pytest.raises(StudyError):
        GENERATORS.settings(name).check_size(100)


@every_kind
def test_a_step_changes_all_weights_of_both_networks(name):
    gan = small(name)
    torch.manual_seed(0)
    modules = gan.build()
    before = {key: {n: p.detach().clone() for n, p in m.named_parameters()} for key, m in modules.items()}
    optimisers = gan.optimisers(modules)
    stream = iter(lambda: batches(bank(), 4, turn=True)(named_rng(1, "x")), None)
    for update in gan.step(modules, stream, torch.Generator().manual_seed(1), 0):
        optimisers[update.optimiser].zero_grad()
        update.loss.backward()
        optimisers[update.optimiser].step()
    for key, module in modules.items():
        # A Wasserstein critic's last bias cancels out of its loss but for the drift term.
        same = [n for n, p in module.named_parameters() if torch.equal(p, before[key][n]) and n != "head.bias"]
        assert not same


@every_kind
def test_segments_end_in_the_bytes_of_one_run(name, tmp_path):
    whole, cut = train(name, tmp_path / "a"), train(name, tmp_path / "b", segments=2)
    assert whole.read_bytes() == cut.read_bytes()


@every_kind
def test_a_drawn_image_depends_on_its_index_alone(name, tmp_path):
    generator = load_generator(small(name), train(name, tmp_path))
    few, many = draw(generator, 3, 7, "nodules"), draw(generator, 21, 7, "nodules")
    assert many.shape == (21, 2, 32, 32)
    assert np.array_equal(few, many[:3])
    assert not np.array_equal(many[0], many[8])
    assert not np.array_equal(few, draw(generator, 3, 8, "nodules"))


@every_kind
def test_the_untrained_generator_draws_about_the_mean_of_the_real_images(name):
    mean = bank().mean(0)
    generator = small(name, real=bank()).build()["generator"].eval()
    assert np.abs(draw(generator, 8, 1, "x").mean(0) - mean.numpy()).mean() < 0.1


@every_kind
def test_a_collapsed_generator_is_refused(name):
    gan = small(name)
    modules = gan.build()
    torch.nn.init.zeros_(modules["generator"].fill.weight)
    with pytest.raises(TrainingError, match="collapsed"):
        gan.check(modules, torch.Generator())
    assert COLLAPSED_SD > 0


@every_kind
def test_a_kind_says_what_the_monitor_needs(name):
    kind = GENERATORS.get(name)
    assert kind.loss_family in ("bce", "wasserstein", "hinge", "lsgan")
    assert set(kind.monitored) == set(small(name).optimisers(small(name).build()))


def wasserstein_kinds():
    return [name for name in GENERATORS.names() if GENERATORS.get(name).loss_family == "wasserstein"]


@pytest.mark.parametrize("name", wasserstein_kinds())
def test_wasserstein_critics_judge_each_sample_alone_and_without_bound(name):
    critic = small(name).build()["critic"]
    assert not any(isinstance(part, torch.nn.BatchNorm2d) for part in critic.modules())
    x = bank()[:4]
    assert torch.allclose(critic(x)[:1], critic(x[:1]), atol=1e-5)
    for part in critic.head.parameters():
        part.data.mul_(1e4)
    assert critic(x).abs().max() > 10


@pytest.mark.parametrize("name", wasserstein_kinds())
def test_the_penalty_reaches_all_weights_and_not_the_last_bias(name):
    critic = small(name).build()["critic"]
    penalty, norm = gradient_penalty(critic, bank()[:4], bank()[4:8], torch.Generator())
    penalty.backward()
    # The penalty sees slopes alone: where units are linear by parts, a bias has none to give.
    weights = {n: p.grad for n, p in critic.named_parameters() if not n.endswith("bias")}
    assert all(grad is not None and grad.abs().sum() > 0 for grad in weights.values())
    assert critic.head.bias.grad is None
    assert norm > 0


def test_the_penalty_of_a_linear_critic_is_known():
    """D(x) = w . x has gradient w everywhere: the penalty is (|w| - 1)^2, the norm that of one sample."""
    critic = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(8, 1), torch.nn.Flatten(0))
    torch.nn.init.constant_(critic[1].weight, 1.0)
    penalty, norm = gradient_penalty(critic, torch.rand(3, 2, 2, 2), torch.rand(3, 2, 2, 2), torch.Generator())
    assert float(norm) == pytest.approx(8**0.5, rel=1e-5)
    assert float(penalty.detach()) == pytest.approx((8**0.5 - 1) ** 2, rel=1e-5)


def test_capsules_are_capped_by_more_strided_convolutions():
    gans = [small("w_capsule", Shape(size, 1), max_capsules=200, types=8) for size in (32, 160, 512)]
    counts = [gan.build()["critic"].routed.weight.shape[1] // 8 for gan in gans]
    assert max(counts) <= 200 and min(counts) >= 50
    literature = {"critic_channels": 64, "kernel": 9, "types": 16, "max_capsules": 2000}
    assert small("w_capsule", **literature).build()["critic"].routed.weight.shape == (10, 1024 * 8, 16)


def test_dcgan_s_losses_are_binary_cross_entropies():
    for loss, expected in (("non_saturating", np.log(2)), ("saturating", -np.log(2))):
        gan = small("dcgan", generator_loss=loss, smooth=0.2)
        modules = gan.build()
        for part in modules["critic"].parameters():
            torch.nn.init.zeros_(part)
        first, second = gan.step(modules, iter([bank()[:4]]), torch.Generator(), 0)
        assert float(first.loss) == pytest.approx(2 * np.log(2), rel=1e-5)
        assert float(second.loss) == pytest.approx(expected, rel=1e-5)


OPTIONS = [
    {"critic_norm": "batch"},
    {"critic_spread": True},
    {"smooth_doubling": True},
    {"prior_code": 3},
    {"noise": True},
]


@pytest.mark.parametrize("block", [*OPTIONS, {"smooth_doubling": True}, {"prior_code": 3, "reconstruct": 5}])
def test_dcgan_s_options_train(block, tmp_path):
    assert train("dcgan", tmp_path, **block).exists()


def test_rebuilding_needs_codes():
    with pytest.raises(ValueError, match="prior_code"):
        small("dcgan", reconstruct=1)
    with pytest.raises(ValueError, match="z must be at least"):
        small("dcgan", prior_code=10, z=11)


def test_rebuilding_leaves_the_monitored_loss_alone_and_moves_the_generator():
    real, results = bank(40), {}
    for weight in (1e-6, 50):
        torch.manual_seed(0)
        gan = small("dcgan", real=real, prior_code=3, reconstruct=weight)
        modules = gan.build()
        _, update = gan.step(modules, iter([real[:4]]), torch.Generator().manual_seed(1), 0)
        update.loss.backward()
        results[weight] = float(update.loss.detach()), modules["generator"].fill.weight.grad
    assert results[50][0] == pytest.approx(results[1e-6][0])
    assert results[50][1].norm() > 2 * results[1e-6][1].norm()


def test_the_prior_draws_codes_as_real_images_have_them():
    """Two kinds of real image, far apart: the mixture draws both, in proportion, and nothing between."""
    rng = np.random.default_rng(2)
    level = np.where(np.arange(400) < 100, -0.8, 0.6) + rng.normal(0, 0.02, 400)
    real = torch.from_numpy((level[:, None, None, None] + rng.normal(0, 0.01, (400, 1, 16, 16))).astype("float32"))
    prior = Prior(1, 16, code=2, components=4).fit(real)
    codes = prior.encode(real)
    assert torch.allclose(codes.std(0), torch.ones(2), atol=0.01)
    drawn = prior(torch.randn(4000, 5, generator=torch.Generator().manual_seed(1)))
    assert drawn.shape == (4000, 4)
    low, high = codes[:100, 0].mean(), codes[100:, 0].mean()
    middle = (low + high) / 2
    first = (drawn[:, 0] < middle) == (low < middle)
    assert float(first.float().mean()) == pytest.approx(0.25, abs=0.03)
    assert ((drawn[:, 0] - middle).abs() > (high - low).abs() / 4).all()


def test_sizes_are_small_grids_doubled():
    assert [start_and_doublings(size) for size in (32, 64, 96, 128, 160, 256)] == [
        (4, 3), (4, 4), (6, 4), (4, 5), (5, 5), (4, 6),
    ]  # fmt: skip


def test_images_reach_the_network_between_minus_one_and_one():
    hu, masks = np.array([[[-1024, -1000], [-300, 900]]], np.int16), np.array([[[0, 1], [2, 0]]], np.uint8)
    images = ImageSet(hu, masks, 1.0, pd.DataFrame({"id": [0]}))
    assert to_tensor(images, WINDOW, with_mask=True).tolist() == [[[[-1, -1], [0, 1]], [[-1, 1], [1, -1]]]]
    assert to_tensor(images, WINDOW, with_mask=False).shape == (1, 1, 2, 2)


def test_nodules_are_turned_with_their_masks_and_slices_are_not():
    images = bank(6)
    images[:] = -1
    images[:, :, 5, 9] = 0.5
    seen = {tuple(map(int, torch.nonzero(image[0] == 0.5)[0])) for k in range(30)
            for image in batches(images, 6, turn=True)(named_rng(k))}  # fmt: skip
    assert seen == {(5, 9), (9, 5), (5, 22), (22, 5), (26, 9), (9, 26), (26, 22), (22, 26)}
    for image in batches(images, 6, turn=True)(named_rng(0)):
        assert torch.equal(image[0] == 0.5, image[1] == 0.5)
    still = batches(images, 6, turn=False)(named_rng(0))
    assert (still[:, 0, 5, 9] == 0.5).all()


def test_a_bank_smaller_than_a_batch_is_refused():
    with pytest.raises(TrainingError, match="12 images are fewer than a batch of 13"):
        batches(bank(), 13, turn=False)


def test_a_drawn_nodule_is_cut_out_along_its_largest_part():
    raw = np.full((2, 2, 32, 32), -1, np.float32)
    raw[:, 0] = 0.2  # -160 HU everywhere
    raw[0, 1, 10:18, 10:18] = 0.3
    raw[0, 1, 25, 25] = 0.9
    out = as_nodules(raw, WINDOW, 1.25, margin_mm=2, source="w_capsule:5")
    assert out.masks[0].sum() == 64 and out.masks[1].sum() == 0
    assert (out.images[0][out.masks[0] > 0] == -160).all()
    assert out.images[0, 9, 12] == -160 and out.images[0, 7, 12] == -1000 and out.images[0, 25, 25] == -1000
    first = out.table.iloc[0]
    assert first["diameter_mm"] == pytest.approx(2 * np.sqrt(64 / np.pi) * 1.25)
    assert (first["texture"], first["source"], first["id"]) == ("solid", "w_capsule:5:0", "w_capsule-5-0")
    assert out.table["diameter_mm"][1] == 0


def test_a_drawn_slice_has_int16_hu_and_no_lungs_where_there_are_none():
    out = as_slices(np.zeros((2, 1, 64, 64), np.float32), WINDOW, 5.0, "dcgan:1")
    assert out.images.dtype == np.int16 and (out.images == -300).all()
    assert out.masks.max() == 0 and out.table["lung_area_mm2"].tolist() == [0, 0]
