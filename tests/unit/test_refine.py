"""CycleGAN: counts, pool, rate, protection; refining HU; a run that can be cut in two."""

import hashlib

import numpy as np
import pytest
import torch
from compose_cases import disc
from hypothesis import given, settings
from hypothesis import strategies as st

from lungsynth.nets.grain import fine_detail
from lungsynth.refine.apply import refine_images
from lungsynth.refine.network import CycleGan, Discriminator, Generator, Judges
from lungsynth.refine.pool import ImagePool
from lungsynth.refine.protect import near_lesions, weighted_l1
from lungsynth.refine.samples import Domain, crop_source
from lungsynth.study.errors import DataError
from lungsynth.study.stages.cohort import Image
from lungsynth.study.stages.refine import CycleGanSettings
from lungsynth.study.training import Training
from lungsynth.train.checkpoints import RunPlan
from lungsynth.train.data import Shape
from lungsynth.train.loop import run_checkpoint

WINDOW = (-1000, 400)
SMALL = CycleGanSettings(
    network={"filters": 4, "blocks": 1, "discriminator_filters": 4}, objective={"crop_px": 32, "pool": 3}
)
CROPS = Shape(1, 32)


def crops():
    """Crops of both domains, one of each a batch."""
    return crop_source(domain(), domain(seed=1), 32, 1, Image(size_px=40))


