"""Extractors in use: releasing one, loading it, and making features and logits of images."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import torch
from safetensors.torch import load, save

from lungsynth.ct.files import write_bytes
from lungsynth.features.extractor import Card, Extractor
from lungsynth.sets.tables import read_json, write_json
from lungsynth.study.errors import DataError


@dataclass(frozen=True)
class Embedding:
    """What an extractor makes of n images: features float64 [n, d] and logits float64 [n, classes]."""

    features: np.ndarray
    logits: np.ndarray


def embed(
    extractor: torch.nn.Module, images: np.ndarray, masks: np.ndarray | None = None, batch: int = 64
) -> Embedding:
    """Features and logits of images as banks hold them, [n, h, w] or [n, h, w, 3], in batches of a fixed size.

    Raises:
        DataError: the extractor wants masks and there are none, or a shape that fits them, or there is no image; or
            what it gives is not finite.
    """
    wanted = 4 if extractor.card.channels == 3 else 3
    if images.ndim != wanted or not len(images):
        form = "[n, h, w, 3]" if wanted == 4 else "[n, h, w]"
        raise DataError(f"images must be {form} with n at least 1, got {images.shape}")
    if extractor.card.with_mask and (masks is None or masks.shape != images.shape):
        raise DataError(
            f"extractor {extractor.card.name!r} takes a mask with each image: got "
            f"{None if masks is None else masks.shape} for images {images.shape}"
        )
    extractor.eval()
    device = next(extractor.parameters()).device
    features, logits = [], []
    with torch.no_grad():
        for start in range(0, len(images), batch):
            rows = slice(start, start + batch)
            hu = torch.from_numpy(np.array(images[rows], np.float32)).to(device)
            mask = None
            if extractor.card.with_mask:
                mask = torch.from_numpy(np.array(masks[rows], np.uint8)).to(device)
            some_features, some_logits, _ = extractor(hu, mask)
            features.append(some_features.double().cpu().numpy())
            logits.append(some_logits.double().cpu().numpy())
    made = Embedding(np.concatenate(features), np.concatenate(logits))
    wrong = ~(np.isfinite(made.features).all(axis=1) & np.isfinite(made.logits).all(axis=1))
    if wrong.any():
        raise DataError(
            f"extractor {extractor.card.name!r} gives no finite numbers for {int(wrong.sum())} of {len(wrong)} images, "
            f"the first of them image {int(wrong.argmax())}: its training has gone astray"
        )
    return made


def features_of(extractor: torch.nn.Module, images: np.ndarray, masks: np.ndarray | None = None) -> np.ndarray:
    """Features float64 [n, d] of int16 HU images [n, h, w]; see `embed`."""
    return embed(extractor, images, masks).features


def release(path: str | Path, extractor: Extractor, recipe: dict[str, Any]) -> str:
    """Write NAME.safetensors and NAME.json (card, recipe, sha256 of the weights' file); the same weights give the
    same bytes.

    Args:
        path: the .safetensors file.
        extractor: trained and standardised.
        recipe: what made it: seed, steps, number of images and patients, accuracy.

    Returns:
        The sha256.
    """
    path = Path(path)
    weights = save({name: value.contiguous().cpu() for name, value in sorted(extractor.state_dict().items())})
    digest = hashlib.sha256(weights).hexdigest()
    write_bytes(path, weights)
    write_json(path.with_suffix(".json"), {**extractor.card.as_dict(), "recipe": recipe, "sha256": digest})
    return digest


def read(path: str | Path, device: torch.device | str = "cpu") -> tuple[Extractor, str]:
    """A released extractor in eval mode on a device, and the sha256 of its weights.

    Raises:
        DataError: a file is missing, is not what it should be, or the weights are not those the .json was written for.
    """
    path = Path(path)
    values = read_json(path.with_suffix(".json"))
    try:
        weights = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error})") from None
    digest = hashlib.sha256(weights).hexdigest()
    if digest != values.get("sha256"):
        raise DataError(f"{path}: sha256 {digest[:12]}... is not the one in {path.with_suffix('.json').name}")
    try:
        extractor = Extractor(Card.from_dict(values))
        extractor.load_state_dict(load(weights))
    except (KeyError, TypeError, ValueError, RuntimeError, safetensors.SafetensorError) as error:
        raise DataError(f"{path}: no extractor of this version ({error})") from None
    return extractor.to(device).eval(), digest
