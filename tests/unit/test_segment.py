"""The segmenter: network, loss, training windows, whole-scan inference and the public functions."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from lungsynth.cohort.checks import geometry_fault
from lungsynth.ct.volume import Volume
from lungsynth.segment import apply
from lungsynth.segment.inference.grid import Grid, pixel_mm
from lungsynth.segment.inference.planes import Scan
from lungsynth.segment.inference.slices import SliceNetwork, image_probability, volume_probability
from lungsynth.segment.kinds.dense_unet.network import DenseUNet
from lungsynth.segment.kinds.dense_unet.settings import Architecture, Settings
from lungsynth.segment.registry import DETECTORS
from lungsynth.segment.training import windows
from lungsynth.segment.training.augmentation import Augmentation
from lungsynth.segment.training.batches import batches
from lungsynth.segment.training.losses import dice_and_cross_entropy, dice_loss
from lungsynth.study.errors import DataError
from lungsynth.study.seeds import rng
from lungsynth.study.stages.segment import ChosenDetector, Network
from lungsynth.study.training import Training
from lungsynth.train.checkpoints import RunPlan
from lungsynth.train.loop import run_checkpoint

SMALL = {"widths": (4, 8), "growth": 2, "layers": 2}
DETECTOR = ChosenDetector(kind="dense_unet", settings={"architecture": SMALL, "window_px": 16})
STILL = Augmentation(shift_hu=0, noise_hu=0)


def seen(module, mm=1.4):
    """A module as inference takes it."""
    return SliceNetwork(module, Grid(mm), 3, 8)


@pytest.fixture
def scan():
    """Air, two lungs, a vessel along z and a nodule of 5 x 5 px in three slices."""
    hu = np.full((12, 64, 80), -1000, np.int16)
    lungs = np.zeros(hu.shape, np.uint8)
    lungs[1:11, 16:48, 8:36], lungs[1:11, 16:48, 44:72] = 1, 2
    hu[lungs > 0] = -850
    hu[1:11, 30:34, 16:20] = 40
    nodules = np.zeros(hu.shape, np.uint8)
    nodules[5:8, 26:31, 56:61] = 1
    hu[nodules > 0] = -50
    return Scan("s1", "p1", Volume(hu, (2.5, 1.4, 1.4)), nodules, lungs)


class Brightness(torch.nn.Module):
    """A network whose logit is the middle slice's HU + 500: what inference must not disturb."""

    def __init__(self):
        super().__init__()
        self.unused = torch.nn.Parameter(torch.zeros(1))

    def forward(self, hu):
        return hu[:, hu.shape[1] // 2][:, None] + 500


def test_paper_size_has_the_layers_of_the_paper():
    network = DenseUNet(Architecture(widths=(32, 64, 128, 256, 512), growth=16, layers=4), 3)
    widths, count = (32, 64, 128, 256, 512), 0
    for source, width in zip((3, *widths), widths, strict=False):
        count += 9 * width * (source + width) + 4 * width  # two convolutions without bias, two batch norms
    for high, low in pairwise(widths):
        count += 4 * low * high + high  # transposed convolution
        channels = [2 * high + 16 * k for k in range(5)]
        count += sum(2 * c + 9 * 16 * c for c in channels[:4])  # batch norm, convolution to 16
        count += channels[4] * high + high  # 1 x 1
    assert sum(p.numel() for p in network.parameters()) == count + 33


@pytest.mark.parametrize("shape", [(16, 16), (24, 40)])
def test_logits_have_the_shape_of_the_slice(shape):
    network = DenseUNet(Architecture(**SMALL)).eval()
    assert network(torch.zeros(2, 3, *shape)).shape == (2, 1, *shape)


def test_what_lies_outside_the_window_cannot_be_told_from_its_end():
    network = DenseUNet(Architecture(**SMALL)).eval()
    torch.testing.assert_close(network(torch.full((1, 3, 16, 16), 400.0)), network(torch.full((1, 3, 16, 16), 3000.0)))


def test_temperature_leaves_the_order_and_the_half():
    cool = DenseUNet(Architecture(**SMALL, temperature=1)).eval()
    warm = DenseUNet(Architecture(**SMALL, temperature=4)).eval()
    warm.load_state_dict(cool.state_dict())
    x = 500 * torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)) - 500
    torch.testing.assert_close(warm(x) * 4, cool(x))


def test_settings_refuse_windows_that_the_pools_do_not_divide():
    with pytest.raises(ValidationError, match="multiple of 8"):
        Settings(window_px=20)


def test_rate_rises_falls_and_ends_at_zero():
    kind = DETECTORS.get("dense_unet")(Settings(architecture=SMALL), Network())
    rates = [kind.rate(step, 200) for step in range(200)]
    assert 0 < rates[0] < rates[5] < max(rates) <= 1
    assert rates[-1] < 1e-3


