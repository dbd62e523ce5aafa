"""The workflow as a picture: which rule reads what which rule made, laid out by igraph."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import igraph
import networkx as nx

Edges = list[tuple[str, str]]
CHAR, BOX, ROW, GAP, MARGIN = 6.9, 28, 50, 16, 6
"""px: width of a letter, height of a box, from row to row, between boxes, round the picture."""


def edges_from(records: Sequence[Mapping], targets: Sequence[str]) -> tuple[Edges, dict[str, str]]:
    """The rules behind `targets` and how they depend, from the records that jobs leave.

    Args:
        records: one a job: rule, inputs (paths; a folder stands for what is in it), outputs (paths).
        targets: files whose makers, and all that these stand on, are wanted; other jobs are left out.

    Returns:
        Edges between rules, and the stage of each rule: the folder in results/STUDY that it writes to.
    """
    maker = {path: index for index, record in enumerate(records) for path in record["outputs"]}
    folders = {}
    for path, index in maker.items():
        while (path := path.rpartition("/")[0]) and path not in folders:
            folders[path] = index
    edges, stages, seen = set(), {}, set()
    waiting = [(None, path) for path in targets]
    while waiting:
        user, path = waiting.pop()
        index = maker.get(path, folders.get(path))
        if index is None:
            continue
        rule = records[index]["rule"]
        edges |= {(rule, user)} if user not in (None, rule) else set()
        if index not in seen:
            seen.add(index)
            first = min(records[index]["outputs"]).split("/")
            stages[rule] = first[2] if len(first) > 3 else ""
            waiting += [(rule, one) for one in records[index]["inputs"]]
    return sorted(edges), stages


@dataclass(frozen=True)
class Box:
    """A rule: name, stage, centre in px and width."""

    rule: str
    stage: str
    x: float
    y: float
    width: float


@dataclass(frozen=True)
class Drawing:
    """Boxes and lines in px of a picture of `width` x `height`; a line is the `d` of an SVG path."""

    width: float
    height: float
    boxes: list[Box]
    lines: list[str]
    stages: list[str]
    box: int = BOX


def reduced(edges: Edges) -> nx.DiGraph:
    """The rules without the edges that a longer path says already; edges of a rule to itself are dropped.

    Raises:
        ValueError: the rules go round in a circle.
    """
    graph = nx.DiGraph(sorted((start, end) for start, end in edges if start != end))
    if not nx.is_directed_acyclic_graph(graph):
        circle = sorted({rule for edge in nx.find_cycle(graph) for rule in edge[:2]})
        raise ValueError(f"the rules depend on each other in a circle: {', '.join(circle)}")
    return nx.transitive_reduction(graph)


def rule_graph(edges: Edges, stages: Mapping[str, str]) -> Drawing:
    """The rules as boxes that lie below what they read, with few crossings (igraph's layout of Sugiyama 1981).

    The same edges in any order give the same places.

    Args:
        edges: (rule, rule that reads its output); jobs of one rule are one box.
        stages: rule -> stage; in the drawing the stages come in the order in which data flow.
    """
    graph = reduced(edges)
    rules, lines = sorted(graph), sorted(graph.edges)
    number = {rule: index for index, rule in enumerate(rules)}
    network = igraph.Graph(len(rules), [(number[start], number[end]) for start, end in lines], directed=True)
    layout = network.layout_sugiyama(vgap=ROW, maxiter=1000)
    widths = [CHAR * len(rule) + 24 for rule in rules]
    bends = [(tuple(point), 0.0) for way in layout.edge_routing for point in way]
    items = [*zip(layout.coords, widths, strict=True), *bends]
    spread = _spread(items)
    left = min(x * spread - width / 2 for (x, _), width in items) - MARGIN

    def place(x: float, y: float) -> tuple[float, float]:
        return x * spread - left, y + BOX / 2 + MARGIN

    boxes = [
        Box(rule, stages.get(rule, ""), *place(*at), width)
        for rule, at, width in zip(rules, layout.coords, widths, strict=True)
    ]
    boxes.sort(key=lambda box: (box.y, box.x))
    ways = [
        [layout[number[start]], *between, layout[number[end]]]
        for (start, end), between in zip(lines, layout.edge_routing, strict=True)
    ]
    paths = [_path([place(*point) for point in way]) for way in ways]
    right = max(x * spread + width / 2 for (x, _), width in items) - left
    order = list(dict.fromkeys(box.stage for box in boxes))
    return Drawing(right + MARGIN, boxes[-1].y + BOX / 2 + MARGIN, boxes, paths, order)


def _spread(items: list[tuple[tuple[float, float], float]]) -> float:
    """px for a unit of x, so that no box comes nearer than GAP to what is beside it in its row.

    Args:
        items: ((x, y), width in px) of boxes and bends; igraph takes all of them for points.
    """
    rows: dict[float, list[tuple[float, float]]] = defaultdict(list)
    for (x, y), width in items:
        rows[y].append((x, width))
    beside = [pair for row in rows.values() for pair in pairwise(sorted(row))]
    return max((((wide + broad) / 2 + GAP) / (x - at) for (at, wide), (x, broad) in beside), default=1.0)


def _path(way: list[tuple[float, float]]) -> str:
    """A smooth line from the lower edge of the first box through the bends to the upper edge of the last."""
    parts = [f"M{way[0][0]:.1f},{way[0][1] + BOX / 2:.1f}"]
    for (x, y), (to_x, to_y) in pairwise(way):
        start, end = y + BOX / 2, to_y - BOX / 2
        middle = (start + end) / 2
        parts.append(f"V{start:.1f}C{x:.1f},{middle:.1f} {to_x:.1f},{middle:.1f} {to_x:.1f},{end:.1f}")
    return "".join(parts)
