"""What is a detector kind's own: heads of U-Net++, the sweep of the patch classifier, boxes of the region proposals."""

import numpy as np
import pytest
import torch
from monai.data.box_utils import non_max_suppression

from lungsynth.ct.volume import Volume
from lungsynth.nets.count import counts
from lungsynth.segment.inference.grid import Grid
from lungsynth.segment.inference.planes import Scan
from lungsynth.segment.inference.points import gathered
from lungsynth.segment.kinds.cnn_vgg import settings as vgg
from lungsynth.segment.kinds.cnn_vgg.network import Vgg, VggKind
from lungsynth.segment.kinds.cnn_vgg.sweep import patches_of, planes_of
from lungsynth.segment.kinds.faster_rcnn import boxes as plane
from lungsynth.segment.kinds.faster_rcnn import settings as rcnn
from lungsynth.segment.kinds.faster_rcnn.modules import CubeNetwork, Proposer
from lungsynth.segment.kinds.faster_rcnn.network import FasterRcnnKind
from lungsynth.segment.kinds.faster_rcnn.scan import Boxes, merged
from lungsynth.segment.kinds.unet.network import UNet
from lungsynth.segment.kinds.unet.settings import Architecture as UNetArchitecture
from lungsynth.segment.kinds.unet_plus_plus import settings as nested
from lungsynth.segment.kinds.unet_plus_plus.network import UNetPlusPlus, UNetPlusPlusKind
from lungsynth.segment.training.losses import dice_and_cross_entropy
from lungsynth.study.stages.segment import Network
from lungsynth.train.data import Shape


def numbers(make) -> int:
    """Trainable numbers of a network, built without memory for them."""
    with torch.device("meta"):
        return counts(make())[0]


def test_published_sizes_are_presets():
    # MONAI's U-Net keeps the channels of the level below in its last convolution: 31.04 M without (FACTS 3.3).
    assert numbers(lambda: UNet(UNetArchitecture(preset="ronneberger"), 1)) == pytest.approx(31.04e6, rel=0.003)
    assert numbers(lambda: UNetPlusPlus(nested.Architecture(preset="zhou"), 1)) == pytest.approx(9.04e6, rel=0.01)
    # VGG-16's convolutions have 14,714,688 numbers on three channels, 8,448 more with batch norm.
    convolutions = numbers(lambda: Vgg(vgg.Architecture(preset="vgg16"), 3).trunk)
    assert convolutions == 14_714_688 + 8_448
    assert numbers(lambda: Proposer(rcnn.Architecture(preset="ding"), 3, 6).trunk) == 14_714_688 + 8_448
    assert rcnn.Architecture(preset="ding").stride == 4
    assert vgg.Architecture(preset="vgg16", patch_px=96).patch_px == 96


def test_unets_hold_about_as_many_numbers_as_the_dense_one():
    from lungsynth.segment.kinds.dense_unet.network import DenseUNet
    from lungsynth.segment.kinds.dense_unet.settings import Architecture

    dense = numbers(lambda: DenseUNet(Architecture()))
    for make in (lambda: UNet(UNetArchitecture()), lambda: UNetPlusPlus(nested.Architecture())):
        assert numbers(make) == pytest.approx(dense, rel=0.02)


def test_every_head_of_the_nested_unet_learns_and_their_mean_probability_is_the_answer():
    architecture = nested.Architecture(widths=(4, 4, 8, 8, 8), temperature=1)
    kind, network = UNetPlusPlusKind(nested.Settings(architecture=architecture), Network()), UNetPlusPlus(architecture)
    hu, masks = torch.randn(2, 3, 32, 32) * 300 - 600, (torch.rand(2, 1, 32, 32) > 0.9).float()
    heads = network(hu)
    assert heads.shape == (2, 4, 32, 32)
    loss, _ = kind.loss(heads, masks)
    each = [dice_and_cross_entropy(heads[:, [k]], masks)[0] for k in range(4)]
    assert loss.item() == pytest.approx(sum(each).item() / 4)
    loss.backward()
    assert all(getattr(network.net, f"final_conv_0_{k}").weight.grad.abs().sum() > 0 for k in (1, 2, 3, 4))
    network.eval()
    with torch.inference_mode():
        answer = network(hu).sigmoid()
        mean = torch.cat(network.net(((hu + 1000) / 700 - 1).clamp(-1, 1)), 1).sigmoid().mean(1, keepdim=True)
    torch.testing.assert_close(answer, mean, atol=1e-5, rtol=1e-4)