def parameters(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_parameter_counts_of_the_paper():
    """FACTS 4.4: 64 filters, 9 blocks, one channel, with biases."""
    assert parameters(Generator(64, 9)) == 11_365_633
    assert parameters(Discriminator(64, 3)) == 2_762_689


def test_a_patch_of_the_discriminator_is_70_px():
    judge = Discriminator(4, 3).double()
    assert judge(torch.zeros(1, 1, 256, 256).double()).shape == (1, 1, 30, 30)
    # Instance norm sees the whole image; without it the gradient shows what one output sees.
    bare = torch.nn.Sequential(*(layer for layer in judge.body if not isinstance(layer, torch.nn.InstanceNorm2d)))
    x = torch.rand(1, 1, 256, 256, dtype=torch.float64, requires_grad=True)
    bare(x)[0, 0, 15, 15].backward()
    seen = x.grad[0, 0].nonzero()
    assert (seen.max(0).values - seen.min(0).values + 1).tolist() == [70, 70]


@pytest.mark.parametrize("shift", [None, 0.3])
def test_generators_keep_size_and_range(shift):
    x = torch.rand(2, 1, 36, 40) * 2 - 1
    y = Generator(4, 1, shift)(x)
    assert y.shape == x.shape and y.abs().max() <= 1


def test_a_residual_generator_starts_at_identity_and_its_change_is_bounded():
    x = torch.rand(1, 1, 32, 32) * 2 - 1
    generator = Generator(4, 1, 0.25)
    assert torch.equal(generator(x), x)
    torch.nn.init.normal_(generator.last[1].weight, 0, 50)
    change = (generator(x) - x).abs()
    assert 0.2 < change.max() <= 0.25 + 1e-6


def test_the_detail_channel_shows_blur_and_no_level():
    judge = Discriminator(4, 2, norm="none", detail=5)
    assert parameters(judge) - parameters(Discriminator(4, 2, norm="none")) == 4 * 4 * 4
    rng = torch.Generator().manual_seed(0)
    sharp = torch.rand(1, 1, 32, 32, generator=rng)
    blurred = torch.nn.functional.avg_pool2d(sharp, 3, 1, 1)
    assert fine_detail(torch.full_like(sharp, 0.7)).abs().max() < 1e-6
    assert fine_detail(blurred).std() < 0.5 * fine_detail(sharp).std()


def test_published_form_without_our_changes():
    """Residual, hold, detail and averages off: generators and discriminators of the paper, no term of ours."""
    published = {"residual": False, "discriminator_norm": "instance", "discriminator_detail": 0}
    plain = CycleGanSettings(
        network=SMALL.network.model_dump() | published,
        objective=SMALL.objective.model_dump() | {"discriminator_batches": 1},
        protect={"lesions": False},
    )
    kind, data, rng = CycleGan(plain, WINDOW), crops(), np.random.default_rng(0)
    update = next(kind.step(kind.build(CROPS), iter(lambda: data.draw(rng), None), torch.Generator(), 0))
    assert kind.max_shift is None
    assert sorted(update.logs) == sorted(
        f"{term}_{name}" for term in ("fool", "cycle", "identity") for name in ("real", "composite")
    )


def test_spectral_norm_and_a_second_judge_of_fine_grain():
    torch.manual_seed(0)
    network = SMALL.network.model_copy(update={"discriminator_norm": "spectral", "discriminator_fine": True})
    judges = Judges(network)
    wide, fine = judges(torch.rand(2, 1, 32, 32))
    assert wide.shape[-1] < fine.shape[-1]
    judges.eval()
    convolutions = [part for part in judges.fine.body if isinstance(part, torch.nn.Conv2d)]
    largest = [torch.linalg.svdvals(one.weight.flatten(1))[0].item() for one in convolutions]
    assert largest == pytest.approx([1] * len(convolutions), abs=0.2)


def test_what_is_judged_is_moved_over_all_phases_of_the_strides():
    settings = CycleGanSettings(network=SMALL.network, objective=SMALL.objective.model_dump() | {"jitter_px": 3})
    kind, rng = CycleGan(settings, WINDOW), torch.Generator().manual_seed(1)
    image = torch.arange(64.0).view(1, 1, 8, 8)
    moved = [kind._moved(image, rng) for _ in range(200)]
    assert {tuple(one.shape) for one in moved} == {(1, 1, 5, 5)}
    assert len({int(one[0, 0, 0, 0]) for one in moved}) == 16
    assert CycleGan(SMALL, WINDOW)._moved(image, rng) is image


def test_a_draw_from_the_pool():
    pool, rng = ImagePool(5, 2), torch.Generator().manual_seed(0)
    assert pool.draw(3, rng).shape == (0, 1, 2, 2)
    pool.query(torch.arange(1.0, 3)[:, None, None, None].expand(2, 1, 2, 2), rng)
    assert set(pool.draw(50, rng)[:, 0, 0, 0].tolist()) == {1, 2}


def test_pool_keeps_what_it_sees_and_gives_old_ones_back():
    pool, rng = ImagePool(3, 8), torch.Generator().manual_seed(0)
    first = torch.arange(3.0)[:, None, None, None].expand(3, 1, 8, 8)
    assert torch.equal(pool.query(first, rng), first)
    later = torch.full((200, 1, 8, 8), 9.0)
    shown = pool.query(later, rng)[:, 0, 0, 0]
    assert set(shown[shown < 9].tolist()) == {0, 1, 2}
    assert torch.equal(pool.images, torch.full_like(pool.images, 9))


def test_half_of_the_queries_come_from_a_full_pool():
    pool, rng = ImagePool(1, 1), torch.Generator().manual_seed(1)
    sent = torch.arange(2000.0)[:, None, None, None]
    shown = pool.query(sent, rng)
    assert (shown != sent).float().mean() == pytest.approx(0.5, abs=0.04)


def test_a_pool_of_none_and_a_pool_in_the_state():
    x = torch.rand(4, 1, 8, 8)
    assert torch.equal(ImagePool(0, 8).query(x, torch.Generator()), x)
    pool, copy = ImagePool(3, 8), ImagePool(3, 8)
    pool.query(x[:2], torch.Generator())
    copy.load_state_dict(pool.state_dict())
    assert int(copy.filled) == 2 and torch.equal(copy.images, pool.images)


def test_learning_rate_is_constant_then_falls_to_nothing():
    kind = CycleGan(SMALL, WINDOW)
    assert [kind.rate(step, 100) for step in (0, 49, 50, 75, 99)] == [1, 1, 1, 0.5, 0.02]


def test_protected_pixels_weigh_more_and_others_as_always():
    x, y = torch.zeros(1, 1, 4, 4), torch.ones(1, 1, 4, 4)
    near = torch.zeros(1, 1, 4, 4)
    near[..., 0, :] = 1
    assert weighted_l1(x, y, torch.zeros_like(near), 10) == 1
    assert weighted_l1(x, y, near, 10) == pytest.approx((12 + 4 * 10) / 16)


def test_the_ring_round_a_lesion_is_protected_with_it():
    near = near_lesions(disc(64, 5).astype(np.uint8), 2.0)
    assert near[disc(64, 6.9)].all() and not near[~disc(64, 7.5)].any()


def domain(n: int = 5, seed: int = 0) -> Domain:
    rng = np.random.default_rng(seed)
    images = rng.integers(-1000, 400, (n, 40, 40)).astype(np.int16)
    masks = np.stack([disc(40, 3, tuple(rng.integers(3, 37, 2).astype(float))) for _ in range(n)]).astype(np.uint8)
    return Domain([images[:2], images[2:]], [masks[:2], masks[2:]], "composites")


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([16, 32, 40]))
def test_every_crop_shows_a_lesion(seed, side):
    image, mask = domain(seed=seed).crop(side, np.random.default_rng(seed))
    assert image.shape == mask.shape == (side, side) and mask.any()


