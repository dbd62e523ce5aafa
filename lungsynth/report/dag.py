"""The workflow as a picture: which rule reads what which rule made, laid out by Graphviz."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import networkx as nx
import pygraphviz

Edges = list[tuple[str, str]]
CHAR, BOX, MARGIN = 6.9, 28, 6
POINTS = 72
"""To the inch: Graphviz takes sizes in inches and gives places in points, which are the page's px here."""


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
    """The rules as boxes that lie below what they read, with as few crossings as Graphviz finds.

    The same edges in any order give the same places; fonts of the machine play no part, as boxes have fixed sizes.

    Args:
        edges: (rule, rule that reads its output); jobs of one rule are one box.
        stages: rule -> stage; in the drawing the stages come in the order in which data flow.
    """
    graph = reduced(edges)
    laid = _laid_out(graph)
    width, height = map(float, laid.graph_attr["bb"].split(",")[2:])
    start = max(graph, key=lambda rule: (float(laid.get_node(rule).attr["pos"].split(",")[1]), rule))
    mirrored = float(laid.get_node(start).attr["pos"].split(",")[0]) > width / 2

    def place(words: str) -> tuple[float, float]:
        """Graphviz counts from the lower left corner; mirrored, a narrow window shows where the data begin."""
        x, y = map(float, words.split(","))
        return (width - x if mirrored else x) + MARGIN, height - y + MARGIN

    boxes = [
        Box(rule, stages.get(rule, ""), *place(laid.get_node(rule).attr["pos"]), CHAR * len(rule) + 24)
        for rule in sorted(graph)
    ]
    boxes.sort(key=lambda box: (box.y, box.x))
    lines = [
        _path([place(point) for point in laid.get_edge(*edge).attr["pos"].split()]) for edge in sorted(graph.edges)
    ]
    order = list(dict.fromkeys(box.stage for box in boxes))
    return Drawing(width + 2 * MARGIN, height + 2 * MARGIN, boxes, lines, order)


def _laid_out(graph: nx.DiGraph) -> pygraphviz.AGraph:
    """The graph with Graphviz's places of its boxes and the control points of its lines."""
    laid = pygraphviz.AGraph(directed=True, nodesep=0.22, ranksep=0.3)
    for rule in sorted(graph):
        size = {"width": (CHAR * len(rule) + 24) / POINTS, "height": BOX / POINTS}
        laid.add_node(rule, label="", shape="box", fixedsize=True, **size)
    laid.add_edges_from(sorted(graph.edges), arrowhead="none")
    laid.layout("dot")
    return laid


def _path(points: list[tuple[float, float]]) -> str:
    """A chain of Bezier curves: the first point, then three for each curve."""
    return "M{:.1f},{:.1f}C".format(*points[0]) + " ".join(f"{x:.1f},{y:.1f}" for x, y in points[1:])
