"""The contract of every registered generator, whatever its name; then what single kinds promise."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import torch

from lungsynth.ct.files import sha256
from lungsynth.generate.augment import Strength, alter
from lungsynth.generate.collapse import alarm, spread
from lungsynth.generate.data import bank_source, to_tensor
from lungsynth.generate.doubling.prior import Prior
from lungsynth.generate.doubling.settings import DoublingSettings, start_and_doublings
from lungsynth.generate.doubling.wasserstein import gradient_penalty
from lungsynth.generate.gan import Gan
from lungsynth.generate.gan_settings import Augment
from lungsynth.generate.generator import make_kind
from lungsynth.generate.kinds.biggan.network import shared_directions
from lungsynth.generate.kinds.diffusion.network import without_noise
from lungsynth.generate.kinds.stylegan.blocks import ModulatedConv, Resample, demodulation
from lungsynth.generate.kinds.stylegan.network import heuristic_gamma
from lungsynth.generate.labels import labelled
from lungsynth.generate.pretrained import load as load_pretrained
from lungsynth.generate.registry import GENERATORS
from lungsynth.generate.release import recipe
from lungsynth.generate.sample import as_nodules, as_slices, draw
from lungsynth.generate.streams import truncated
from lungsynth.generate.trained import load_all, trainable
from lungsynth.nets import count
from lungsynth.nets.capsule import margin_loss
from lungsynth.score.registry import METRICS
from lungsynth.sets.bank import ImageSet
from lungsynth.sets.labels import Classes, read
from lungsynth.sets.tables import write_json
from lungsynth.study.errors import DataError, StudyError, TrainingError
from lungsynth.study.runs import Run
from lungsynth.study.seeds import rng as named_rng
from lungsynth.study.stages.generate import Labels, Monitor
from lungsynth.study.training import Training
from lungsynth.train import weights
from lungsynth.train.checkpoints import RunPlan
from lungsynth.train.data import Shape
from lungsynth.train.loop import load, run_checkpoint
from lungsynth.train.trainable import Update

SMALL = {
    "generator_channels": 16,
    "generator_least": 4,
    "critic_channels": 4,
    "critic_most": 8,
    "generator_widths": (8, 16),
    "critic_widths": (16, 8),
    "widths": (8, 16),
    "passes": 2,
    "w": 16,
    "mapping_layers": 2,
    "channel_base": 128,
    "channel_most": 16,
    "channel_least": 4,
}
WINDOW = (-1000, 400)
every_kind = pytest.mark.parametrize("name", GENERATORS.names())


def bank(n=12, size=32, channels=2):
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:size, :size] - size / 2
    masks = np.stack([np.hypot(y, x) < r for r in rng.uniform(2, size / 3, n)]).astype(np.uint8)
    hu = np.where(masks > 0, rng.normal(-100, 90, masks.shape), -1000).astype(np.int16)
    images = ImageSet(hu, masks, 1.25, pd.DataFrame({"id": range(n)}))
    return to_tensor(images, WINDOW, with_mask=channels == 2)


NODULE = Shape(2, 32)


def small(name, **block):
    """A kind with small sizes where it has those settings."""
    known = GENERATORS.settings(name).model_fields
    return make_kind(name, {key: value for key, value in SMALL.items() if key in known} | block)


def paths(folder, k):
    return [folder / f"state-{k}.pt", folder / f"state-{k}.json", folder / f"losses-{k}.csv"]


def train(name, folder, checkpoints=1, steps=2, kind=None, **block):
    folder.mkdir(exist_ok=True)
    training = Training(steps=steps, checkpoints=checkpoints, points_every=1, batch=4, ema=0.9)
    plan = RunPlan(f"generate/nodules/{name}-5", seed=5, training=training, device="cpu")
    for k in range(checkpoints):
        previous = paths(folder, k - 1)[0] if k else None
        data = bank_source(bank(), 4, turn="square")
        run_checkpoint(kind or small(name, **block), data, replace(plan, checkpoint=k), previous, *paths(folder, k))
    return paths(folder, checkpoints - 1)[0]


def drawn(kind, state, n, seed=7):
    return draw(kind, load(kind, state), n, seed, "nodules")


@every_kind
@pytest.mark.parametrize("shape", [Shape(2, 32), Shape(1, 64), Shape(1, 96), Shape(1, 160)])
def test_images_have_the_shape_that_is_asked_for(name, shape):
    kind = small(name)
    modules = {
        key: module.eval() for key, module in kind.build(shape, 1, bank(16, shape.size_px, shape.channels)).items()
    }
    with torch.no_grad():
        images = kind.sample(modules, 2, None, [named_rng(1, k) for k in range(2)])
    assert images.shape == (2, shape.channels, shape.size_px, shape.size_px) and images.dtype == torch.float32
    assert images.abs().max() <= 1


@every_kind
def test_impossible_sizes_are_one_clear_line(name):
    with pytest.raises((StudyError, ValueError)) as caught:
        GENERATORS.settings(name)().check_size(4099)
    assert "4099" in str(caught.value) and "\n" not in str(caught.value)


def take_steps(kind, modules, data, steps):
    """The updates of the first steps, as the loop makes them."""
    optimisers = kind.optimisers(modules)
    stream = iter(lambda: data.draw(named_rng(1, "x")), None)
    for step in range(steps):
        for update in kind.step(modules, stream, torch.Generator().manual_seed(step), step):
            optimisers[update.optimiser].zero_grad()
            update.loss.backward()
            optimisers[update.optimiser].step()


@every_kind
def test_the_first_steps_change_all_weights_that_have_an_optimiser(name):
    """Not the first alone: what starts at 0, as a residual branch may, keeps its own weights still at first."""
    kind, data = small(name), bank_source(bank(), 4, turn="square")
    torch.manual_seed(0)
    modules = kind.build(data.shape, data.classes, data.real)
    before = {key: {n: p.detach().clone() for n, p in m.named_parameters()} for key, m in modules.items()}
    take_steps(kind, modules, data, 4)
    for key, module in modules.items():
        # A Wasserstein critic's last bias cancels out of its loss but for the drift term, and what is added to all keys
        # alike out of an attention's softmax.
        same = [n for n, p in module.named_parameters() if torch.equal(p, before[key][n])]
        assert not [n for n in same if n != "head.bias" and not n.endswith("to_k.bias")]


@every_kind
def test_two_checkpoints_end_in_the_bytes_of_one(name, tmp_path):
    whole, cut = train(name, tmp_path / "a"), train(name, tmp_path / "b", checkpoints=2)
    assert whole.read_bytes() == cut.read_bytes()


@every_kind
def test_a_drawn_image_depends_on_its_index_alone(name, tmp_path):
    kind, state = small(name), train(name, tmp_path)
    few, many = drawn(kind, state, 3), drawn(kind, state, 21)
    assert many.shape == (21, 2, 32, 32)
    assert np.array_equal(few, many[:3])
    assert not np.array_equal(many[0], many[8])
    assert not np.array_equal(few, drawn(kind, state, 3, seed=8))


@every_kind
def test_a_kind_says_what_the_monitor_needs(name):
    kind = small(name)
    assert kind.loss_family in ("bce", "wasserstein", "hinge", "lsgan", "supervised")
    modules = kind.build(NODULE)
    assert set(kind.monitored or ()) <= set(kind.optimisers(modules))
    assert set(kind.averaged) <= set(modules)


class TwoPasses:
    """A kind that is no GAN: a coarse network and a detail network, trained as regressions, drawn in two passes."""

    loss_family, monitored, averaged = "supervised", None, ("coarse", "detail")

    def build(self, shape, classes=1, real=None):
        self.side = shape.size_px
        return {
            "coarse": torch.nn.Linear(5 + classes, shape.channels * 16),
            "detail": torch.nn.Conv2d(shape.channels, shape.channels, 3, padding=1),
        }

    def optimisers(self, modules):
        return {name: torch.optim.SGD(module.parameters(), 0.01) for name, module in modules.items()}

    def _coarse(self, modules, z, labels):
        one_hot = torch.nn.functional.one_hot(labels, modules["coarse"].in_features - 5).float()
        return modules["coarse"](torch.cat([z, one_hot], 1)).view(len(z), -1, 4, 4)

    def step(self, modules, batches, rng, step):
        batch = next(batches)
        z = torch.randn(len(batch["images"]), 5, generator=rng)
        small = torch.nn.functional.avg_pool2d(batch["images"], batch["images"].shape[-1] // 4)
        yield Update("coarse", (self._coarse(modules, z, batch["labels"]) - small).square().mean())
        large = torch.nn.functional.interpolate(small, batch["images"].shape[-1])
        yield Update("detail", (modules["detail"](large) - batch["images"]).square().mean())

    def sample(self, modules, n, labels, streams):
        z = torch.from_numpy(np.stack([stream.standard_normal(5) for stream in streams]).astype(np.float32))
        labels = torch.zeros(n, dtype=torch.int64) if labels is None else labels
        large = torch.nn.functional.interpolate(self._coarse(modules, z, labels), self.side)
        noise = np.stack([stream.standard_normal(large.shape[1:]) for stream in streams]).astype(np.float32)
        return torch.tanh(modules["detail"](large + 0.1 * torch.from_numpy(noise)))


def test_a_kind_of_two_networks_and_two_passes_trains_draws_and_is_scored(tmp_path):
    """The seam: nothing in the loop, in sampling or in the scores asks for a generator and a critic."""
    state = train("two_passes", tmp_path / "a", kind=TwoPasses())
    assert state.read_bytes() == train("two_passes", tmp_path / "b", checkpoints=2, kind=TwoPasses()).read_bytes()
    few, many = drawn(TwoPasses(), state, 3), drawn(TwoPasses(), state, 21)
    assert np.array_equal(few, many[:3]) and many.shape == (21, 2, 32, 32)
    made = as_nodules(many, WINDOW, 1.25, margin_mm=2, source="two_passes:5")
    real = bank()[:, 0].flatten(1).numpy().astype(float)
    kid = METRICS.get("kid")().value(real, made.images.reshape(len(made), -1) / 1000.0)
    assert np.isfinite(kid)


def test_a_class_is_what_a_drawn_image_is_asked_for(tmp_path):
    kind = TwoPasses()
    torch.manual_seed(3)
    modules = {key: module.eval() for key, module in kind.build(NODULE, 3).items()}
    one, other = (draw(kind, modules, 2, 1, "x", labels=np.array(labels)) for labels in ([0, 1], [0, 2]))
    assert np.array_equal(one[0], other[0]) and not np.array_equal(one[1], other[1])


TABLE = pd.DataFrame(
    {
        "texture": ["solid", "", "part_solid", "solid", "solid", "solid"],
        "side": [1, 2, np.nan, 2, 2, 1],
        "diameter_mm": [5.9, 6, 10, np.nan, 22.5, 9.9],
        "id": [f"n{k}" for k in range(6)],
    }
)


@pytest.mark.parametrize(
    ("wanted", "names", "of_row"),
    [
        ({"column": "texture"}, ("part_solid", "solid"), [1, -1, 0, 1, 1, 1]),
        ({"column": "texture", "names": ("solid", "calcified")}, ("solid", "calcified"), [0, -1, -1, 0, 0, 0]),
        ({"column": "side"}, ("1", "2"), [0, 1, -1, 1, 1, 0]),
        (
            {"column": "diameter_mm", "cuts": (6, 10)},
            ("below 6", "6 to 10", "10 and above"),
            [0, 1, 2, -1, 2, 1],
        ),
    ],
)
def test_a_column_gives_classes_and_rows_without_a_value_have_none(wanted, names, of_row):
    known = read(TABLE, Labels(**wanted), "labels")
    assert known.names == names and known.of_row.tolist() == of_row
    source = bank_source(bank(6), 2, turn="none", known=known) if len(set(of_row) - {-1}) > 1 else None
    if source is None:
        with pytest.raises(
            TrainingError, match=r"all images with a class are of one; .*solid 4, calcified 0; 2 images"
        ):
            bank_source(bank(6), 2, turn="none", known=known)
        return
    of_image = {tuple(map(float, image.flatten())): k for image, k in zip(bank(6), of_row, strict=True)}
    batch = source.draw(named_rng(1))
    assert source.classes == len(names) and len(source.real) == 6 - of_row.count(-1)
    assert batch["labels"].tolist() == [of_image[tuple(map(float, image.flatten()))] for image in batch["images"]]


@pytest.mark.parametrize(
    ("wanted", "line"),
    [
        ({"column": "textur"}, "labels.column: the bank has no column 'textur'; did you mean 'texture'?"),
        ({"column": "diameter_mm"}, "labels.cuts: is needed, as the column 'diameter_mm' holds numbers that are not"),
        ({"column": "texture", "cuts": (1,)}, "labels.cuts: the column 'texture' holds no numbers"),
        ({"column": "many"}, "labels.column: 'many' has 17 values; classes are 16 at most"),
        ({"column": "texture", "names": ("a", "b")}, "labels.column: no image of the bank has a class by 'texture'"),
    ],
)
def test_a_column_that_gives_no_classes_is_one_line(wanted, line):
    table = pd.DataFrame({"many": range(17), "texture": "solid", "diameter_mm": 0.5})
    with pytest.raises(DataError) as caught:
        read(table, Labels(**wanted), "labels")
    assert line in str(caught.value) and "\n" not in str(caught.value)


def test_classes_are_drawn_in_the_real_proportions_image_by_image():
    classes = Classes(("a", "b", "c"), (0.5, 0, 0.5))
    drawn = classes.draw(600, 1, "x")
    assert np.array_equal(drawn[:7], classes.draw(7, 1, "x"))
    assert set(drawn) == {0, 2} and (drawn == 0).mean() == pytest.approx(0.5, abs=0.05)


def test_a_generator_that_learnt_by_class_is_released_and_draws_a_class_by_its_name(tmp_path):
    block = {key: SMALL[key] for key in ("generator_channels", "generator_least", "critic_channels", "critic_most")}
    run = Run(stage="generate", target="nodules", label="biggan", seed=5, kind="biggan", settings=block,
              training=Training(steps=4, checkpoints=1, points_every=1, batch=4, ema=0.9),
              labels=Labels(column="texture"))  # fmt: skip
    table = pd.DataFrame({"texture": ["solid", "solid", "ground_glass", ""] * 3, "scan": "a-1"})
    known = labelled(run, table)
    data = bank_source(bank(12, 16), 4, turn="square", known=known)
    run_checkpoint(trainable(run), data, RunPlan(run.name, 5, run.training, device="cpu"), None, *paths(tmp_path, 0))
    folder = tmp_path / "tiny"
    folder.mkdir()
    modules = load_all([run], [paths(tmp_path, 0)[0]], data.shape)
    weights.write(folder / "weights.safetensors", {"generator": modules["generator"]}, half=True)
    cohort = pd.DataFrame({"scan": ["a-1"], "patient": ["a"], "pixels": ["p"], "role": ["fit"], "kind": ["volume"]})
    grid = {"size_px": 16, "mm_per_px": 2.0, "window_hu": WINDOW}
    about = recipe([run], "tiny", grid, table, cohort, sha256(folder / "weights.safetensors"))
    write_json(folder / "recipe.json", about)
    assert about["generate"]["nodules"]["labels"] == {
        "column": "texture", "cuts": None, "names": ["ground_glass", "solid"],
    }  # fmt: skip
    network = load_pretrained(folder)
    assert network.recipe["classes"]["shares"] == pytest.approx([1 / 3, 2 / 3])
    any_of, solid = network.sample(6, seed=2), network.sample(6, seed=2, label="solid")
    assert set(any_of.table["label"]) == {"ground_glass", "solid"} and set(solid.table["label"]) == {"solid"}
    as_asked = (any_of.images == solid.images).all((1, 2)) & (any_of.masks == solid.masks).all((1, 2))
    assert as_asked[(any_of.table["label"] == "solid").to_numpy()].all() and np.array_equal(
        draw(*network.drawing[0], 2, 2, "x", np.array([0, 1])).std((1, 2, 3)) > 0, [True, True]
    )
    with pytest.raises(StudyError, match="label: got 'soild'; this generator draws ground_glass, solid"):
        network.sample(1, label="soild")


def doubling_kinds():
    return [name for name in GENERATORS.names() if issubclass(GENERATORS.settings(name), DoublingSettings)]


def gan_kinds():
    return [name for name in GENERATORS.names() if issubclass(GENERATORS.get(name), Gan)]


@pytest.mark.parametrize("name", doubling_kinds())
def test_sizes_that_no_doubling_reaches_name_their_neighbours(name):
    with pytest.raises(StudyError, match=r"100 px; near sizes are 80, 96, 112"):
        GENERATORS.settings(name)().check_size(100)


@pytest.mark.parametrize("name", doubling_kinds())
def test_the_untrained_generator_draws_about_the_mean_of_the_real_images(name):
    kind, mean = small(name), bank().mean(0)
    modules = {key: module.eval() for key, module in kind.build(NODULE, 1, bank()).items()}
    assert np.abs(draw(kind, modules, 8, 1, "x").mean(0) - mean.numpy()).mean() < 0.1


@pytest.mark.parametrize("name", gan_kinds())
def test_a_collapsed_generator_is_refused(name):
    kind = small(name)
    modules = kind.build(NODULE)
    for part in modules["generator"].parameters():
        torch.nn.init.zeros_(part)
    with pytest.raises(TrainingError, match="collapsed"):
        kind.check(modules, torch.Generator())


@pytest.mark.parametrize("name", gan_kinds())
def test_without_alterations_the_losses_are_those_of_images_that_nothing_is_done_to(name, monkeypatch):
    def losses(**block):
        torch.manual_seed(0)
        kind, rng = small(name, **block), torch.Generator().manual_seed(1)
        modules, stream = kind.build(NODULE), iter(lambda: {"images": bank()[:4], "labels": torch.zeros(4).long()}, 0)
        torch.manual_seed(2)
        found = [float(update.loss.detach()) for update in kind.step(modules, stream, rng, 1)]
        return found, rng.get_state().tolist()

    plain, altered = losses(), losses(augment={"shift_px": 3, "grey": 0.2, "share": 1})
    monkeypatch.setattr(Gan, "altered", lambda self, images, rng, modules=None: images)
    assert losses() == plain
    assert all(one != other for one, other in zip(altered[0], plain[0], strict=True))


@pytest.mark.parametrize("name", ["gan", "dcgan", "biggan", "stylegan"])
def test_adaptive_alterations_are_resumed(name, tmp_path):
    block = {"augment": {"shift_px": 2, "share": 0.5, "adaptive": True, "adaptive_images": 20}}
    whole, cut = train(name, tmp_path / "a", **block), train(name, tmp_path / "b", checkpoints=2, **block)
    assert whole.read_bytes() == cut.read_bytes()
    assert "altered" in (tmp_path / "a/losses-0.csv").read_text().splitlines()[0]
    assert np.isfinite(drawn(small(name, **block), whole, 1)).all()


def test_the_share_of_altered_images_follows_the_critic_s_sureness_about_real_ones():
    strength, images = Strength(40), torch.zeros(8, 1, 4, 4)
    settings, rng = Augment(grey=1, adaptive=True), torch.Generator().manual_seed(0)
    assert torch.equal(alter(images, settings, rng, strength), images)
    for _ in range(6):
        assert strength.follow(torch.tensor([1.0] * 7 + [-2.0])) == 0.75  # over .6
    assert strength.share == 1 and (alter(images, settings, rng, strength) != 0).flatten(1).all(1).all()
    strength.follow(torch.tensor([3.0, 1, 1, -1]))
    assert float(strength.share) == pytest.approx(0.9)


def test_a_critic_without_a_sign_cannot_lead_alterations():
    with pytest.raises(ValueError, match=r"augment\.adaptive: needs a critic whose sign tells"):
        small("wgan", augment={"grey": 0.1, "adaptive": True})
    with pytest.raises(ValueError, match="alters nothing without shift_px"):
        small("gan", augment={"adaptive": True})


def wasserstein_kinds():
    return [name for name in GENERATORS.names() if GENERATORS.get(name).loss_family == "wasserstein"]


@pytest.mark.parametrize("name", wasserstein_kinds())
def test_wasserstein_critics_judge_each_sample_alone_and_without_bound(name):
    critic = small(name).build(NODULE)["critic"]
    assert not any(isinstance(part, torch.nn.BatchNorm2d) for part in critic.modules())
    x = bank()[:4]
    assert torch.allclose(critic(x)[:1], critic(x[:1]), atol=1e-5)
    for part in critic.head.parameters():
        part.data.mul_(1e4)
    assert critic(x).abs().max() > 10


@pytest.mark.parametrize("name", wasserstein_kinds())
def test_the_penalty_reaches_all_weights_and_not_the_last_bias(name):
    critic = small(name).build(NODULE)["critic"]
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
    gan = small("w_capsule", max_capsules=200, types=8)
    counts = [gan.build(Shape(1, size))["critic"].routed.weight.shape[1] // 8 for size in (32, 160, 512)]
    assert max(counts) <= 200 and min(counts) >= 50
    literature = make_kind("w_capsule", {"preset": "literature"})
    assert literature.build(NODULE)["critic"].routed.weight.shape == (10, 1024 * 8, 16)


def test_the_perceptrons_have_the_published_layers_and_leave_units_out_in_training_alone():
    """z 100 -> 256-512-1024 -> pixels, and back; counted as layers of weights and biases."""
    modules = make_kind("gan", {}).build(NODULE)
    sizes = {"generator": (100, 256, 512, 1024, 2048), "critic": (2048, 1024, 512, 256, 1)}
    for name, widths in sizes.items():
        expected = sum((one + 1) * other for one, other in pairwise(widths))
        assert sum(part.numel() for part in modules[name].parameters()) == expected
    critic, x = modules["critic"], bank()[:4]
    assert not torch.equal(critic(x), critic(x))
    critic.eval()
    assert torch.equal(critic(x), critic(x))


def test_wgan_s_critic_is_clipped_after_its_updates_and_its_generator_is_not():
    gan, data = small("wgan", clip=0.003), bank_source(bank(), 4, turn="none")
    modules = gan.build(NODULE, 1, data.real)
    take_steps(gan, modules, data, 1)
    sizes = {
        name: max(float(part.detach().abs().max()) for part in module.parameters()) for name, module in modules.items()
    }
    assert sizes["critic"] == pytest.approx(0.003)
    assert sizes["generator"] > 0.02


def test_capsulegan_s_margins_are_the_paper_s_and_its_critic_is_a_probability():
    at = [
        float(margin_loss(torch.tensor([length]), present)) for present in (True, False) for length in (0.95, 0.5, 0.05)
    ]
    assert at == pytest.approx([0, 0.16, 0.7225, 0.36125, 0.08, 0])
    critic = small("capsule").build(NODULE)["critic"]
    for part in critic.parameters():
        part.data.mul_(100)
    judged = critic(bank()[:4])
    assert judged.shape == (4,) and 0.99 < judged.max() <= 1


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_ddim_goes_back_along_a_known_noise(schedule):
    """Of images that are all alike, and of normal ones of sd .2, whose noise has a closed form: both come out."""
    kept = small("diffusion", schedule=schedule).noising.alphas_cumprod.double()
    start = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(1)).clamp(-3, 3).double()
    image = torch.linspace(-1, 1, 64, dtype=torch.float64).view(1, 1, 8, 8)
    for passes in (1, 7, 50):
        out = without_noise(lambda x, t: (x - kept[t].sqrt() * image) / (1 - kept[t]).sqrt(), start, kept, passes)
        assert torch.allclose(out, image.expand_as(out), atol=1e-4)
    variance = 0.2**2
    out = without_noise(
        lambda x, t: (1 - kept[t]).sqrt() / (1 - kept[t] + kept[t] * variance) * x, start, kept, passes=500
    )
    assert torch.allclose(out, 0.2 * start, atol=0.01)


@pytest.mark.parametrize("name", ["biggan", "diffusion", "stylegan"])
def test_a_conditional_kind_draws_the_class_that_is_asked_for(name):
    torch.manual_seed(0)
    kind, data = small(name), replace(bank_source(bank(), 4, turn="none"), classes=3)
    modules = kind.build(data.shape, data.classes)
    labelled = replace(data, draw=lambda rng: data.draw(rng) | {"labels": torch.tensor([0, 1, 2, 2])})
    take_steps(kind, modules, labelled, 3)
    modules = {key: module.eval() for key, module in modules.items()}
    one, other = (draw(kind, modules, 2, 1, "x", labels=np.array(labels)) for labels in ([0, 1], [0, 2]))
    assert np.array_equal(one[0], other[0]) and not np.array_equal(one[1], other[1])
    assert draw(kind, modules, 2, 1, "x").shape == one.shape
    with pytest.raises(StudyError, match="classes 0, 3 are asked for; the generator learnt 0 to 2"):
        draw(kind, modules, 2, 1, "x", labels=np.array([0, 3]))


def test_biggan_s_layers_do_not_stretch_and_its_vectors_are_truncated():
    streams = [named_rng(1, k) for k in range(4)]
    inside = truncated(streams, 0.5, 500)
    assert 0.45 < inside.abs().max() <= 0.5 and inside.std() == pytest.approx(0.2834, abs=0.01)
    torch.manual_seed(0)
    gan, data = small("biggan", truncation=1e-6, learning_rate=0.01), bank_source(bank(), 4, turn="none")
    modules = gan.build(NODULE, 1)
    take_steps(gan, modules, data, 3)
    for module in modules.values():
        layers = [part for part in module.eval().modules() if hasattr(part, "parametrizations")]
        assert len(layers) > 8
        for layer in layers:
            assert torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2) < 1.2
    few = draw(gan, modules, 2, 1, "x")
    assert np.allclose(few[0], few[1], atol=1e-3)


@pytest.mark.parametrize(
    ("name", "size", "classes", "counts"),
    [
        ("biggan", 128, 1000, {"generator": 70_433_988, "critic": 87_982_370}),
        ("stylegan", 1024, 1, {"generator": 30_370_060, "critic": 29_012_513}),
    ],
)
def test_published_sizes_have_the_counts_of_their_authors_networks(name, size, classes, counts, monkeypatch):
    """In colour, as the networks that the authors released were trained."""
    for place in ("torch.nn.init.orthogonal_", "lungsynth.generate.kinds.biggan.blocks.spectral_norm"):
        monkeypatch.setattr(place, lambda part: part)  # neither has weights to count, and they take seconds
    with torch.device("meta"):
        modules = make_kind(name, {"preset": "paper"}).build(Shape(3, size), classes)
    assert {key: count.counts(module)[0] for key, module in modules.items() if key in counts} == counts


def test_orthogonal_filters_share_no_direction():
    layer = torch.nn.Linear(3, 2, bias=False)
    layer.weight.data = torch.tensor([[1.0, 0, 0], [0, 2, 0]])
    assert float(shared_directions(layer)) == 0
    layer.weight.data = torch.tensor([[1.0, 0, 0], [3, 2, 0]])
    assert float(shared_directions(layer)) == 2 * 3**2


def test_a_modulated_convolution_has_a_filter_of_norm_1_for_each_image():
    """Against the plain form: filters of their own, scaled and normed, in one grouped convolution."""
    torch.manual_seed(0)
    layer, x, w = ModulatedConv(3, 5, 3, w=4), torch.randn(2, 3, 6, 6), torch.randn(2, 4)
    filters = layer.conv.weight[None] * layer.conv.scale * layer.style(w)[:, None, :, None, None]
    filters = filters * demodulation(layer.conv.weight * layer.conv.scale, layer.style(w))[:, :, None, None, None]
    assert torch.allclose(filters.square().sum((2, 3, 4)), torch.ones(2, 5), atol=1e-4)
    plain = torch.nn.functional.conv2d(x.view(1, 6, 6, 6), filters.flatten(0, 1), padding=1, groups=2)
    assert torch.allclose(layer(x, w), plain.view(2, 5, 6, 6), atol=1e-5)


def test_stylegan_s_filters_keep_what_is_smooth_and_stop_what_no_grid_holds():
    rows = torch.arange(64.0).view(1, 1, 64, 1).expand(1, 1, 64, 64)
    smooth, fastest = torch.sin(rows * 0.2), torch.cos(rows * torch.pi)
    for alias_free in (False, True):
        resample = Resample(alias_free)
        back = resample.down(resample.up(smooth))
        assert torch.allclose(back[..., 8:-8, 8:-8], smooth[..., 8:-8, 8:-8], atol=0.03)
        assert resample.down(fastest)[..., 8:-8, 8:-8].abs().max() < 0.02
    assert resample.up(smooth).shape == (1, 1, 128, 128)
    assert heuristic_gamma(256, 32) == pytest.approx(0.41, abs=0.005)


@pytest.mark.parametrize("block", [{"filters": "alias_free"}, {"gamma": 1.0, "truncation": 0.5, "mixing": 0}])
def test_stylegan_s_options_train_and_draw(block, tmp_path):
    state = train("stylegan", tmp_path, **block)
    assert np.abs(drawn(small("stylegan", **block), state, 2)).max() <= 1


def test_a_preset_s_values_are_seen_and_give_way_to_what_is_stated():
    model = GENERATORS.settings("w_capsule")
    one, other = model(preset="literature"), model(preset="literature", types=4)
    assert (one.types, one.n_critic, other.types, other.n_critic) == (16, 5, 4, 5)
    assert model.model_validate(other.model_dump(mode="json")) == other
    with pytest.raises(ValueError, match="'none' or 'literature'"):
        model(preset="none of these")


PRESETS = [
    (name, preset) for name in GENERATORS.names() for preset in getattr(GENERATORS.settings(name), "presets", {})
]


@pytest.mark.parametrize(("name", "preset"), PRESETS)
def test_a_preset_is_its_values_stated_by_hand(name, preset):
    model = GENERATORS.settings(name)
    by_hand = model(**model.presets[preset])
    assert model(preset=preset) == by_hand.model_copy(update={"preset": preset})
    assert model(preset=preset) != model(preset="none")


def test_dcgan_s_losses_are_binary_cross_entropies():
    for loss, expected in (("non_saturating", np.log(2)), ("saturating", -np.log(2))):
        gan = small("dcgan", generator_loss=loss, smooth=0.2)
        modules = gan.build(NODULE)
        for part in modules["critic"].parameters():
            torch.nn.init.zeros_(part)
        first, second = gan.step(modules, iter([{"images": bank()[:4]}]), torch.Generator(), 0)
        assert float(first.loss) == pytest.approx(2 * np.log(2), rel=1e-5)
        assert float(second.loss) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("preset", "size", "generator", "critic"),
    [
        ("chen", 256, (25_996_736, 132_992), (4_367_520, 1_920)),
        ("draw_ai", 128, (27_265_281, 0), (582_785, 0)),
    ],
)
def test_published_dcgans_have_their_papers_parameters(preset, size, generator, critic):
    with torch.device("meta"):
        modules = make_kind("dcgan", {"preset": preset}).build(Shape(1, size))
        images = modules["generator"](torch.zeros(2, modules["generator"].layers[0].in_features))
        judged = modules["critic"](images)
    assert images.shape == (2, 1, size, size)
    assert judged.shape == (2, 16 if preset == "chen" else 1)
    assert (count.counts(modules["generator"]), count.counts(modules["critic"])) == (generator, critic)
    published = GENERATORS.settings("dcgan").published[preset]
    assert {name: sum(count.counts(module)) for name, module in modules.items()} == published


@pytest.mark.parametrize("preset", ["chen", "draw_ai"])
def test_published_dcgans_train_at_the_sizes_of_the_banks(preset, tmp_path):
    layers = GENERATORS.settings("dcgan").presets[preset]["layers"]
    thin = layers | {"generator_widths": (4,) * len(layers["generator_widths"]), "critic_widths": (4, 4)}
    state = train("dcgan", tmp_path, preset=preset, layers=thin)
    assert drawn(small("dcgan", preset=preset, layers=thin), state, 1).shape == (1, 2, 32, 32)
    with pytest.raises(StudyError, match="multiple of"):
        small("dcgan", preset=preset, layers=thin).settings.check_size(42)
    with pytest.raises(ValueError, match="set noise to nothing"):
        small("dcgan", preset=preset, noise=True)


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
        gan = small("dcgan", prior_code=3, reconstruct=weight)
        modules = gan.build(NODULE, 1, real)
        _, update = gan.step(modules, iter([{"images": real[:4]}]), torch.Generator().manual_seed(1), 0)
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
            for image in bank_source(images, 6, turn="square").draw(named_rng(k))["images"]}  # fmt: skip
    assert seen == {(5, 9), (9, 5), (5, 22), (22, 5), (26, 9), (9, 26), (26, 22), (22, 26)}
    for image in bank_source(images, 6, turn="square").draw(named_rng(0))["images"]:
        assert torch.equal(image[0] == 0.5, image[1] == 0.5)
    still = bank_source(images, 6, turn="none").draw(named_rng(0))["images"]
    assert (still[:, 0, 5, 9] == 0.5).all()


def test_a_bank_smaller_than_a_batch_is_refused():
    with pytest.raises(TrainingError, match="12 images are fewer than a batch of 13"):
        bank_source(bank(), 13, turn="none")


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


class Redrawn:
    """Draws images by another rule than a network: those that `choose` takes of a bank for a vector's stream."""

    def __init__(self, images, choose):
        self.images, self.choose = images, choose

    def sample(self, modules, n, labels, streams):
        return torch.stack([self.images[self.choose(stream)] for stream in streams])