def test_dice_of_windows_with_a_nodule_equals_monai():
    from monai.losses import DiceLoss

    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(4, 1, 12, 12, generator=generator)
    masks = (torch.rand(4, 1, 12, 12, generator=generator) < 0.2).float()
    # monai adds its constants to numerator and denominator of 2 sum p m / (sum p + sum m), as we do.
    torch.testing.assert_close(
        dice_loss(logits, masks), DiceLoss(sigmoid=True, smooth_nr=1, smooth_dr=1)(logits, masks)
    )


def test_windows_without_a_nodule_do_not_enter_the_dice():
    logits = torch.tensor([3.0, -2.0]).view(2, 1, 1, 1).expand(2, 1, 4, 4)
    masks = torch.zeros(2, 1, 4, 4)
    masks[0, 0, 0, 0] = 1
    torch.testing.assert_close(dice_loss(logits, masks), dice_loss(logits[:1], masks[:1]))
    assert dice_loss(logits[1:], masks[1:]) == 0
    total, terms = dice_and_cross_entropy(logits, masks, dice=2)
    torch.testing.assert_close(total, 2 * terms["dice"] + terms["cross_entropy"])


def test_every_slice_of_a_nodule_is_a_positive_context_with_it_in_the_middle(scan):
    cut = windows.cut(scan, Grid(1.4), 32, 3, 20, rng(0, "w"))
    positive = cut.table["what"] == "nodule"
    assert sorted(cut.table["slice"][positive]) == [5, 6, 7]
    assert (cut.table["nodule"][positive] == 1).all()
    for image, mask in zip(cut.images[positive], cut.consensus[positive], strict=True):
        assert mask[14:19, 14:19].all()
        assert mask.sum() == 25
        assert (image[1][mask > 0] == -50).all()


def test_negative_contexts_keep_away_from_nodules_and_include_the_vessel(scan):
    table = windows.cut(scan, Grid(1.4), 32, 3, 20, rng(0, "w")).table
    negative = table[table["what"] != "nodule"]
    assert len(negative) == 20
    assert (np.hypot(negative["row"] - 28, negative["column"] - 58)[negative["slice"].between(4, 8)] > 5).all()
    vessel = negative[negative["what"] == "vessel"]
    assert len(vessel)
    assert (vessel["row"].between(30, 33) & vessel["column"].between(16, 19)).all()


def test_contexts_are_a_function_of_the_stream(scan, tmp_path):
    files = []
    for name in ("a", "b"):
        windows.write(tmp_path / name / "windows.npz", windows.cut(scan, Grid(1.4), 32, 3, 20, rng(0, "w")))
        files.append((tmp_path / name / "windows.npz").read_bytes())
    assert files[0] == files[1]
    again = windows.read(tmp_path / "a" / "windows.npz")
    assert set(again.table["what"]) == {"nodule", "vessel", "wall", "lung"}


def test_other_grid_keeps_the_size_in_mm(scan):
    cut = windows.cut(scan, Grid(0.7), 64, 3, 20, rng(0, "w"))
    positive = cut.table["what"] == "nodule"
    np.testing.assert_allclose(cut.consensus[positive].sum((1, 2)) * 0.7**2, 25 * 1.4**2, rtol=0.1)


def test_batches_hold_a_nodule_in_half_of_the_windows_anywhere_in_them(scan):
    data = batches([windows.cut(scan, Grid(1.4), 32, 3, 20, rng(0, "w"))], (16,), 8, STILL)
    batch = data(rng(0, "b"))
    assert batch["hu"].shape == (8, 3, 16, 16)
    assert batch["mask"].flatten(1).any(1).tolist() == [True] * 4 + [False] * 4
    centres = []
    for n in range(40):
        mask = data(rng(0, "b", n))["mask"][:4]
        centres += [torch.nonzero(one[0]).float().mean(0) for one in mask if one.sum() == 25]
    spread = torch.stack(centres)
    assert (spread.amax(0) - spread.amin(0) > 8).all()


def test_a_third_of_the_windows_repeats_the_middle_slice(scan):
    data = batches([windows.cut(scan, Grid(1.4), 32, 3, 20, rng(0, "w"))], (16,), 8, STILL)
    nodule = [data(rng(1, n))["hu"][:4] for n in range(60)]
    edge_slices = torch.cat(nodule)
    # In two of the nodule's three slices a neighbour differs by the nodule itself.
    flat = (edge_slices[:, 0] == edge_slices[:, 2]).flatten(1).all(1)
    assert flat.float().mean().item() == pytest.approx(1 / 3 + (2 / 3) * (1 / 3), abs=0.12)


def test_batches_are_a_function_of_the_stream_and_jitter_moves_hu(scan):
    data = batches([windows.cut(scan, Grid(1.4), 32, 3, 20, rng(0, "w"))], (16,), 4, Augmentation())
    one, two, other = data(rng(0, 1)), data(rng(0, 1)), data(rng(0, 2))
    torch.testing.assert_close(one["hu"], two["hu"], rtol=0, atol=0)
    assert not torch.equal(one["hu"], other["hu"])


