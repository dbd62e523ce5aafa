"""Arteries, veins and bronchi of the lungs: trees grown by Prim's algorithm from the hilum to points in the lung."""

from dataclasses import dataclass

import numpy as np

from lungsynth.cohort.phantom.frame import Frame
from lungsynth.cohort.phantom.grid import COARSE_PX, FAR_MM
from lungsynth.cohort.phantom.lungs import Lungs
from lungsynth.cohort.phantom.mediastinum import Airways
from lungsynth.cohort.phantom.tubes import add_capsule, add_thin

CROSSING_MM = 35.0
"""What an edge across a fissure costs, away from the hilum."""
THIN_MM = 1.15
"""Below this radius a vessel is laid as volume along its axis."""
BRONCHUS_FROM_MM = 1.45
"""Arteries from this radius on are accompanied by a bronchus."""


@dataclass(frozen=True)
class Tree:
    """Nodes (n, 3) in mm, the parent of each (the root's is -1) and the radius in mm."""

    points: np.ndarray
    parent: np.ndarray
    radius: np.ndarray


@dataclass
class Vessels:
    """On the scan's grid: share of thin vessels, distances to thick vessels, bronchial walls and lumens."""

    thin: np.ndarray
    thick: np.ndarray
    wall: np.ndarray
    lumen: np.ndarray
    trees: list[Tree]


@dataclass(frozen=True)
class Habit:
    """How a kind of tree grows: points, radius of a leaf (mm), exponent of the radii, path weight, cap (mm)."""

    points: int
    leaf_mm: float
    exponent: float
    path_weight: float
    cap_mm: float


ARTERIES = Habit(1950, 0.455, 2.36, 0.42, 8.4)
VEINS = Habit(1250, 0.465, 2.42, 0.36, 7.2)


# --------------------------------------------------------------------- growth


def prim(root: np.ndarray, points: np.ndarray, lobe: np.ndarray, path_weight: float) -> tuple[np.ndarray, np.ndarray]:
    """Joins `points` (n, 3) to `root`: nodes (n + 1, 3), and their parents.

    Prim's algorithm with the cost of an edge = its length + `path_weight` x the parent's path length to the root, and
    a penalty where it crosses into another lobe. The parent of a node stands before it in the order of growth only.
    """
    nodes = np.vstack([root, points]).astype(np.float32)
    lobe = np.r_[-1, lobe]
    n = len(nodes)
    parent, best_parent, path = np.full(n, -1), np.zeros(n, int), np.zeros(n, np.float32)
    from_root = np.sqrt(((nodes - nodes[0]) ** 2).sum(1))
    best, edge, free = from_root.copy(), from_root.copy(), np.ones(n, bool)
    best[0], free[0] = np.inf, False
    away = np.where(from_root > 30, np.float32(CROSSING_MM), np.float32(0))
    for _ in range(n - 1):
        node = int(best.argmin())
        parent[node] = best_parent[node]
        path[node] = path[parent[node]] + edge[node]
        best[node], free[node] = np.inf, False
        length = np.sqrt(((nodes - nodes[node]) ** 2).sum(1))
        cost = length + np.float32(path_weight) * path[node] + away * (lobe != lobe[node])
        nearer = free & (cost < best)
        best[nearer], best_parent[nearer], edge[nearer] = cost[nearer], node, length[nearer]
    return nodes, parent


def _from_root(parent: np.ndarray) -> list[int]:
    """Nodes in an order in which each parent stands before its children."""
    children: list[list[int]] = [[] for _ in parent]
    for node in range(1, len(parent)):
        children[parent[node]].append(node)
    order, todo = [], [0]
    while todo:
        node = todo.pop()
        order.append(node)
        todo.extend(children[node])
    return order


def tree_radii(parent: np.ndarray, leaf_mm: float, exponent: float) -> np.ndarray:
    """Radii under Murray's law with a free exponent: r^g of a node is the sum over its children."""
    leaves = np.bincount(parent[1:], minlength=len(parent)) == 0
    power = np.where(leaves, leaf_mm**exponent, 0.0)
    for node in reversed(_from_root(parent)):
        if parent[node] >= 0:
            power[parent[node]] += power[node]
    return power ** (1 / exponent)


def _smooth(points: np.ndarray, parent: np.ndarray, times: int = 3) -> np.ndarray:
    """Moves inner nodes towards the middle of parent and children, so that vessels bend gently."""
    n = len(points)
    count = np.bincount(parent[1:], minlength=n)
    inner = count > 0
    inner[0] = False
    points = points.copy()
    for _ in range(times):
        total = np.stack([np.bincount(parent[1:], points[1:, a], minlength=n) for a in range(3)], 1)
        children = total[inner] / count[inner][:, None]
        points[inner] = 0.40 * points[inner] + 0.35 * points[parent[inner]] + 0.25 * children
    return points


