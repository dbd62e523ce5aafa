"""All of the stage at once and in memory, for composites of which nothing is real: a comparison's, not the chain's."""

import numpy as np
import pandas as pd

from lungsynth.compose.clearance import score_all
from lungsynth.compose.groups import box_mm, draw_groups, draw_pool, placeable
from lungsynth.compose.patches import Patches
from lungsynth.compose.plan import make_plan
from lungsynth.compose.presence import presence_map
from lungsynth.compose.render import Renderer, render_rows, shard_ranks
from lungsynth.sets.bank import ImageSet
from lungsynth.study.stages.compose import Compose


def compose(
    nodules: ImageSet, normals: ImageSet, marks: pd.DataFrame, settings: Compose, count: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """At most `count` composites of generated nodules on generated normals, by the chain's own steps.

    The plan keeps as many composites a normal as the chain's does, so that fewer normals are not used more often.

    Args:
        nodules, normals: selected; as many are taken as the study takes generated ones.
        marks: of real nodules, which say where nodules lie (`presence_map`).

    Returns:
        Images int16 HU [n, h, w] and masks uint8 [n, h, w]: the k-th lesion.

    Raises:
        DataError: nothing can be composed.
    """
    groups, plan = settings.groups, settings.plan
    large = placeable(nodules, normals.mm_per_px, settings.min_diameter_px)
    laid = draw_pool(large.take([]), large, 0, groups.n_generated, seed, "nodules").images
    below = draw_pool(normals.take([]), normals, 0, settings.normals.n_generated, seed, "normals").images
    patches = Patches(laid, normals.mm_per_px, feather_mm=0)
    drawn = draw_groups(patches, presence_map(marks, settings.presence), box_mm(below), groups, seed)
    wanted = settings.normals.n_real + settings.normals.n_generated
    plan = plan.model_copy(update={"keep": max(1, plan.keep * len(below) // wanted)})
    rows, _ = make_plan(score_all(below, drawn, plan, groups.gap_mm), plan, seed)
    render = settings.render.model_copy(update={"count": count, "shard_size": count})
    chosen = rows.iloc[shard_ranks(len(rows), 0, render)]
    return render_rows(Renderer(below, laid, drawn, render), chosen.itertuples(), len(chosen))[:2]
