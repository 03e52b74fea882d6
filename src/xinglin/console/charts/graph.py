"""A layered graph, for lineage: nodes in columns by how far they are from a source, few crossings, straight edges.

After Sugiyama, Tagawa and Toda (1981): layers by longest path, then the order of each layer by the middle of its
neighbours, swept to and fro. A cycle is broken at the edge that closes it.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from xinglin.console.charts.drawing import SHEET, Sheet, escaped, fitted, tag, words
from xinglin.console.charts.model import Chart, ChartError, Say, english
from xinglin.kernel.limits import Limit

GRAPH_NODES = Limit("nodes of one graph", 500, "nodes")
_BOX, _GAP, _TALL, _SPACE, _EDGE = 168.0, 64.0, 46.0, 18.0, 6.0
_SWEEPS = 8


class Node(msgspec.Struct, frozen=True):
    """A node: its id, two lines of text, the page that it opens ("" for none), and one of six kinds (0 to 5)."""

    id: str
    label: str
    note: str = ""
    href: str = ""
    kind: int = 0


class Link(msgspec.Struct, frozen=True):
    """An edge from what was there first to what was made of it; ``dashed`` for one that is only said, not proved."""

    source: str
    target: str
    told: str = ""
    dashed: bool = False


def graph(
    title: str, nodes: Sequence[Node], links: Sequence[Link], *, description: str = "", say: Say = english
) -> Chart:
    """The graph from left to right; each node with a page is a link to it.

    Raises ``ChartError`` for an edge to a node that is not there, for two nodes of one id, or for a page that is
    neither a path of this console nor https.
    """
    _ = say
    GRAPH_NODES.check(len(nodes))
    _checked(nodes, links)
    names = {node.id: node.label for node in nodes}
    rows = tuple((names[link.source], names[link.target], link.told) for link in links)
    told = description or _(
        "Nodes: %(nodes)s, edges: %(links)s, from left to right.", nodes=len(nodes), links=len(links)
    )
    sheet = Sheet(title, told, (_("From"), _("To"), _("How")), rows)
    if not nodes:
        return sheet.empty(_("There is nothing to show yet."))
    layers = layered([node.id for node in nodes], [(link.source, link.target) for link in links])
    most = max(map(len, layers))
    sheet.width = max(SHEET, len(layers) * (_BOX + _GAP) - _GAP + 2 * _EDGE)
    sheet.height = most * (_TALL + _SPACE) - _SPACE + 2 * _EDGE
    places: dict[str, tuple[float, float]] = {}
    for number, layer in enumerate(layers):
        top = _EDGE + (most - len(layer)) * (_TALL + _SPACE) / 2
        for at, name in enumerate(layer):
            places[name] = (_EDGE + number * (_BOX + _GAP), top + at * (_TALL + _SPACE))
    sheet.add(*(_edge(places[link.source], places[link.target], link) for link in links))
    sheet.add(*(_node(node, *places[node.id]) for node in nodes))
    return sheet.done(kind="graph", links=True, own_width=True)


def layered(names: Sequence[str], edges: Sequence[tuple[str, str]]) -> list[list[str]]:
    """The names in layers: a target is right of its sources, and each layer is in the order that crosses least."""
    forward = _acyclic(names, edges)
    depth = dict.fromkeys(names, 0)
    for name in _sorted(names, forward):
        for target in forward[name]:
            depth[target] = max(depth[target], depth[name] + 1)
    layers: list[list[str]] = [[] for _ in range(max(depth.values(), default=0) + 1)]
    for name in names:
        layers[depth[name]].append(name)
    near: dict[str, list[str]] = {name: [] for name in names}
    for source, targets in forward.items():
        for target in targets:
            near[source].append(target)
            near[target].append(source)
    for sweep in range(_SWEEPS):
        order = range(1, len(layers)) if sweep % 2 == 0 else range(len(layers) - 2, -1, -1)
        for number in order:
            beside = layers[number - 1] if sweep % 2 == 0 else layers[number + 1]
            _swept(layers[number], beside, near)
    return layers


def _swept(layer: list[str], beside: list[str], near: dict[str, list[str]]) -> None:
    """Order a layer by the middle of each node's neighbours in the layer beside it."""
    place = {name: at for at, name in enumerate(beside)}
    own = {name: at * max(1, len(beside)) / max(1, len(layer)) for at, name in enumerate(layer)}

    def middle(name: str) -> float:
        found = [place[one] for one in near[name] if one in place]
        return sum(found) / len(found) if found else own[name]

    layer.sort(key=middle)