def lungs_with_a_ball(place=(6.0, 40.0, 30.0), radius_mm=5.0) -> Scan:
    """One lung with a soft ball round `place` (slice, row, column)."""
    volume = Volume(np.full((12, 70, 70), -850, np.int16), (2.5, 1.4, 1.4))
    lungs = np.zeros(volume.hu.shape, np.uint8)
    lungs[1:11, 8:62, 8:62] = 1
    box, ball = volume.ball(volume.to_mm(np.array(place)), radius_mm)
    volume.hu[box][ball] = 20
    return Scan("s", "p", volume, np.zeros_like(lungs), lungs)


def test_the_sweep_leaves_no_dense_place_of_the_lungs_unseen_and_skips_air():
    scan, sweep = lungs_with_a_ball(), vgg.Sweep(stride_mm=4.2, least_hu=-600)
    planes = list(planes_of(scan, Grid(1.4), Shape(3, 16), sweep))
    places = np.concatenate([plane.places for plane in planes])
    dense = np.argwhere(scan.volume.hu > -600)
    dense = dense[np.isin(dense[:, 0], places[:, 0])]
    apart = np.abs(dense[:, None, 1:] - places[None, :, 1:]).max(-1) + 99 * (dense[:, None, 0] != places[None, :, 0])
    assert len(dense) and (apart.min(1) <= 2).all()
    assert (np.abs(places - (6, 40, 30)).max(0) <= (2, 6, 6)).all()
    everywhere = list(planes_of(scan, Grid(1.4), Shape(3, 16), vgg.Sweep(stride_mm=4.2, least_hu=-1024)))
    assert sum(len(plane.places) for plane in everywhere) > 10 * len(places)


def test_a_patch_of_the_sweep_has_its_place_in_the_middle():
    scan = lungs_with_a_ball(radius_mm=1.0)
    planes = planes_of(scan, Grid(1.4), Shape(3, 16), vgg.Sweep(stride_mm=1.4, least_hu=-600))
    asked = [one for one in planes if len(one.places)]
    assert asked
    for one in asked:
        patches = patches_of(one, 0, 99, 16)
        for patch, (k, row, column) in zip(patches, one.places.astype(int), strict=True):
            assert patch[1, 8, 8] == scan.volume.hu[k, row, column]


def test_answers_near_the_best_are_one_candidate_at_their_mean_place():
    settings = vgg.Settings(architecture={"patch_px": 16, "blocks": [[4, 1]]}, sweep={"least": 0.2})
    kind, scan = VggKind(settings, Network()), lungs_with_a_ball()
    index = np.array([[6.0, 40, 28], [6, 40, 32], [6, 44, 30], [6, 12, 12]])
    kind._answers = lambda module, scan: (index, np.array([0.8, 0.8, 0.1, 0.5]))
    found = kind.detect({"classifier": None}, scan, None).candidates
    assert found["probability"].tolist() == [0.8, 0.5]
    np.testing.assert_allclose(scan.volume.to_index(found[["x_mm", "y_mm", "z_mm"]].to_numpy())[0], (6, 40, 30))
    kind.settings = settings.model_copy(update={"sweep": settings.sweep.model_copy(update={"merge": "suppress"})})
    best = kind.detect({"classifier": None}, scan, None).candidates
    np.testing.assert_allclose(scan.volume.to_index(best[["x_mm", "y_mm", "z_mm"]].to_numpy())[0], (6, 40, 28))


