"""Lineage as a picture: columns of boxes from source to product, drawn as SVG by rule, the same bytes every time.

A console shows it as it is; nothing in it runs or loads anything. Every field is a group with an id and a title, so
that a page can make it answer.
"""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

from xinglin.catalogue.lineage import HOW, LAYERS, Edge, Field, LineageGraph
from xinglin.kernel.limits import Limit

PICTURE_FIELDS = Limit("fields of one picture", 2_000, "fields")
LABELS = {
    "sheet": ("source tables", "源表"),
    "segment": ("HL7 v2 segments", "HL7 v2 段"),
    "resource": ("FHIR resources", "FHIR 资源"),
    "canonical": ("canonical tables", "规范表"),
    "product": ("products", "数据产品"),
}
_WIDTH, _GAP, _ROW, _HEAD, _TOP, _SPACE = 260, 120, 20, 26, 56, 18
_SHOWN = 36
_COLOURS = {"same": "#2f6f4f", "made": "#3b6ea5", "counted": "#8a5a00", "chosen": "#8a8a8a"}


def lineage_picture(graph: LineageGraph, language: str = "en") -> str:
    """The SVG of a graph; ``language``: ``en`` or ``zh``. Raises ``LimitExceeded`` for one too large to be read."""
    every = {one for edge in graph.edges for one in (edge.target, edge.source)}
    PICTURE_FIELDS.check(len(every))
    zh = language == "zh"
    places, boxes, height = _placed(graph)
    layers = [layer for layer in LAYERS if any(one.layer == layer for one in every)]
    width = max(1, len(layers)) * (_WIDTH + _GAP) - _GAP + 40
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'font-family="system-ui, sans-serif" font-size="12" role="img" '
        f"aria-label={quoteattr('数据血缘' if zh else 'lineage')}>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    for number, layer in enumerate(layers):
        parts.append(
            f'<text x="{20 + number * (_WIDTH + _GAP)}" y="28" font-size="14" font-weight="600">'
            f"{escape(LABELS[layer][zh])}</text>"
        )
    parts += [_line(places[edge.source], places[edge.target], edge.how, _told(edge, zh)) for edge in graph.edges]
    for (_, dataset), (x, y, rows) in boxes.items():
        parts.append(_box(x, y, rows, dataset))
    parts += [_row(field, *places[field]) for field in sorted(every)]
    return "\n".join([*parts, _legend(height, zh), "</svg>"]) + "\n"


def _placed(
    graph: LineageGraph,
) -> tuple[dict[Field, tuple[int, int]], dict[tuple[str, str], tuple[int, int, int]], int]:
    """Left upper corners of fields and boxes, and the height of it all."""
    places: dict[Field, tuple[int, int]] = {}
    boxes: dict[tuple[str, str], tuple[int, int, int]] = {}
    present = [layer for layer in LAYERS if any(found == layer for found, _ in graph.datasets())]
    lowest = _TOP
    for number, layer in enumerate(present):
        x, y = 20 + number * (_WIDTH + _GAP), _TOP
        for found, dataset in graph.datasets():
            if found != layer:
                continue
            fields = graph.fields_of(layer, dataset)
            boxes[layer, dataset] = (x, y, len(fields))
            for at, field in enumerate(fields):
                places[field] = (x, y + _HEAD + at * _ROW)
            y += _HEAD + len(fields) * _ROW + _SPACE
        lowest = max(lowest, y)
    return places, boxes, lowest + 30


def _line(source: tuple[int, int], target: tuple[int, int], how: str, title: str) -> str:
    x1, y1 = source[0] + _WIDTH, source[1] + _ROW // 2
    x2, y2 = target[0], target[1] + _ROW // 2
    if source[0] >= target[0]:  # within a layer, the line leaves and comes back on the right
        x2 = target[0] + _WIDTH
        bend = x1 + _GAP // 2
        path = f"M{x1} {y1} C{bend} {y1} {bend} {y2} {x2} {y2}"
    else:
        middle = (x1 + x2) // 2
        path = f"M{x1} {y1} C{middle} {y1} {middle} {y2} {x2} {y2}"
    dashes = ' stroke-dasharray="4 3"' if how == "chosen" else ""
    colour = _COLOURS[how]
    return f'<path d="{path}" fill="none" stroke="{colour}" stroke-opacity="0.7"{dashes}><title>{title}</title></path>'


def _told(edge: Edge, zh: bool) -> str:
    by = f" ({edge.by})" if edge.by else ""
    return escape(f"{edge.source} → {edge.target}: {HOW[edge.how][zh]}{by}")


def _box(x: int, y: int, rows: int, dataset: str) -> str:
    height = _HEAD + rows * _ROW
    return (
        f'<g><rect x="{x}" y="{y}" width="{_WIDTH}" height="{height}" rx="6" fill="#f6f8fa" stroke="#c9d1d9"/>'
        f'<text x="{x + 10}" y="{y + 17}" font-weight="600">{escape(_short(dataset))}</text></g>'
    )


def _row(field: Field, x: int, y: int) -> str:
    name = f"{field.layer}:{field}"
    return (
        f"<g id={quoteattr(name)}><title>{escape(str(field))}</title>"
        f'<text x="{x + 18}" y="{y + 14}" fill="#24292f">{escape(_short(field.name))}</text></g>'
    )


def _legend(height: int, zh: bool) -> str:
    parts, x = [], 20
    for how, words in HOW.items():
        dashes = ' stroke-dasharray="4 3"' if how == "chosen" else ""
        parts.append(
            f'<path d="M{x} {height - 14} h24" stroke="{_COLOURS[how]}" stroke-width="2"{dashes}/>'
            f'<text x="{x + 30}" y="{height - 10}" fill="#57606a">{escape(words[zh])}</text>'
        )
        x += 150
    return "".join(parts)


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
