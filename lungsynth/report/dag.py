"""The workflow as a picture: rules in layers, data flowing down (Sugiyama's method in its simplest form)."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from html import escape
from itertools import pairwise

from lungsynth.report.svg import drawing

Edges = list[tuple[str, str]]
ROW, GAP, CHAR, BOX = 50, 16, 6.9, 28
STRAIGHT = 8.0  # how much more a long edge wants to be straight than a short one


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


def reduce_edges(edges: Edges) -> Edges:
    """The edges without those that a longer path says already, sorted; self-edges are dropped.

    Raises:
        ValueError: the edges go round in a circle.
    """
    below: dict[str, set[str]] = defaultdict(set)
    for start, end in edges:
        if start != end:
            below[start].add(end)
    reach: dict[str, set[str]] = {}
    for node in reversed(topological(edges)):
        reach[node] = set().union(*(reach[child] | {child} for child in below[node])) if below[node] else set()
    return sorted(
        (start, end)
        for start, ends in below.items()
        for end in ends
        if not any(end in reach[other] for other in ends if other != end)
    )


def topological(edges: Edges) -> list[str]:
    """All nodes, each after those it depends on; ties in the order of the alphabet."""
    waiting: dict[str, set[str]] = defaultdict(set)
    for start, end in edges:
        waiting[start] |= set()
        if start != end:
            waiting[end].add(start)
    order: list[str] = []
    while waiting:
        free = sorted(node for node, needs in waiting.items() if not needs)
        if not free:
            raise ValueError(f"the rules depend on each other in a circle: {', '.join(sorted(waiting))}")
        order += free
        for node in free:
            del waiting[node]
        for needs in waiting.values():
            needs.difference_update(free)
    return order


def layers_of(edges: Edges) -> dict[str, int]:
    """Depth of every node: one more than the deepest it depends on; sources lie just above their first user."""
    depth: dict[str, int] = {}
    order = topological(edges)
    for node in order:
        depth[node] = 1 + max((depth[start] for start, end in edges if end == node and start != node), default=-1)
    for node in reversed(order):
        users = [depth[end] for start, end in edges if start == node and end != node]
        if users and not any(end == node and start != node for start, end in edges):
            depth[node] = min(users) - 1
    return depth


def _with_bends(edges: Edges, depth: dict[str, int]) -> tuple[Edges, list[list[str]], dict[tuple[str, str], list[str]]]:
    """Edges cut at every layer they cross: the short edges, the nodes and bends of each layer, each edge's way."""
    rows: list[list[str]] = [[] for _ in range(max(depth.values()) + 1)]
    for node in sorted(depth):
        rows[depth[node]].append(node)
    short, ways = [], {}
    for start, end in edges:
        bends = [f"{start}\t{end}\t{level}" for level in range(depth[start] + 1, depth[end])]
        for bend in bends:
            rows[int(bend.rsplit("\t", 1)[1])].append(bend)
        ways[start, end] = [start, *bends, end]
        short += list(pairwise(ways[start, end]))
    return short, rows, ways


def _ordered(short: Edges, rows: list[list[str]]) -> list[list[str]]:
    """Each layer in the order of its neighbours' mean place, down and up, a few times: fewer crossings."""
    up, down = defaultdict(list), defaultdict(list)
    for start, end in short:
        up[end].append(start)
        down[start].append(end)
    for turn in range(12):
        near = up if turn % 2 == 0 else down
        for row in rows if turn % 2 == 0 else reversed(rows):
            place = {node: at / max(len(line), 1) for line in rows for at, node in enumerate(line)}
            mean = {
                node: sum(place[n] for n in near[node]) / len(near[node]) if near[node] else place[node] for node in row
            }
            row.sort(key=lambda node, mean=mean: (mean[node], node))
    return rows


def _width(node: str) -> float:
    return 8.0 if "\t" in node else CHAR * len(node) + 24


