"""Training crops of both domains, each with a lesion in it, so that neither teaches to add or to remove one."""

from collections.abc import Sequence

import numpy as np
import torch

from lungsynth.ct.window import to_unit
from lungsynth.refine.protect import near_lesions
from lungsynth.study.errors import DataError
from lungsynth.study.stages.cohort import Image
from lungsynth.train.data import Shape, Source


class Domain:
    """Images and lesion masks of one domain, in one array or in many (shards that stay on disk).

    Args:
        images: int16 HU arrays [n, h, w].
        masks: lesion masks to match.
        places: (array, image) of those that are used; None: all.
        unmarked: nobody marked lesions in these images: all are used, and their share is not known.

    Attributes:
        lesion_share: share of the images that show a lesion; the two domains should agree. None where unmarked.
        lesions_per_image: mean number of lesions.

    Raises:
        DataError: no image, or none with a lesion where they are marked.
    """

    def __init__(
        self,
        images: Sequence[np.ndarray],
        masks: Sequence[np.ndarray],
        what: str,
        unmarked: bool = False,
        places: Sequence[tuple[int, int]] | None = None,
    ):
        self.images, self.masks = images, masks
        if places is None:
            places = [(part, k) for part, stack in enumerate(images) for k in range(len(stack))]
        counts = [len(np.unique(mask[mask > 0])) for mask in (masks[part][k] for part, k in places)]
        if not counts or not (unmarked or any(counts)):
            raise DataError(f"the {what} hold {len(counts)} images and no lesion: the refiner needs some")
        self.lesion_share = None if unmarked else float(np.mean(np.array(counts) > 0))
        self.lesions_per_image = float(np.mean(counts))
        self.with_lesion = [place for place, count in zip(places, counts, strict=True) if count or unmarked]

    def crop(self, side_px: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """(image, mask) [side, side] at a random place that shows a random pixel of a lesion, if there is one."""
        part, k = self.with_lesion[rng.integers(len(self.with_lesion))]
        mask = self.masks[part][k]
        rows, columns = np.nonzero(mask if mask.any() else np.ones_like(mask))
        pixel = rng.integers(len(rows))
        corner = [
            int(rng.integers(max(0, at - side_px + 1), min(at, size - side_px) + 1))
            for at, size in zip((rows[pixel], columns[pixel]), mask.shape, strict=True)
        ]
        window = tuple(slice(low, low + side_px) for low in corner)
        return self.images[part][k][window], mask[window]


def crop_source(composites: Domain, real: Domain, crop_px: int, batch: int, image: Image) -> Source:
    """Pairs of crops, one of each domain, as a training's data.

    A batch: composite and real float32 [batch, 1, crop, crop] in [-1, 1], near_composite and near_real of the same
    shape, 1 where a lesion or the ring round it is protected.
    """

    def draw(rng: np.random.Generator) -> dict[str, torch.Tensor]:
        made = {}
        for name, domain in (("composite", composites), ("real", real)):
            crops = [domain.crop(crop_px, rng) for _ in range(batch)]
            made[name] = _tensor([to_unit(pixels, image.window_hu) for pixels, _ in crops])
            made[f"near_{name}"] = _tensor([near_lesions(mask, image.mm_per_px) for _, mask in crops])
        return made

    return Source(draw, Shape(1, crop_px))


def _tensor(parts: list[np.ndarray]) -> torch.Tensor:
    return torch.from_numpy(np.stack(parts)[:, None].astype(np.float32))
