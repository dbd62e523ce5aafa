"""One training window out of a context: where it lies, how it is turned and bent, what its grey values become."""

import numpy as np
import torch
from scipy import ndimage
from torch.nn import functional

from lungsynth.segment.training.augmentation import Augmentation

EDGE_PX = 2
"""The centre of a nodule keeps this distance to the window's edge: of what lies outside nothing can be learnt."""
FLAT_SHARE = 1 / 3
"""Share of the windows whose neighbouring slices are copies of the middle one (single slices are served too)."""
LUNG_HU = -850.0
"""Aerated lung, which a change of contrast leaves where it is."""
BEND_NODES = 4
"""Places along each side where the smooth displacement is drawn."""


def reach_of(context_px: int, size: int, beyond_px: int = 0) -> int:
    """How far what is in the middle of a context may lie from that of a window, in px along each side."""
    return min((context_px - size) // 2 + beyond_px, size // 2 - EDGE_PX)


def window(
    hu: np.ndarray,
    mask: np.ndarray,
    size: int,
    how: Augmentation,
    rng: np.random.Generator,
    reach_px: int | None = None,
    soft: bool = False,
    beyond_px: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """One augmented window: float32 HU [slices, size, size] and float32 mask [1, size, size].

    hu: int16 [slices, c, c]; mask: uint8 [c, c]; what they are about is in the middle (row and column c // 2), and
    comes to lie anywhere in the window, or at most `reach_px` from the window's middle along each side.
    soft: `mask` is shares of readers (255: all), and comes out as shares 0..1; else it is 0/1, and stays so.
    beyond_px: by how much a window that is warped may reach over the context's edge, where its mirror image lies.
    """
    room = hu.shape[-1] - size
    most = reach_of(hu.shape[-1], size, beyond_px if how.warps else 0)
    reach = most if reach_px is None else min(most, reach_px)
    offset = rng.integers(-reach, reach + 1, size=2)
    hu, mask = hu.astype(np.float32), mask[None].astype(np.float32)
    if soft:
        mask /= 255
    if how.warps:
        hu, mask = _warped(hu, mask, size, offset, how, rng)
        flat = rng.random() < FLAT_SHARE
    else:
        top, left = room // 2 + offset
        hu, mask = (array[:, top : top + size, left : left + size] for array in (hu, mask))
        turns, flip, flat = rng.integers(4), rng.integers(2), rng.random() < FLAT_SHARE
        hu, mask = (np.rot90(array, turns, axes=(1, 2)) for array in (hu, mask))
        if flip:
            hu, mask = hu[:, :, ::-1], mask[:, :, ::-1]
    if flat:
        hu = np.repeat(hu[len(hu) // 2][None], len(hu), axis=0)
    elif rng.integers(2):
        hu = hu[::-1]  # the order of slices is no more a part of the truth than left and right
    mask = np.clip(mask, 0, 1) if soft else mask > 0.5
    return _grey(hu, flat, how, rng).astype(np.float32), np.ascontiguousarray(mask, np.float32)


def _warped(
    hu: np.ndarray, mask: np.ndarray, size: int, offset: np.ndarray, how: Augmentation, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Turned, zoomed, stretched, bent, mirrored in half of the cases; outside the context lies its mirror image.

    `offset`: pixels from the window's middle to the context's. The turn is about the context's middle.
    """
    zoom = np.exp(rng.uniform(-1, 1) * np.log(how.zoom))
    stretch = np.exp(rng.uniform(-0.5, 0.5) * np.log(how.stretch))
    angle = rng.uniform(-np.pi, np.pi) if how.turn == "any" else rng.integers(4) * np.pi / 2
    mirror = rng.choice([-1.0, 1.0])
    places = np.arange(size) - (size - 1) / 2
    down = (places[:, None] + offset[0]) * zoom / stretch
    right = (places[None, :] + offset[1]) * zoom * stretch * mirror
    column = np.cos(angle) * right - np.sin(angle) * down
    row = np.sin(angle) * right + np.cos(angle) * down
    if how.bend_px:
        nodes = torch.from_numpy(rng.normal(0, how.bend_px * rng.integers(2), (1, 2, BEND_NODES, BEND_NODES)))
        bend = functional.interpolate(nodes, size=(size, size), mode="bicubic", align_corners=True)[0].numpy()
        row, column = np.stack([row, column]) + bend
    middle, half = hu.shape[-1] // 2, (hu.shape[-1] - 1) / 2
    grid = np.stack([column, row], axis=-1) + (middle - half)
    both = torch.from_numpy(np.concatenate([hu, mask])[None])
    grid = torch.from_numpy((grid[None] / half).astype(np.float32))
    drawn = functional.grid_sample(both, grid, mode="bilinear", padding_mode="reflection", align_corners=True)[0]
    drawn = drawn.numpy()
    return drawn[:-1], drawn[-1:]


def _grey(hu: np.ndarray, flat: bool, how: Augmentation, rng: np.random.Generator) -> np.ndarray:
    """Kernel, contrast, offset and noise as other scanners have them, alike in all slices; copies stay copies."""
    noise = rng.standard_normal(hu.shape[1:] if flat else hu.shape, dtype=np.float32)
    shift, strength = np.float32(how.shift_hu * rng.standard_normal()), rng.random()
    if how.sharpen:
        share = np.float32(rng.uniform(-how.sharpen, how.sharpen))
        hu = hu + share * (ndimage.uniform_filter(hu, (0, 3, 3)) - hu)
    if how.gain:
        hu = (hu - LUNG_HU) * np.float32(np.exp(how.gain * rng.standard_normal())) + LUNG_HU
    if how.grain:
        strength = strength**2
        if rng.integers(2):
            # The mean of nine has a third of the sd; coarse noise is stronger than that in smooth kernels.
            noise = 2 * ndimage.uniform_filter(noise, (*([0] * (noise.ndim - 2)), 3, 3))
    return hu + shift + noise * np.float32(how.noise_hu * strength)
