"""What is selected of a drawn set, with its likeness to real images."""

from dataclasses import replace

from lungsynth.features.apply import features_of
from lungsynth.features.extractor import Extractor
from lungsynth.generate.selection import Chosen, select
from lungsynth.sets.bank import ImageSet
from lungsynth.study.seeds import rng
from lungsynth.study.stages.generate import Selection


def selected(
    made: ImageSet,
    fit: ImageSet,
    tune: ImageSet,
    extractor: Extractor,
    settings: Selection,
    window_hu: tuple[float, float],
    target: str,
    seed: int,
) -> tuple[ImageSet, Chosen]:
    """The images that `select` keeps, with the column `similarity`, and what it says of them.

    Args:
        made: drawn images; fit: those that their generator learnt from; tune: real ones of other patients.

    Raises:
        TrainingError: nothing passes.
    """
    features = [features_of(extractor, one.images, one.masks) for one in (made, fit, tune)]
    draw = rng(seed, "select", target)
    chosen = select(made, features[0], fit, features[1], settings, window_hu, target, draw, tune, features[2])
    kept = made.take(chosen.rows)
    return replace(kept, table=kept.table.assign(similarity=chosen.similarity[chosen.rows].round(6))), chosen
