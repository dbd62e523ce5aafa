"""Boxes in the plane: anchors, how far a box lies from another, which boxes are a nodule's.

A box is row_min, column_min, row_max, column_max in pixels, the outer edges of its first and last pixel.
"""

import numpy as np
import torch
from monai.data.box_utils import box_iou
from scipy import ndimage
from torch import Tensor

LARGEST_LOG = 4.0
"""Of the ratio of two sides: what a network answers beyond is cut."""
BEST_OF_A_NODULE = 0.05
"""Each nodule has the anchor that overlaps it most, whatever the overlap, if it is not less than this."""


def anchors(rows: int, columns: int, stride: int, sides: tuple[float, ...]) -> Tensor:
    """Squares round the middles of a grid's cells: float32 [rows x columns x sides, 4], in that order."""
    down, right = ((torch.arange(n) + 0.5) * stride for n in (rows, columns))
    centre = torch.stack(torch.meshgrid(down, right, indexing="ij"), dim=-1).reshape(-1, 1, 2)
    half = torch.tensor(sides).reshape(1, -1, 1) / 2
    return torch.cat([centre - half, centre + half], dim=-1).reshape(-1, 4)


def encoded(boxes: Tensor, from_: Tensor) -> Tensor:
    """How boxes [n, 4] differ from others [n, 4]: shift in their sides, logarithm of the ratio of sides (Ren 2015)."""
    size, base = boxes[:, 2:] - boxes[:, :2], from_[:, 2:] - from_[:, :2]
    shift = ((boxes[:, 2:] + boxes[:, :2]) - (from_[:, 2:] + from_[:, :2])) / (2 * base)
    return torch.cat([shift, (size / base).log()], dim=1)


def decoded(answer: Tensor, from_: Tensor) -> Tensor:
    """The boxes [n, 4] of which `answer` is the `encoded`."""
    base, middle = from_[:, 2:] - from_[:, :2], (from_[:, 2:] + from_[:, :2]) / 2
    middle = middle + answer[:, :2] * base
    half = answer[:, 2:].clamp(-LARGEST_LOG, LARGEST_LOG).exp() * base / 2
    return torch.cat([middle - half, middle + half], dim=1)


def boxes_of(mask: np.ndarray, most: int) -> np.ndarray:
    """The boxes of the parts of a mask [h, w], the largest first: float32 [most, 4], filled with zeros."""
    parts, count = ndimage.label(mask > 0, np.ones((3, 3)))
    found = np.zeros((most, 4), np.float32)
    sizes = np.bincount(parts.ravel(), minlength=count + 1)[1:]
    for place, part in enumerate(np.argsort(-sizes, kind="stable")[:most]):
        rows, columns = ndimage.find_objects(parts)[part]
        found[place] = rows.start, columns.start, rows.stop, columns.stop
    return found


def proposed(answer: Tensor, logits: Tensor, from_: Tensor, size: tuple[int, int], how) -> Tensor:
    """The boxes [k, 4] that one image is asked about: of the surest anchors, the best of those that overlap.

    Args:
        answer, logits: of the anchors `from_`, [n, 4] and [n]; size: rows and columns that boxes are cut to.
        how: the kind's `Proposals`.
    """
    best = logits.topk(min(how.asked, len(logits))).indices
    boxes = within(decoded(answer[best], from_[best]), size)
    whole = ((boxes[:, 2:] - boxes[:, :2]) >= 1).all(dim=1)
    boxes, logits = boxes[whole], logits[best][whole]
    return boxes[best_of(boxes, logits, how.overlap)[: how.kept]]


def best_of(boxes: Tensor, scores: Tensor, overlap: float) -> Tensor:
    """Numbers of the boxes [n, 4] that no better one overlaps by more than that IoU, the best first.

    It keeps what `monai.data.box_utils.non_max_suppression` keeps, which measures the overlaps anew for each box that
    stays and takes forty times as long (a test compares them).
    """
    order = scores.argsort(descending=True, stable=True)
    alike = (box_iou(boxes[order], boxes[order]) > overlap).cpu().numpy()
    free, kept = np.ones(len(order), bool), []
    for place in range(len(order)):
        if free[place]:
            kept.append(place)
            free &= ~alike[place]
    return order[kept]


def within(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Boxes cut to an image of `size` rows and columns."""
    limit = torch.tensor([*size, *size], dtype=boxes.dtype, device=boxes.device)
    return torch.minimum(boxes.clamp(min=0), limit)


def matched(boxes: Tensor, nodules: Tensor, far: float, near: float, best_too: bool = False) -> tuple[Tensor, Tensor]:
    """For each box whether it is a nodule's (1), none's (0) or neither (-1), and of which nodule: int [n] each.

    Args:
        nodules: [k, 4]; far, near: IoU below which it is none's, and from which it is one's.
        best_too: the boxes that overlap a nodule most are its own.
    """
    if not len(nodules):
        return torch.zeros(len(boxes), dtype=torch.long), torch.zeros(len(boxes), dtype=torch.long)
    overlap = box_iou(boxes, nodules)
    most, whose = overlap.max(dim=1)
    state = torch.full((len(boxes),), -1, dtype=torch.long, device=boxes.device)
    state[most < far], state[most >= near] = 0, 1
    if best_too:
        top = overlap.max(dim=0).values
        own = ((overlap == top) & (top >= BEST_OF_A_NODULE)).any(dim=1)
        state[own] = 1
    return state, whose


def sampled(state: Tensor, logits: Tensor, count: int, rng: torch.Generator) -> Tensor:
    """Numbers of at most `count` boxes: up to half of them nodules', the others none's; state: of `matched`, [n].

    Of the others half are those that the network takes for nodules the most (`logits` [n]): drawn blindly nearly all
    would be air, which is learnt in a few steps (Shrivastava 2016).
    """
    nodules, others = ((state == value).nonzero()[:, 0] for value in (1, 0))
    nodules = _drawn(nodules, count // 2, rng)
    hardest = others[logits[others].argsort(descending=True, stable=True)]
    half = (count - len(nodules)) // 2
    return torch.cat([nodules, hardest[:half], _drawn(hardest[half:], count - len(nodules) - half, rng)])


def _drawn(pool: Tensor, count: int, rng: torch.Generator) -> Tensor:
    return pool[torch.randperm(len(pool), generator=rng).to(pool.device)[:count]]