def test_groups_are_balls_round_the_best_and_share_no_place():
    places = np.array([[0.0, 0, 0], [3, 0, 0], [6, 0, 0], [20, 0, 0]])
    groups = gathered(places, np.array([0.5, 0.9, 0.8, 0.1]), 4)
    assert [group.tolist() for group in groups] == [[1, 2, 0], [3]]


def test_a_patch_is_a_nodule_s_where_it_lies_in_the_middle_only():
    settings = vgg.Settings(architecture={"patch_px": 32}, beside=0.99)
    kind = VggKind(settings, Network())
    from lungsynth.segment.training.windows import cut
    from lungsynth.study.seeds import rng

    scan = lungs_with_a_ball()
    scan.nodules[scan.volume.hu > -600] = 1
    source = kind.source([cut(scan, Grid(1.4), 64, 3, 20, rng(0, "w"))], 64)
    batch = source.draw(rng(0, "b"))
    middle = batch["hu"][:, 1, 14:19, 14:19].amax((1, 2)) > -300
    assert (middle[:32] == (batch["nodule"][:32] > 0)).float().mean() > 0.95
    assert 0 < batch["nodule"][:32].mean() < 0.6 and batch["nodule"][32:].sum() == 0


def test_boxes_come_back_from_their_code():
    random = torch.Generator().manual_seed(0)
    corners = torch.rand(50, 2, generator=random) * 40
    boxes = torch.cat([corners, corners + 2 + 20 * torch.rand(50, 2, generator=random)], 1)
    anchors = plane.anchors(5, 5, 8, (6.0, 12.0))
    assert anchors.shape == (50, 4)
    torch.testing.assert_close(anchors[3], torch.tensor([-2.0, 6, 10, 18]))  # cell (0, 1), the second side
    torch.testing.assert_close(plane.decoded(plane.encoded(boxes, anchors), anchors), boxes)


def test_the_boxes_that_stay_are_those_of_monai_s_suppression():
    random = torch.Generator().manual_seed(1)
    corners = torch.rand(80, 2, generator=random) * 30
    boxes = torch.cat([corners, corners + 4 + 8 * torch.rand(80, 2, generator=random)], 1)
    scores = torch.rand(80, generator=random).round(decimals=1)  # equal ones too
    for overlap in (0.1, 0.4, 0.7):
        ours = plane.best_of(boxes, scores, overlap)
        assert ours.tolist() == non_max_suppression(boxes, scores, overlap).tolist()


def test_each_nodule_has_an_anchor_however_small_it_is():
    anchors, nodule = plane.anchors(10, 10, 2, (6.0,)), torch.tensor([[9.0, 9, 11, 11]])
    state, whose = plane.matched(anchors, nodule, 0.2, 0.6, best_too=True)
    assert (state == 1).any() and whose[state == 1].eq(0).all()
    none, _ = plane.matched(anchors, nodule, 0.2, 0.6)
    assert not (none == 1).any()
    logits = torch.arange(100.0)
    chosen = plane.sampled(state, logits, 8, torch.Generator().manual_seed(0))
    assert len(chosen) == 8 and 1 <= (state[chosen] == 1).sum() <= 4
    hardest = (state == 0).nonzero()[-2:, 0]
    assert set(hardest.tolist()) <= set(chosen.tolist())


def test_boxes_are_of_the_parts_of_a_mask():
    mask = np.zeros((20, 20))
    mask[2:5, 3:9], mask[15:17, 15:17] = 1, 1
    assert plane.boxes_of(mask, 3).tolist() == [[2, 3, 5, 9], [15, 15, 17, 17], [0, 0, 0, 0]]


