"""Candidates of any detector with a probability, outlined in space by a network."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import ndimage
from torch import nn

from lungsynth.ct.volume import Volume
from lungsynth.segment.inference.candidates import EVERY_NEIGHBOUR, sharing_most
from lungsynth.segment.outlines import views
from lungsynth.segment.outlines.unet import OutlineNet
from lungsynth.study.stages.segment import OutlineNetwork, Outlines
from lungsynth.train import weights as released

LEVEL = 0.5
"""Of the network's probability, from which a voxel is the nodule's."""
MIRRORED = ((), (2,), (3,), (2, 3))
"""Axes of a cube's rows and columns, over whose mirror images the mean is taken."""


def filled(mask: np.ndarray) -> np.ndarray:
    """A mask [z, y, x] with what it encloses in a slice, which readers draw with a nodule: its cavity."""
    out = mask.copy()
    for k in np.flatnonzero(mask.any((1, 2))):
        out[k] = ndimage.binary_fill_holes(mask[k])
    return out


@dataclass(frozen=True)
class Outliner:
    """A network with its weights, in eval mode."""

    module: nn.Module
    network: OutlineNetwork

    def outline(self, volume: Volume, probability: np.ndarray, candidate: np.ndarray) -> np.ndarray:
        """The nodule that a candidate is, or is a part of, bool [z, y, x].

        The part of what the network outlines that shares most with the candidate, filled, with what of the candidate
        lies beyond the largest cube; the candidate itself where none shares a voxel.

        Args:
            volume: int16 HU; probability: the detector's, uint8 0..255; candidate: bool, on one grid.
        """
        spacing, side = volume.spacing_mm, self.network.side
        view = views.of_candidate(candidate, spacing, self.network)
        (hu, p, start), known = views.seen(volume.hu, probability, [candidate], spacing, view, side)
        x = views.shown(hu, p, start, known, view.side_mm / side, spacing[0])
        x = x.to(next(self.module.parameters()).device)
        with torch.inference_mode():
            looks = self.module(torch.stack([x.flip(axes) for axes in MIRRORED])).sigmoid()
            looks = [look.flip([axis - 1 for axis in axes]) for look, axes in zip(looks, MIRRORED, strict=True)]
        inside = views.back(torch.stack(looks).mean(0).cpu().numpy(), volume.hu.shape, spacing, view) >= LEVEL
        # Of what the largest cube cannot hold the network says nothing; what sticks out of a smaller one is a vessel.
        outside = np.zeros_like(candidate)
        if view.side_mm == self.network.side_mm[1]:
            cube = views.back(np.ones((side,) * 3, np.float32), volume.hu.shape, spacing, view)
            outside = candidate & (cube == 0)
        found = sharing_most(ndimage.label(inside, EVERY_NEIGHBOUR)[0], candidate)
        return candidate if found is None else filled(found) | outside

    def outlined(self, volume: Volume, probability: np.ndarray, labels: np.ndarray, order: np.ndarray) -> np.ndarray:
        """Labels of candidates, each with its outline in the place of its own voxels.

        Where two would have a voxel, it is that of the first in `order`; none takes another candidate's own voxels, so
        that every candidate stays.

        Args:
            volume, probability: as of `outline`, of a whole scan; labels: whole numbers [z, y, x], 0 outside.
            order: labels, the surest candidate first.
        """
        out, places = labels.copy(), ndimage.find_objects(labels)
        for label in order:
            view = views.of_candidate(labels[places[label - 1]] == label, volume.spacing_mm, self.network)
            box = views.within(views.REACH * view.side_mm, places[label - 1], volume.spacing_mm)
            piece, own = Volume(volume.hu[box], volume.spacing_mm), labels[box] == label
            found = self.outline(piece, probability[box], own)
            free = (out[box] == 0) | own
            out[box][own & ~found] = 0
            out[box][found & free] = label
        return out


def load(network: OutlineNetwork, weights: Path, device: Any = "cpu") -> Outliner:
    """A released network (.safetensors); network: the study's `segment.outlines.network`."""
    module = OutlineNet(network.widths)
    released.fill({"outlines": module}, weights)
    return Outliner(module.to(device).eval().requires_grad_(False), network)


def load_state(settings: Outlines, state: Path, device: Any = "cpu") -> Outliner:
    """The network of a training's state: averaged weights, where it keeps them."""
    from lungsynth.segment.outlines.network import OutlineKind
    from lungsynth.train.loop import load as load_modules

    return Outliner(load_modules(OutlineKind(settings), state, device)["outlines"], settings.network)
