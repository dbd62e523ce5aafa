"""Pools of real and generated images, and groups of nodules that are laid on one lung together (C7, C8)."""

from dataclasses import dataclass
from math import lgamma, log

import numpy as np
import pandas as pd

from lungsynth.compose.patches import Patches
from lungsynth.compose.presence import PresenceMap
from lungsynth.ct.lungbox import SIDES, lung_boxes
from lungsynth.sets.bank import ImageSet, concatenate
from lungsynth.study.errors import DataError
from lungsynth.study.seeds import rng
from lungsynth.study.stages.compose import Groups

GROUP_COLUMNS = (
    "group",
    "member",
    "nodule",
    "source_nodule",
    "side",
    "u",
    "v",
    "turn",
    "radius_mm",
    "reach_mm",
    "mean_hu",
)


@dataclass(frozen=True)
class Pool:
    """What is drawn from: real images first, then generated ones; and how many there are of either kind."""

    images: ImageSet
    got: dict[str, int]


def draw_pool(real: ImageSet, generated: ImageSet, n_real: int, n_generated: int, seed: int, what: str) -> Pool:
    """min(n, available) images of either kind without replacement, in the order of their sets.

    Real ones are drawn at random. Of the generated ones the best are taken: those with the largest `similarity` to
    real ones, which selection wrote into their table; the first, where the table has no such column.

    Raises:
        DataError: nothing is left to draw from.
    """
    picked = np.sort(rng(seed, "compose", "pool", what).permutation(len(real))[:n_real])
    chosen = _most_alike(generated.table, n_generated)
    parts = [part for part in (real.take(picked), generated.take(chosen)) if len(part)]
    if not parts:
        raise DataError(
            f"no {what} to compose from: {len(real)} real and {len(generated)} generated in the banks, of which "
            f"compose takes {n_real} and {n_generated} at most"
        )
    return Pool(concatenate(parts), {"real": len(picked), "generated": len(chosen)})


def _most_alike(table: pd.DataFrame, n: int) -> np.ndarray:
    """Rows with the largest similarity, at most n, ascending; of equal ones the first."""
    if "similarity" not in table:
        return np.arange(min(n, len(table)))
    return np.sort(np.argsort(-table["similarity"].to_numpy(float), kind="stable")[:n])


def placeable(nodules: ImageSet, mm_per_px: float, min_diameter_px: float) -> ImageSet:
    """The nodules whose mask on the image's grid has a diameter of `min_diameter_px` or more."""
    patches = Patches(nodules, mm_per_px, feather_mm=0)
    return nodules.take(patches.diameter_mm >= min_diameter_px * mm_per_px - 1e-9)


def box_mm(normals: ImageSet) -> dict[int, tuple[float, float]]:
    """Side -> median (height, width) in mm of the box round that lung: the frame in which groups are drawn.

    Raises:
        DataError: no normal shows a lung on one of the sides.
    """
    sizes = {side: [] for side in SIDES}
    for lungs in normals.masks:
        for side, box in lung_boxes(lungs).items():
            sizes[side].append((box.height * normals.mm_per_px, box.width * normals.mm_per_px))
    if not all(sizes.values()):
        raise DataError("the normals' masks must show both lungs (1 right, 2 left)")
    return {side: tuple(np.median(values, axis=0)) for side, values in sizes.items()}


def size_probabilities(mean: float, most: int) -> np.ndarray:
    """Probabilities of 1..most members: a Poisson law of this mean, cut to that range."""
    # In logarithms: k! and exp(-mean) leave the range of a float long before the law has no mass there.
    logs = np.array([k * log(mean) - lgamma(k + 1) for k in range(1, most + 1)])
    weights = np.exp(logs - logs.max())
    return weights / weights.sum()


def apart_mm(radius_a, radius_b, reach_a, reach_b, gap_mm: float):
    """Least distance of two centres: the radii and the gap (C8), or the masks' reaches where these are longer."""
    return np.maximum(radius_a + radius_b + gap_mm, reach_a + reach_b)


def draw_groups(
    patches: Patches, presence: PresenceMap, boxes: dict[int, tuple[float, float]], settings: Groups, seed: int
) -> pd.DataFrame:
    """`count` groups: how many members, which nodules, where, turned how.

    Args:
        patches: the pool on the image's grid.
        presence: where members may lie.
        boxes: side -> (height, width) mm in which distances of members are taken here; each normal's own box is
            looked at again when the plan scores the pair.

    Returns:
        One row a member: group (0..count-1, ascending), member, nodule (index into the pool), source_nodule (its
        id), side, u, v, turn (0..7: quarter turns, from 4 on mirrored first), radius_mm, reach_mm,
        mean_hu.

    Raises:
        DataError: nearly every group is refused for want of room.
    """
    stream = rng(seed, "compose", "groups")
    rows, made, refused = [], 0, 0
    while made < settings.count:
        members = _draw_group(stream, patches, presence, boxes, settings)
        if members is None:
            refused += 1
            if refused > 20 * settings.count:
                raise DataError("groups find no room in a lung: lower compose.groups.size_mean or gap_mm")
            continue
        rows += [{"group": made, "member": number, **member} for number, member in enumerate(members)]
        made += 1
    table = pd.DataFrame(rows)
    table["source_nodule"] = [str(patches.ids[k]) for k in table["nodule"]]
    # Signed and wide: no count of groups wraps, and a difference of two numbers can be negative.
    whole = dict.fromkeys(("group", "nodule"), "int32") | dict.fromkeys(("member", "side", "turn"), "uint8")
    return table[list(GROUP_COLUMNS)].astype(whole)


def _draw_group(
    stream: np.random.Generator,
    patches: Patches,
    presence: PresenceMap,
    boxes: dict[int, tuple[float, float]],
    settings: Groups,
) -> list[dict] | None:
    """The members of one group, or None when one of them finds no room in `tries` places."""
    size = 1 + stream.choice(settings.size_max, p=size_probabilities(settings.size_mean, settings.size_max))
    members = []
    for nodule in stream.integers(0, len(patches), size):
        turn = int(stream.integers(0, 8))
        side, u, v = presence.draw(settings.tries, stream)
        member = {"nodule": int(nodule), "turn": turn}
        member |= {name: getattr(patches, name)[nodule] for name in ("radius_mm", "reach_mm", "mean_hu")}
        places = ({**member, "side": int(s), "u": a, "v": b} for s, a, b in zip(side, u, v, strict=True))
        free = next((one for one in places if all(_apart(one, other, boxes, settings) for other in members)), None)
        if free is None:
            return None
        members.append(free)
    return members


def _apart(one: dict, other: dict, boxes: dict[int, tuple[float, float]], settings: Groups) -> bool:
    if one["side"] != other["side"]:
        return True
    height, width = boxes[one["side"]]
    distance = np.hypot((one["v"] - other["v"]) * height, (one["u"] - other["u"]) * width)
    lengths = (one["radius_mm"], other["radius_mm"], one["reach_mm"], other["reach_mm"])
    return bool(distance >= apart_mm(*lengths, settings.gap_mm))
