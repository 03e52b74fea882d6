"""Where a column comes from: edges from the column of a product or a canonical table to the source's own field.

A *field* is a column of a data set: ``product``, ``canonical`` (a table of the lake), ``resource`` (an element of
a FHIR resource), ``segment`` (a field of an HL7 v2 segment) or ``sheet`` (a column of a source's table). Edges are
derived from what runs (views, maps, mappings, SELECTs), never written by hand.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from xinglin.kernel.canonical import canonical_digest
from xinglin.kernel.limits import Limit

Layer = Literal["sheet", "segment", "resource", "canonical", "product"]
How = Literal["same", "made", "counted", "chosen"]

LAYERS: tuple[Layer, ...] = ("sheet", "segment", "resource", "canonical", "product")
"""From the source to what is published, left to right."""

HOW: dict[How, tuple[str, str]] = {
    "same": ("as it is", "原样"),
    "made": ("made of it", "派生"),
    "counted": ("counted over rows", "汇总"),
    "chosen": ("decides which rows", "筛选"),
}

EDGES = Limit("edges of a lineage graph", 100_000, "edges")


class Field(msgspec.Struct, frozen=True, order=True):
    """One column: the layer, the data set in it, and the column's name or path."""

    layer: Layer
    dataset: str
    name: str

    def __str__(self) -> str:
        """``dataset.name``; a segment's field as ``PID-3.1``."""
        return f"{self.dataset}{'-' if self.layer == 'segment' else '.'}{self.name}"


class Edge(msgspec.Struct, frozen=True, order=True):
    """``target`` is made of ``source``. ``by``: what makes it (a view, a map, a mapping, a SELECT's digest)."""

    target: Field
    source: Field
    how: How = "made"
    by: str = ""


class LineageGraph(msgspec.Struct, frozen=True):
    """Edges without repetition, sorted. Version 1; append-only."""

    edges: tuple[Edge, ...]
    format: int = 1

    def sources_of(self, field: Field) -> tuple[Edge, ...]:
        """The edges that lead right into ``field``."""
        return tuple(edge for edge in self.edges if edge.target == field)

    def upstream(self, fields: Iterable[Field]) -> LineageGraph:
        """Everything that ``fields`` come from, however far."""
        return self._closure(fields, "target", "source")

    def downstream(self, fields: Iterable[Field]) -> LineageGraph:
        """Everything that is made of ``fields``, however far: what a change of them would touch."""
        return self._closure(fields, "source", "target")

    def datasets(self) -> tuple[tuple[Layer, str], ...]:
        """Every data set, by layer."""
        found = {(one.layer, one.dataset) for edge in self.edges for one in (edge.target, edge.source)}
        return tuple(sorted(found, key=lambda one: (LAYERS.index(one[0]), one[1])))

    def fields_of(self, layer: Layer, dataset: str) -> tuple[Field, ...]:
        """The fields of one data set that some edge names."""
        every = {one for edge in self.edges for one in (edge.target, edge.source)}
        return tuple(sorted(one for one in every if (one.layer, one.dataset) == (layer, dataset)))

    def digest(self) -> str:
        """``sha256:…`` of the edges."""
        return canonical_digest(msgspec.to_builtins(self))

    def _closure(self, fields: Iterable[Field], near: str, far: str) -> LineageGraph:
        by_end: dict[Field, list[Edge]] = {}
        for edge in self.edges:
            by_end.setdefault(getattr(edge, near), []).append(edge)
        waiting, seen, kept = list(fields), set(), set()
        while waiting:
            field = waiting.pop()
            if field in seen:
                continue
            seen.add(field)
            for edge in by_end.get(field, ()):
                kept.add(edge)
                waiting.append(getattr(edge, far))
        return LineageGraph(tuple(sorted(kept)))


def lineage_graph(edges: Iterable[Edge]) -> LineageGraph:
    """A graph of edges, each once. Raises ``LimitExceeded``."""
    found = tuple(sorted(set(edges)))
    EDGES.check(len(found))
    return LineageGraph(found)