def test_batches_without_any_nodule_say_so(scan):
    empty = Scan("s", "p", scan.volume, np.zeros_like(scan.nodules), scan.lungs)
    with pytest.raises(DataError, match="0 nodule"):
        batches([windows.cut(empty, Grid(1.4), 32, 3, 20, rng(0, "w"))], (16,), 4, STILL)


def test_mining_takes_false_positives_and_leaves_nodules(scan):
    probability = np.where(scan.volume.hu > -300, 250, 0).astype(np.uint8)
    mined = windows.mine(scan, probability, Grid(1.4), 32, 3, most=6)
    assert len(mined) == 6
    assert set(mined.table["what"]) == {"mined"}
    assert mined.table["column"].between(16, 19).all()
    assert len(windows.mine(scan, np.zeros_like(probability), Grid(1.4), 32, 3, most=6)) == 0


def test_inference_puts_every_pixel_where_it_was(scan):
    result = volume_probability(seen(Brightness()), scan.volume, scan.lungs)
    dense = scan.volume.hu > -500
    np.testing.assert_array_equal(result, np.where(dense, 255, 0))


def test_inference_on_another_grid_finds_the_same_place(scan):
    result = volume_probability(seen(Brightness(), 1.0), scan.volume, scan.lungs)
    dense = scan.volume.hu > -500
    assert 2 * (dense & (result > 127)).sum() / (dense.sum() + (result > 127).sum()) > 0.9


def test_inference_of_every_other_slice_leaves_zeros_between(scan):
    whole = volume_probability(seen(Brightness()), scan.volume, scan.lungs)
    some = volume_probability(seen(Brightness()), scan.volume, scan.lungs, every=2)
    np.testing.assert_array_equal(some[::2], whole[::2])
    assert not some[1::2].any()


def test_scan_without_lungs_has_no_nodules(scan):
    assert not volume_probability(seen(Brightness()), scan.volume, np.zeros_like(scan.lungs)).any()


def test_neighbours_of_the_middle_slice_are_the_adjacent_ones(scan):
    class Above(Brightness):
        def forward(self, hu):
            return hu[:, 2][:, None] + 500

    result = volume_probability(seen(Above()), scan.volume, scan.lungs)
    dense = scan.volume.hu[5:8, 26:31, 56:61] > -500
    np.testing.assert_array_equal(result[4:7, 26:31, 56:61] > 0, dense)


def test_segmenter_of_a_state_serves_scans_and_single_slices(scan, tmp_path):
    kind = apply.make_kind(DETECTOR)
    data = kind.source([windows.cut(scan, Grid(1.4), 32, 3, 20, rng(0, "w"))], 4)
    plan = RunPlan("segment/nodules/dense_unet-0", 0, Training(steps=4, checkpoints=1, points_every=2), device="cpu")
    outputs = [tmp_path / name for name in ("state-0.pt", "state-0.json", "losses-0.csv")]
    verdict = run_checkpoint(kind, data, plan, None, *outputs)
    assert verdict.step == 4
    trained = apply.load(DETECTOR, outputs[0])
    assert apply.segment_volume(trained, scan.volume, scan.lungs).shape == scan.volume.hu.shape
    images = scan.volume.hu[4:7]
    probability = apply.segment_images(trained, images, 2.0)
    assert probability.shape == images.shape
    assert ((probability >= 0) & (probability <= 1)).all()
    again = apply.segment_images(trained, images[1:2], 2.0)
    np.testing.assert_allclose(probability[1:2], again, atol=1e-5)


def test_single_slices_are_judged_on_the_segmenters_grid_and_come_back(scan):
    mm = np.full(len(scan.volume.hu), 1.4)
    probability = image_probability(seen(Brightness(), 1.0), scan.volume.hu, mm, scan.lungs)
    dense = scan.volume.hu > -500
    found = probability > 0.5
    assert 2 * (dense & found).sum() / (dense.sum() + found.sum()) > 0.9


def test_negatives_keep_away_from_marks_without_a_mask(scan):
    marked = np.zeros(scan.lungs.shape, bool)
    marked[:, :, 8:36] = True  # the right lung
    centres, _ = windows.background_centres(replace(scan, marked=marked), 40, rng(1, "test"))
    assert len(centres) and (centres[:, 2] >= 36).all()
    assert replace(scan, marked=marked).lesions()[6, 28, [10, 58]].all()


@pytest.mark.parametrize("share", [0.992, 0.9995, 1.005, 1.009])
def test_a_scan_whose_pixels_pass_the_cohorts_check_is_segmented(scan, share):
    volume = replace(scan.volume, spacing_mm=(2.5, 1.4 * share, 1.4))
    assert geometry_fault(Volume(np.zeros((12, 64, 64)), volume.spacing_mm), "volume") == ""
    assert volume_probability(seen(Brightness()), volume, scan.lungs).any()
    assert pixel_mm(volume) == 1.4


def test_pixels_that_are_not_square_are_refused(scan):
    with pytest.raises(DataError, match="not square"):
        pixel_mm(replace(scan.volume, spacing_mm=(2.5, 1.4, 1.5)))
