"""A segmenter's training data: batches of augmented windows, with a nodule and without."""

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import torch

from lungsynth.segment.training.augment import reach_of, window
from lungsynth.segment.training.augmentation import Augmentation
from lungsynth.segment.training.windows import Windows, join
from lungsynth.study.errors import DataError

MINED_SHARE = 0.5
"""Share of the negatives in a batch that are mined false positives, where there are any."""


class Contexts:
    """All contexts of a training as one, and how a batch is drawn from them.

    Attributes:
        windows: the contexts; holds: bool [n], which were cut round a nodule.

    Args:
        window_px: side of what is cut from them; negatives: share of a batch that was cut without a nodule.

    Raises:
        DataError: no context with a nodule, or none without, or contexts smaller than the windows.
    """

    def __init__(self, windows: list[Windows], window_px: int, negatives: float = 0.5):
        self.windows, self.negatives = join(windows), negatives
        if self.windows.images.shape[-1] < window_px:
            raise DataError(
                f"contexts of {self.windows.images.shape[-1]} px are smaller than windows of {window_px} px"
            )
        what = self.windows.table["what"].to_numpy(str)
        self.holds = what == "nodule"
        pools = {word: np.flatnonzero(what == word) for word in ("nodule", "mined")}
        pools["plain"] = np.flatnonzero(~self.holds & (what != "mined"))
        if not len(pools["nodule"]) or not len(pools["plain"]):
            counts = ", ".join(f"{len(pool)} {word}" for word, pool in pools.items())
            raise DataError(f"the training contexts are too few: {counts}; are there nodules in the fit scans?")
        self._pools, self._chances = pools, {word: np.full(len(p), 1 / max(1, len(p))) for word, p in pools.items()}
        # A nodule is drawn first and then one of its slices: else the large ones, of many slices, rule the training.
        rows = self.windows.table.iloc[pools["nodule"]]
        slices_of = rows.groupby(["scan", "nodule"])["slice"].transform("size").to_numpy()
        self._chances["nodule"] = 1 / slices_of / (1 / slices_of).sum()

    def draw(self, batch: int, rng: np.random.Generator) -> np.ndarray:
        """Rows of a batch, those with a nodule first; of those without, up to half are mined."""
        without = batch - int(batch * (1 - self.negatives))
        mined = round(without * MINED_SHARE) if len(self._pools["mined"]) else 0
        shares = {"nodule": batch - without, "mined": mined, "plain": without - mined}
        return np.concatenate([rng.choice(self._pools[w], n, p=self._chances[w]) for w, n in shares.items() if n])


def batches(
    windows: list[Windows],
    sizes_px: Sequence[int],
    batch: int,
    augmentation: Augmentation,
    negatives: float = 0.5,
    targets: Literal["consensus", "votes"] = "consensus",
) -> Callable[[np.random.Generator], dict]:
    """The loop's data: a function of a numpy Generator to {"hu": float32 [b, slices, w, w], "mask": [b, 1, w, w]}.

    A share `negatives` of a batch was cut without a nodule; of these, up to half are mined. Windows lie anywhere in
    their contexts and are changed as `augmentation` says. Each batch is of one of `sizes_px`, drawn; windows of any of
    them have the nodule as far from their middle as those of the first, if need be over the context's edge: else the
    size would tell the place. "mask" is the consensus 0/1, or by `targets` the readers' shares 0..1.

    Raises:
        DataError: see `Contexts`.
    """
    contexts, soft = Contexts(windows, max(sizes_px), negatives), targets == "votes"
    images, masks = contexts.windows.images, contexts.windows.masks if soft else contexts.windows.consensus
    reach = reach_of(images.shape[-1], sizes_px[0])

    def draw(rng: np.random.Generator) -> dict:
        size = sizes_px[rng.integers(len(sizes_px))] if len(sizes_px) > 1 else sizes_px[0]
        how = {"soft": soft, "reach_px": reach, "beyond_px": max(0, size - sizes_px[0]) // 2}
        rows = contexts.draw(batch, rng)
        pairs = [window(images[row], masks[row], size, augmentation, rng, **how) for row in rows]
        hu, mask = (np.stack(arrays) for arrays in zip(*pairs, strict=True))
        return {"hu": torch.from_numpy(hu), "mask": torch.from_numpy(mask)}

    return draw
