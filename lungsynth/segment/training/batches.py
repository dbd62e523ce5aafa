"""A segmenter's training data: batches of augmented windows, with a nodule and without."""

from collections.abc import Callable

import numpy as np
import torch

from lungsynth.segment.training.augment import window
from lungsynth.segment.training.augmentation import Augmentation
from lungsynth.segment.training.windows import Windows, join
from lungsynth.study.errors import DataError

MINED_SHARE = 0.5
"""Share of the negatives in a batch that are mined false positives, where there are any."""


def batches(
    windows: list[Windows], window_px: int, batch: int, augmentation: Augmentation, negatives: float = 0.5
) -> Callable[[np.random.Generator], dict]:
    """The loop's data: a function of a numpy Generator to {"hu": float32 [b, slices, w, w], "mask": [b, 1, w, w]}.

    A share `negatives` of a batch was cut without a nodule; of these, up to half are mined. Windows lie anywhere in
    their contexts and are changed as `augmentation` says.

    Raises:
        DataError: no context with a nodule, or none without, or contexts smaller than the windows.
    """
    all_of = join(windows)
    if all_of.images.shape[-1] < window_px:
        raise DataError(f"contexts of {all_of.images.shape[-1]} px are smaller than windows of {window_px} px")
    what = all_of.table["what"].to_numpy(str)
    pools = {word: np.flatnonzero(what == word) for word in ("nodule", "mined")}
    pools["plain"] = np.flatnonzero((what != "nodule") & (what != "mined"))
    if not len(pools["nodule"]) or not len(pools["plain"]):
        counts = ", ".join(f"{len(pool)} {word}" for word, pool in pools.items())
        raise DataError(f"the training contexts are too few: {counts}; are there nodules in the fit scans?")
    chances = {word: np.full(len(pool), 1 / max(1, len(pool))) for word, pool in pools.items()}
    # A nodule is drawn first and then one of its slices: else the large ones, of many slices, rule the training.
    slices_of = all_of.table.iloc[pools["nodule"]].groupby(["scan", "nodule"])["slice"].transform("size").to_numpy()
    chances["nodule"] = 1 / slices_of / (1 / slices_of).sum()

    def draw(rng: np.random.Generator) -> dict:
        without = batch - int(batch * (1 - negatives))
        mined = round(without * MINED_SHARE) if len(pools["mined"]) else 0
        shares = {"nodule": batch - without, "mined": mined, "plain": without - mined}
        rows = np.concatenate([rng.choice(pools[word], n, p=chances[word]) for word, n in shares.items() if n])
        pairs = [window(all_of.images[row], all_of.masks[row], window_px, augmentation, rng) for row in rows]
        hu, mask = (np.stack(arrays) for arrays in zip(*pairs, strict=True))
        return {"hu": torch.from_numpy(hu), "mask": torch.from_numpy(mask)}

    return draw