def test_a_generator_as_various_as_real_images_is_healthy_and_one_of_few_images_has_collapsed():
    images = bank(96)
    found = [
        alarm(Redrawn(images[64:], choose), images[:64], seed=3)({})
        for choose in (lambda stream: stream.integers(32), lambda stream: stream.integers(3), lambda stream: 5)
    ]
    assert found[0] > 0.5 and found[1] == found[2] == 0


def test_faint_noise_or_a_shade_of_difference_hides_no_collapse():
    images, noise = bank(96), torch.randn(16, 2, 32, 32, generator=torch.Generator().manual_seed(0))
    shaded = images[:1] + 0.05 * (images[:16] - images[:1])
    for same in (images[:4].repeat(4, 1, 1, 1) + 0.02 * noise, shaded):
        assert spread(same, images[16:80]) < Monitor().collapse < 0.5 < spread(images[:16], images[16:80])


def test_spread_is_of_real_images_where_these_are_fewer_than_a_batch():
    images = bank(12)
    assert 0.9 < spread(images.flip(3), images) < 1.1 and spread(images[:1].repeat(16, 1, 1, 1), images) == 0


def test_the_verdict_tells_of_a_collapse_and_the_state_does_not_depend_on_the_question(tmp_path):
    """A generator whose weights are all 0 draws one image, and its losses are numbers like any."""
    kind, data = small("dcgan"), bank_source(bank(), 4, turn="square")
    training = Training(steps=100, checkpoints=1, points_every=10, batch=4, ema=0.9)
    plan = RunPlan("generate/nodules/dcgan-5", 5, training, device="cpu")
    kind.step, kind.check = _no_step, lambda modules, rng: None
    verdicts = []
    for name, ask in (("silent", None), ("asked", alarm(kind, data.real, 5))):
        (tmp_path / name).mkdir()
        verdicts.append(run_checkpoint(kind, data, plan, None, *paths(tmp_path / name, 0), spread=ask))
    assert [(one.spread, one.collapsed) for one in verdicts] == [(None, False), (0, True)]
    states = [paths(tmp_path / name, 0)[0].read_bytes() for name in ("silent", "asked")]
    assert states[0] == states[1]


def _no_step(modules, batches, rng, step):
    """Sets the generator's weights to 0; what it yields is a loss without a slope."""
    with torch.no_grad():
        for weight in modules["generator"].parameters():
            weight.zero_()
    yield Update("generator", sum(weight.sum() for weight in modules["generator"].parameters()) * 0)
