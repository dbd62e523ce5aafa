"""The trained refiner on composites: HU in, HU out."""

import numpy as np
import torch
from torch import nn

from lungsynth.ct.hu import HU_RANGE
from lungsynth.ct.window import to_unit

BATCH = 8


def refine_images(generator: nn.Module, images: np.ndarray, window_hu: tuple[float, float]) -> np.ndarray:
    """Refined images int16 HU [n, h, w] of composites int16 HU [n, h, w]; h and w multiples of 4.

    The network sees and gives values of the window; what it changes there is added to the image, so that values
    outside the window (bone, metal) keep what they exceed it by.
    """
    generator.eval()
    device = next(generator.parameters()).device
    scale = (window_hu[1] - window_hu[0]) / 2
    out = np.empty(images.shape, np.int16)
    for start in range(0, len(images), BATCH):
        part = slice(start, start + BATCH)
        unit = to_unit(images[part], window_hu)[:, None]
        with torch.inference_mode():
            made = generator(torch.from_numpy(unit).to(device)).cpu().numpy()
        change = (made - unit)[:, 0].astype(np.float64) * scale
        out[part] = np.clip(np.rint(images[part] + change), *HU_RANGE)
    return out