def _places(short: Edges, rows: list[list[str]]) -> dict[str, float]:
    """x of every node's centre: pulled to its neighbours' mean, kept apart from its neighbours in the row."""
    near = defaultdict(list)
    for start, end in short:
        near[start].append(end)
        near[end].append(start)
    x: dict[str, float] = {}
    for row in rows:
        at = -sum(_width(node) + GAP for node in row) / 2
        for node in row:
            x[node] = at + _width(node) / 2
            at += _width(node) + GAP
    weight = {node: [STRAIGHT if "\t" in node and "\t" in n else 1.0 for n in near[node]] for node in x}
    for turn in range(200):
        for row in rows if turn % 2 == 0 else reversed(rows):
            pulls = [max(sum(weight[node]), 1.0) for node in row]
            wanted = [
                sum(w * x[n] for w, n in zip(weight[node], near[node], strict=True)) / pull if near[node] else x[node]
                for node, pull in zip(row, pulls, strict=True)
            ]
            x.update(zip(row, _apart(wanted, pulls, [_width(node) for node in row]), strict=True))
    return x


def _apart(wanted: list[float], pulls: list[float], widths: list[float]) -> list[float]:
    """The places nearest to `wanted` in weighted least squares, in order and without overlap.

    Without the widths it is an isotonic regression, so the widths are taken off first and put back after.
    """
    from scipy.optimize import isotonic_regression

    offsets = [0.0]
    for left, right in pairwise(widths):
        offsets.append(offsets[-1] + (left + right) / 2 + GAP)
    free = isotonic_regression([w - o for w, o in zip(wanted, offsets, strict=True)], weights=pulls).x
    return [float(place + offset) for place, offset in zip(free, offsets, strict=True)]


def rule_graph(edges: Edges, stages: dict[str, str] | None = None) -> str:
    """The rules as an <svg>: boxes coloured by stage, edges that a longer path implies left out.

    Args:
        edges: (rule, rule that reads its output); jobs of one rule are one box.
        stages: rule -> stage, which names the colour (stage-0 .. stage-9 in order of appearance).
    """
    stages = stages or {}
    kept = reduce_edges(edges)
    depth = layers_of(kept)
    short, rows, ways = _with_bends(kept, depth)
    x = _places(short, _ordered(short, rows))
    least = min(x[node] - _width(node) / 2 for node in x) - 6
    width = max(x[node] + _width(node) / 2 for node in x) - least + 6
    order = list(dict.fromkeys(stages.get(node, "") for node in sorted(depth, key=lambda node: (depth[node], node))))
    body = [_curve([(x[n] - least, _top(n, depth)) for n in way]) for way in ways.values()]
    for node in sorted(depth):
        left, top = x[node] - least - _width(node) / 2, _top(node, depth)
        css = f"rule stage-{order.index(stages.get(node, '')) % 10}"
        body.append(
            f'<g class="{css}"><rect x="{left:.1f}" y="{top:.1f}" width="{_width(node):.1f}" height="{BOX}" rx="7"/>'
            f'<text x="{x[node] - least:.1f}" y="{top + 18:.1f}" text-anchor="middle">{escape(node)}</text></g>'
        )
    return drawing(
        width, len(rows) * ROW - ROW + BOX + 12, "".join(body), f"{len(depth)} rules and how they depend", "dag"
    )


def _top(node: str, depth: dict[str, int]) -> float:
    level = int(node.rsplit("\t", 1)[1]) if "\t" in node else depth[node]
    return 6 + level * ROW


def _curve(way: list[tuple[float, float]]) -> str:
    """A smooth line from the bottom of the first box through the bends to the top of the last."""
    x, y = way[0]
    parts = [f"M{x:.1f},{y + BOX:.1f}"]
    y += BOX
    for index, (x2, top) in enumerate(way[1:], 1):
        mid = (y + top) / 2
        parts.append(f"C{x:.1f},{mid:.1f} {x2:.1f},{mid:.1f} {x2:.1f},{top:.1f}")
        if index < len(way) - 1:
            parts.append(f"V{top + BOX:.1f}")
        x, y = x2, top + BOX
    return f'<path class="edge" d="{"".join(parts)}"/>'