def test_a_domain_tells_its_share_of_lesions_and_refuses_to_have_none():
    images, masks = np.zeros((2, 40, 40), np.int16), np.zeros((2, 40, 40), np.uint8)
    masks[0, 5, 5], masks[0, 9, 9] = 1, 2
    one = Domain([images], [masks], "slices")
    assert (one.lesion_share, one.lesions_per_image) == (0.5, 1)
    with pytest.raises(DataError, match="no lesion"):
        Domain([images], [masks * 0], "slices")


def test_refining_keeps_what_lies_outside_the_window():
    class Brighter(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(1))

        def forward(self, x):
            return torch.clamp(x + 0.1, -1, 1)

    hu = np.array([[[-1000, -850, 0, 390, 400, 1500, -1024, 3071]]], np.int16).repeat(8, 1).repeat(3, 0)
    out = refine_images(Brighter(), hu, WINDOW)
    assert out.dtype == np.int16
    assert out[2, 0].tolist() == [-930, -780, 70, 400, 400, 1500, -954, 3071]


def test_an_untrained_residual_refiner_changes_nothing():
    hu = np.random.default_rng(0).integers(-1024, 3071, (3, 40, 40)).astype(np.int16)
    assert (refine_images(CycleGan(SMALL, WINDOW).build(CROPS)["to_real"], hu, WINDOW) == hu).all()


def train(folder, checkpoints: int) -> list[str]:
    """Digests of the last state of the same run in so many checkpoints."""
    previous = None
    training = Training(steps=4, checkpoints=checkpoints, points_every=1, batch=1, ema=0.9)
    for k in range(checkpoints):
        plan = RunPlan("refine/composites/cyclegan-1", 1, training, k, device="cpu")
        state = folder / f"state-{checkpoints}-{k}.pt"
        files = (state.with_suffix(".json"), state.with_suffix(".csv"))
        run_checkpoint(CycleGan(SMALL, WINDOW), crops(), plan, previous, state, *files)
        previous = state
    weights = torch.load(previous, weights_only=True)["modules"]
    return [
        hashlib.sha256(weights[name][key].numpy().tobytes()).hexdigest()
        for name in sorted(weights)
        for key in sorted(weights[name])
    ]


def test_a_run_in_two_checkpoints_ends_where_one_does(tmp_path):
    whole, cut = train(tmp_path, 1), train(tmp_path, 2)
    assert whole == cut and len(set(whole)) > 20


def test_a_step_moves_both_generators_and_both_discriminators():
    torch.manual_seed(0)
    kind = CycleGan(SMALL, WINDOW)
    modules = kind.build(CROPS)
    optimisers = kind.optimisers(modules)
    before = {n: [p.clone() for p in m.parameters()] for n, m in modules.items()}
    data, rng = crops(), np.random.default_rng(0)
    for _ in range(3):
        for update in kind.step(modules, iter(lambda: data.draw(rng), None), torch.Generator(), 0):
            optimisers[update.optimiser].zero_grad()
            update.loss.backward()
            optimisers[update.optimiser].step()
            assert all(value.ndim == 0 for value in update.logs.values())
    for name in ("to_real", "to_composite", "judge_real", "judge_composite"):
        assert any(not torch.equal(a, b) for a, b in zip(before[name], modules[name].parameters(), strict=True)), name
    assert int(modules["pool_real"].filled) == 3


def test_an_unmarked_domain_uses_all_of_its_images_and_knows_no_share():
    images, masks = np.zeros((3, 16, 16), np.int16), np.zeros((3, 16, 16), np.uint8)
    with pytest.raises(DataError, match="no lesion"):
        Domain([images], [masks], "slices")
    domain = Domain([images], [masks], "slices", unmarked=True)
    assert domain.lesion_share is None and len(domain.with_lesion) == 3
    image, mask = domain.crop(8, np.random.default_rng(0))
    assert image.shape == mask.shape == (8, 8) and not mask.any()
