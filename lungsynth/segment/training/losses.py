"""The segmenter's loss: soft Dice of every window that holds a nodule, beside binary cross entropy (FACTS 3.3)."""

from torch import Tensor
from torch.nn import functional


def dice_loss(logits: Tensor, masks: Tensor, smooth: float = 1.0) -> Tensor:
    """Mean over the windows with a nodule of 1 - (2 sum p m + smooth) / (sum p + sum m + smooth).

    logits, masks (float 0..1): [n, 1, h, w]; masks are 0/1, or the share of the readers who hold a pixel. A window of
    its own has each nodule weigh the same, where a Dice over the whole batch would hardly see the small ones; windows
    without a nodule are left to the cross entropy. On windows that all hold one it equals
    `monai.losses.DiceLoss(sigmoid=True)` with the same smoothing (a test compares them).

    Of shares s = v / r it is, for p of 0 or 1, the agreement with each of the r readers that a segmenter is judged by,
    2 sum_N v / (r |N| + sum v). Its optimum is a mask and not p = s, which squares in the denominator would have: with
    p = s the cross entropy is content. A window holds a nodule where half of the readers hold a pixel: in a fringe of
    shares alone the best mask would be all of it.
    """
    p = logits.sigmoid()
    shared, total = (x.sum(dim=(1, 2, 3)) for x in (p * masks, p + masks))
    each = 1 - (2 * shared + smooth) / (total + smooth)
    holds = (masks.amax(dim=(1, 2, 3)) >= 0.5).to(each.dtype)
    return (each * holds).sum() / holds.sum().clamp(min=1)


def dice_and_cross_entropy(logits: Tensor, masks: Tensor, dice: float = 1.0) -> tuple[Tensor, dict[str, Tensor]]:
    """dice x Dice + BCE of logits [n, 1, h, w] against masks (float 0..1) of the same shape; the sum and its terms."""
    overlap = dice_loss(logits, masks)
    entropy = functional.binary_cross_entropy_with_logits(logits, masks)
    return dice * overlap + entropy, {"dice": overlap.detach(), "cross_entropy": entropy.detach()}
