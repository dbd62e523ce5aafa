"""An extractor as a whole: a kind's network, the heads it is trained with, and the scale of its features."""

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from lungsynth.features.registry import EXTRACTORS

FAULTS = ("blur", "shift", "noise")


@dataclass(frozen=True)
class Card:
    """What one must know to use an extractor; stands in the .json beside its weights.

    Attributes:
        name: "slices", "nodules" or "pictures" (which images it is for).
        kind: the network's kind; `settings` are that kind's own.
        classes: names of the classifier's classes, in the order of the logits.
        dimensions: length of a feature vector.
        window_hu: HU that count.
        with_mask: whether a mask goes in beside the HU.
        channels: of a picture, 1 or 3; 0: images are CT.
        size_px, mm_per_px: the images it was trained on.
        resize: the filter that brought them to that size.
    """

    name: str
    kind: str
    settings: dict[str, Any]
    classes: tuple[str, ...]
    dimensions: int
    window_hu: tuple[float, float]
    with_mask: bool
    channels: int
    size_px: int
    mm_per_px: float
    resize: str

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Card":
        """The card from a .json's values; further keys (recipe, sha256) are left aside."""
        known = {name: values[name] for name in cls.__dataclass_fields__}
        return cls(**known | {"classes": tuple(known["classes"]), "window_hu": tuple(known["window_hu"])})


class Extractor(nn.Module):
    """Network and heads.

    The classifier gives the inception score its logits. The other head guesses which fault was planted how strongly,
    so that the features must hold it: a direct line from the features sees a blur or a shift that classes alone
        would teach them to ignore.
    """

    def __init__(self, card: Card):
        super().__init__()
        settings = EXTRACTORS.settings(card.kind)(**card.settings)
        self.card = card
        self.network = EXTRACTORS.get(card.kind)(
            settings, card.dimensions, card.window_hu, card.with_mask, card.channels
        )
        self.classifier = nn.Linear(card.dimensions, len(card.classes))
        self.faults = nn.Linear(card.dimensions, len(FAULTS))
        self.register_buffer("centre", torch.zeros(card.dimensions))
        self.register_buffer("scale", torch.ones(card.dimensions))

    def forward(self, hu: torch.Tensor, mask: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """HU float32 [n, h, w], or levels [n, h, w, 3] in colour, and masks to standardised features [n, d], logits
        [n, classes] and fault strengths [n, 3]."""
        features = self.network(hu, mask)
        return (features - self.centre) / self.scale, self.classifier(features), self.faults(features)