def _scatter(frame: Frame, rng: np.random.Generator, room: np.ndarray, count: int) -> tuple[np.ndarray, tuple]:
    """Up to `count` points drawn uniformly from the coarse voxels `room`, and the voxels that hold them.

    They are drawn by rejection, so that a voxel which another machine rounds otherwise moves no other point.
    """
    grid = frame.grid
    draws = rng.uniform(0, 1, (40 * count, 3)) * grid.coarse_shape
    draws = draws[room[tuple(draws.astype(int).T)]][:count]
    in_plane = (draws[:, :0:-1] - COARSE_PX / 2) * grid.coarse_mm
    points = np.column_stack([in_plane, (draws[:, 0] - 0.5) * grid.slice_mm])
    return points, tuple(draws.astype(int).T)


def _grow(frame: Frame, rng, lungs: Lungs, room: np.ndarray, root: np.ndarray, habit: Habit, share: float) -> Tree:
    """A tree of one lung, to points drawn uniformly from the coarse voxels `room`."""
    points, voxels = _scatter(frame, rng, room, int(habit.points * share))
    nodes, parent = prim(root, points, lungs.lobe[voxels], habit.path_weight)
    radius = tree_radii(parent, habit.leaf_mm, habit.exponent) * rng.uniform(0.95, 1.08)
    return Tree(_smooth(nodes, parent), parent, np.minimum(radius, habit.cap_mm))


# --------------------------------------------------------------------- laying


def make_vessels(frame: Frame, rng: np.random.Generator, lungs: Lungs, airways: Airways) -> Vessels:
    """Grows and lays arteries with bronchi, and veins, in both lungs."""
    grid = frame.grid
    vessels = Vessels(grid.full(0), grid.full(FAR_MM), grid.full(FAR_MM), grid.full(FAR_MM), [])
    vein_y, vein_z = frame.at(frame.centre_y, 0.42) + 10, frame.height(0.44)
    # the number of vessels grows with the lung, their spacing does not
    volume = frame.who.size**3
    for side, hilum, share in ((-1, airways.right_hilum, 1.0), (1, airways.left_hilum, 0.9)):
        room = (lungs.distance < -3.5) & (frame.from_septum * side > 0)
        atrium = np.array([side * 38.0, vein_y, vein_z])
        for habit, root in ((ARTERIES, hilum), (VEINS, atrium)):
            tree = _grow(frame, rng, lungs, room, frame.warp(root[None])[0], habit, share * volume)
            vessels.trees.append(tree)
            _lay(frame, rng, vessels, tree)
            if habit is ARTERIES:
                _lay_bronchi(frame, vessels, tree, side)
    return vessels


def _lay(frame: Frame, rng: np.random.Generator, vessels: Vessels, tree: Tree) -> None:
    """Lays each edge as two pieces, bent a little at the middle."""
    start, end = tree.points[tree.parent[1:]], tree.points[1:]
    last = tree.radius[1:]
    first = np.minimum(tree.radius[tree.parent[1:]], last * 1.25)
    length = np.sqrt(((end - start) ** 2).sum(1))
    bend = (start + end) / 2 + rng.normal(0, 0.06, start.shape) * length[:, None]
    half = (first + last) / 2
    thin = last < THIN_MM
    add_thin(
        vessels.thin, frame.grid,
        np.vstack([start[thin], bend[thin]]), np.vstack([bend[thin], end[thin]]),
        np.r_[first[thin], half[thin]], np.r_[half[thin], last[thin]],
    )  # fmt: skip
    for k in np.flatnonzero(~thin):
        add_capsule(vessels.thick, frame.grid, start[k], bend[k], (first[k], half[k]), margin=1.6)
        add_capsule(vessels.thick, frame.grid, bend[k], end[k], (half[k], last[k]), margin=1.6)


def _lay_bronchi(frame: Frame, vessels: Vessels, tree: Tree, side: int) -> None:
    """A bronchus beside each large artery: lumen .82 of the artery, wall .35 mm + .2 of the lumen's radius."""
    beside = np.array([side * -0.25, 0.55, -0.6])
    beside /= np.sqrt((beside**2).sum())
    for node in np.flatnonzero(tree.radius > BRONCHUS_FROM_MM):
        parent = tree.parent[node]
        if parent < 0:
            continue
        artery = min(tree.radius[parent], tree.radius[node] * 1.25), tree.radius[node]
        lumen = 0.82 * artery[0], 0.82 * artery[1]
        outer = tuple(r + 0.35 + 0.2 * r for r in lumen)
        start = tree.points[parent] + beside * (artery[0] + outer[0]) * 0.90
        end = tree.points[node] + beside * (artery[1] + outer[1]) * 0.95
        add_capsule(vessels.wall, frame.grid, start, end, outer, margin=1.6)
        add_capsule(vessels.lumen, frame.grid, start, end, lumen, margin=1.6)