def _acyclic(names: Sequence[str], edges: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    """Targets by source, without the edges that would close a cycle."""
    every: dict[str, list[str]] = {name: [] for name in names}
    for source, target in edges:
        if target not in every[source] and source != target:
            every[source].append(target)
    kept: dict[str, list[str]] = {name: [] for name in names}
    state: dict[str, int] = {}
    for first in names:
        if first in state:
            continue
        state[first] = 1
        path = [(first, iter(every[first]))]
        while path:
            name, rest = path[-1]
            target = next(rest, "")
            if not target:
                state[name] = 2
                path.pop()
                continue
            if state.get(target) != 1:
                kept[name].append(target)
            if target not in state:
                state[target] = 1
                path.append((target, iter(every[target])))
    return kept


def _sorted(names: Sequence[str], forward: dict[str, list[str]]) -> list[str]:
    """Sources before targets (Kahn)."""
    waits = dict.fromkeys(names, 0)
    for targets in forward.values():
        for target in targets:
            waits[target] += 1
    ready = [name for name in names if not waits[name]]
    for name in ready:
        for target in forward[name]:
            waits[target] -= 1
            if not waits[target]:
                ready.append(target)
    return ready


def _checked(nodes: Sequence[Node], links: Sequence[Link]) -> None:
    known = {node.id for node in nodes}
    if len(known) != len(nodes) or any(link.source not in known or link.target not in known for link in links):
        raise ChartError("The edges do not fit the nodes.", remedy="Give every node once, and edges between them.")
    for node in nodes:
        local = node.href.startswith("/") and not node.href.startswith(("//", "/\\"))
        if node.href and not local and not node.href.startswith("https://"):
            raise ChartError("A node leads somewhere else.", remedy="Give a path of this console, or an https address.")


def _edge(source: tuple[float, float], target: tuple[float, float], link: Link) -> str:
    x1, y1, x2, y2 = source[0] + _BOX, source[1] + _TALL / 2, target[0], target[1] + _TALL / 2
    told = tag("title", escaped(link.told)) if link.told else ""
    line = tag(
        "path",
        d=f"M{x1:.1f} {y1:.1f}L{x2 - 7:.1f} {y2:.1f}",
        class_="edge",
        stroke_dasharray="4 3" if link.dashed else None,
    )
    return tag("g", told, line, tag("path", d=f"M{x2:.1f} {y2:.1f}l-8 -4v8z", class_="mark"))


def _node(node: Node, x: float, y: float) -> str:
    drawn = tag("rect", x=x, y=y, width=_BOX, height=_TALL, rx=6, class_="node")
    drawn += tag("rect", x=x, y=y + 4, width=4, height=_TALL - 8, rx=2, class_=f"c{node.kind % 6 + 1} fill")
    drawn += words(x + 12, y + (19 if node.note else 28), fitted(node.label, _BOX - 20), "label strong")
    if node.note:
        drawn += words(x + 12, y + 36, fitted(node.note, _BOX - 20, 11), "tick")
    told = tag("title", escaped(f"{node.label} {node.note}".strip()))
    if not node.href:
        return tag("g", told, drawn)
    # Named by what is seen, so that who speaks to the page says what they read; the title has all of it.
    return tag("a", told, drawn, href=node.href, class_="node-link")