def test_what_a_proposal_is_judged_by_lies_where_the_box_lies():
    module = Proposer(rcnn.Architecture(blocks=((4, 1), (4, 1)), enlarge=1, align=2), 3, 1)
    rows = torch.arange(8.0)[:, None].expand(8, 8)
    grid = torch.stack([rows, rows.T, rows, rows])  # each cell is 2 px: cell k has its middle at pixel 2 k + 1
    cut = module._aligned(grid, torch.tensor([[2.0, 6, 6, 10]]))
    torch.testing.assert_close(cut[0, 0], torch.tensor([[1.0, 1], [2, 2]]))
    torch.testing.assert_close(cut[0, 1], torch.tensor([[3.0, 4], [3, 4]]))


def test_boxes_of_a_ball_are_merged_over_slices_and_a_vessel_is_not_one_ball():
    def column(slices, sure):
        return slices, np.tile([10.0, 10, 16, 16], (len(slices), 1)), sure

    slices, corners, sure = column(np.arange(20, 23), np.array([0.5, 0.9, 0.5]))
    (one,) = merged(Boxes(slices, corners, sure), (2.0, 1.0, 1.0), 0.2)
    np.testing.assert_allclose(one.index, (21, 12.5, 12.5))
    assert (one.probability, one.diameter_mm) == (0.9, 6.0)
    vessel = merged(Boxes(*column(np.arange(30), np.full(30, 0.5))), (2.0, 1.0, 1.0), 0.2)
    assert len(vessel) > 3


def test_the_region_proposals_learn_where_a_ball_is():
    """The proposer finds a ball in noise after some tens of steps, and its box is the ball's."""
    small = {"blocks": [[6, 1], [8, 1]], "enlarge": 1, "anchors_mm": [8.4, 14], "hidden": 8}
    cube = {"planes": 3, "side_px": 8, "widths": [4], "hidden": 4}
    settings = rcnn.Settings(architecture={**small, "cube": cube}, window_px=32, proposals={"kept": 6, "asked": 30})
    kind = FasterRcnnKind(settings, Network())
    torch.manual_seed(0)
    module = kind.build(kind.shape)["proposer"]
    optimiser = torch.optim.Adam(module.parameters(), 1e-2)
    random = np.random.default_rng(0)

    def batch(n):
        hu, boxes = random.normal(-850, 20, (n, 3, 32, 32)).astype(np.float32), np.zeros((n, 1, 4), np.float32)
        for image, box in zip(hu, boxes, strict=True):
            row, column = random.integers(2, 22, 2)
            image[:, row : row + 7, column : column + 7] = 0
            box[0] = row, column, row + 7, column + 7
        return torch.from_numpy(hu), torch.from_numpy(boxes)

    for step in range(25):
        loss, _ = kind._loss(module, *batch(4), torch.Generator().manual_seed(step))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    module.eval()
    hu, boxes = batch(8)
    with torch.inference_mode():
        _, logits, changes = module(hu)
        for n in range(8):
            anchors = plane.anchors(16, 16, module.stride, kind.sides)
            asked = plane.proposed(changes[n], logits[n], anchors, (32, 32), settings.proposals)
            assert plane.box_iou(asked, boxes[n]).max() > 0.5


def test_a_cube_of_few_planes_passes_all_pools():
    network = CubeNetwork(rcnn.Architecture()).eval()
    assert network(torch.zeros(2, 7, 20, 20)).shape == (2,)


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"architecture": {"cube": {"planes": 11}}}, "11 planes 2.5 mm apart and 20 px .* 9 planes 2.5 mm"),
        ({"architecture": {"cube": {"step_mm": 1.25}}}, "7 planes 1.25 mm apart"),
        ({"architecture": {"preset": "ding"}, "window_px": 64}, "21 planes 1 mm apart and 36 px"),
    ],
)
def test_cubes_that_are_not_cut_are_refused_before_training(settings, words):
    from lungsynth.study.stages.segment import Windows

    with pytest.raises(ValueError, match=words):
        rcnn.Settings.model_validate(settings).check_contexts(Network(), Windows())
