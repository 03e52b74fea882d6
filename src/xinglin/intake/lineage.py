"""From canonical columns to the source's own fields, out of what runs: views, HL7 v2 maps, mappings.

Elements of resources are named as in JSON, without list positions: ``code.coding.code``, ``onsetDateTime``. Fields
of HL7 v2 are ``3.1`` of ``PID``. What a criterion looks at (``where(system = …)``) is no source of the value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING

import msgspec

from xinglin.catalogue.canonical_tables import canonical_table
from xinglin.catalogue.lineage import Edge, Field, How, LineageGraph, lineage_graph
from xinglin.intake.model import ObjectRow, Source
from xinglin.kernel.instants import Instant
from xinglin.records.v2maps.reader import MEDIA_TYPES
from xinglin.records.views import model as vm

if TYPE_CHECKING:
    from xinglin.lake.lineage import FactVersion
    from xinglin.records.tabular.model import Block, Mapping
    from xinglin.records.tabular.model import Field as MappedField
    from xinglin.records.v2maps.data import Row

_DEPTH = 4
_RESULT = ("value_number", "value_comparator", "value_unit", "value_unit_source", "value_text")
_PASSING = frozenset(
    {"first", "last", "where", "join", "single", "distinct", "toString", "lowBoundary", "highBoundary"}
)


class TracedFact(msgspec.Struct, frozen=True):
    """One version of a fact, traced: the row's batch and feed, the raw object and the place in it, what became of it.

    ``object``: ``None`` where the ledger does not know the message (a correction, an erased object).
    """

    table: str
    id: str
    source: str
    batch: int | None
    recorded_at: Instant | None
    digest: str
    place: str
    object: ObjectRow | None

    def __repr__(self) -> str:
        """Without the fact's key."""
        return f"TracedFact({self.table!r}, {self.digest!r}, {self.place!r})"


def trace(
    table: str, versions: Iterable[FactVersion], find: Callable[[str], ObjectRow | None]
) -> tuple[TracedFact, ...]:
    """Versions of a fact, newest first, with the object that each came from; ``find``: the ledger's, by digest."""
    return tuple(
        TracedFact(table, one.id, one.source, one.batch, one.recorded_at, one.message, one.place, find(one.message))
        for one in versions
    )


def source_graph(sources: Iterable[Source]) -> LineageGraph:
    """Edges of everything that the registered sources can fill."""
    edges: set[Edge] = set()
    for source in sources:
        edges |= set(source_edges(source))
    return lineage_graph(edges)


def source_edges(source: Source) -> tuple[Edge, ...]:
    """Edges of one source: its mapping's where it has one, else the views' and, of HL7 v2, the maps' before them."""
    found = view_edges()
    if source.media_type.partition(";")[0].strip().lower() in MEDIA_TYPES:
        found = (*found, *segment_edges())
    elif source.mapping:
        from xinglin.records.tabular.mapping import parse_mapping

        mapping = parse_mapping(source.mapping)
        if mapping.makes_rows:
            return mapping_edges(mapping)
    allowed = set(source.tables)
    return tuple(
        edge for edge in found if not allowed or edge.target.layer != "canonical" or edge.target.dataset in allowed
    )


# --- views -------------------------------------------------------------------------------------------------------


@cache
def view_edges() -> tuple[Edge, ...]:
    """Edges of the shipped views: columns of canonical tables out of elements of resources."""
    from xinglin.records.views import canonical_views

    edges: set[Edge] = set()
    for resource, views in canonical_views().by_resource.items():
        for view in views:
            definition = view.compiled.view
            for select in definition.selects:
                for column, paths in _of_select(select, ("",)):
                    edges |= _edges_of(view.table, column, resource, paths, f"view {definition.name}")
    return tuple(sorted(edges))


def _edges_of(table: str, column: vm.Column, resource: str, paths: set[str], by: str) -> set[Edge]:
    target = Field("canonical", table, column.name)
    bare = isinstance(column.path, vm.Field) and isinstance(column.path.of, vm.This | vm.Root)
    how: How = "same" if bare and len(paths) == 1 else "made"
    return {Edge(target, Field("resource", resource, path), how, by) for path in paths if path and column.name != "row"}


def _of_select(select: vm.Select, base: tuple[str, ...]) -> Iterator[tuple[vm.Column, set[str]]]:
    around = select.for_each or select.for_each_or_null
    here = tuple(sorted({path for one in base for path in elements(around, one)})) if around is not None else base
    if select.repeat:
        # A repeated path goes down any number of levels: the first level names it.
        here = (*here, *(path for step in select.repeat for one in here for path in elements(step, one)))
    for column in select.columns:
        yield column, {path for one in here for path in elements(column.path, one)}
    for inner in (*select.selects, *select.union):
        yield from _of_select(inner, here)


def elements(node: vm.Node, base: str = "") -> set[str]:
    """The elements that a path takes its value from, as dotted names; ``base``: what the path is about."""
    match node:
        case vm.This():
            return {base}
        case vm.Root():
            return {""}
        case vm.Field(of=of, name=name):
            return {_joined(path, name) for path in elements(of, base)}
        case vm.OfType(of=of, type=kind):
            return {f"{path}{kind[:1].upper()}{kind[1:]}" for path in elements(of, base)}
        case vm.Index(of=of):
            return elements(of, base)
        case vm.Binary(left=left, right=right):
            return elements(left, base) | elements(right, base)
        case vm.Call():
            return _called(node, base)
    return set()


def _called(call: vm.Call, base: str) -> set[str]:
    own = elements(call.of, base)
    if call.name == "getResourceKey":
        return {"id"}
    if call.name == "getReferenceKey":
        return {_joined(path, "reference") for path in own}
    if call.name == "extension":
        return {_joined(path, "extension") for path in own}
    if call.name == "iif":
        return {path for argument in call.arguments[1:] for path in elements(argument, base)}
    return {path for path in own if path}


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


# --- HL7 v2 ------------------------------------------------------------------------------------------------------


@cache
def segment_edges() -> tuple[Edge, ...]:
    """Edges of the HL7 v2 maps: elements of resources out of fields and components of segments."""
    from xinglin.records.v2maps.data import maps

    edges: set[Edge] = set()
    for name, rows in maps().segments.items():
        segment, _, rest = name.partition("[")
        resource = rest.rstrip("]").partition("-")[0]
        for row in rows:
            place = f"{row.at[0]}" + (f".{row.at[1]}" if row.at[1] else "")
            for target, part in _segment_row(row, resource, "", _DEPTH):
                source = Field("segment", segment, f"{place}{part}")
                edges.add(Edge(target, source, "made", f"map {name}"))
    return tuple(sorted(edges))


def _segment_row(row: Row, resource: str, prefix: str, depth: int) -> Iterator[tuple[Field, str]]:
    """Elements that a row fills, each with the component that it is taken from; constants are no source."""
    if row.set is not None:
        return
    path = prefix
    for step in row.path:
        if isinstance(step, str) and step.startswith("@"):
            resource, path = step[1:2].upper() + step[2:], ""
        else:
            path = _joined(path, str(step[0]))
    from xinglin.records.v2maps.data import maps

    inner = maps().datatypes.get(row.by) if row.by else None
    if inner is None or not depth:
        if path:
            yield Field("resource", resource, path), ""
        return
    for each in inner:
        part = f".{each.at[0]}" + (f".{each.at[1]}" if each.at[1] else "")
        for field, deeper in _segment_row(each, resource, path, depth - 1):
            yield field, part + deeper


# --- mappings ----------------------------------------------------------------------------------------------------


def mapping_edges(mapping: Mapping) -> tuple[Edge, ...]:
    """Edges of a mapping: canonical columns, and the columns of its product, out of the sheet's own."""
    by, sheet = f"mapping {mapping.name}", mapping.name
    edges: set[Edge] = set()
    for block in mapping.table:
        for column, sources in _block(block):
            field = block.columns.get(column)
            how: How = "same" if len(sources) == 1 and field is not None and _plain(field) else "made"
            for name in sources:
                for part in _parts(block.into, column):
                    edges.add(Edge(Field("canonical", block.into, part), Field("sheet", sheet, name), how, by))
    product = mapping.product
    if product is not None:
        for name, made in product.columns.items():
            source = Field("sheet", sheet, made.column or name)
            how = "made" if made.levels or made.yes or made.format else "same"
            edges.add(Edge(Field("product", product.name, name), source, how, by))
        for name, template in (("id", product.id), ("patient", product.patient)):
            for used in _named(template):
                edges.add(Edge(Field("product", product.name, name), Field("sheet", sheet, used), "made", by))
    return tuple(sorted(edges))


def _block(block: Block) -> Iterator[tuple[str, tuple[str, ...]]]:
    yield "id", _named(block.id)
    if block.patient:
        yield "patient", _named(block.patient)
    if block.version_at:
        yield "version_at", (block.version_at,)
    for name, field in block.columns.items():
        used = [field.column, *field.first, *_named(field.text), field.unit_column, field.range_column]
        used.append("" if field.words.startswith("=") else field.words)
        plain = [one for one in used if one and not one.startswith("@")]
        # @value and @name stand for the column that the block is at.
        yield name, tuple(dict.fromkeys(plain or [one for one in block.each if any(w.startswith("@") for w in used)]))


def _plain(field: MappedField) -> bool:
    return bool(field.column) and not field.codes and field.factor == 1.0 and not field.yes


def _parts(table: str, column: str) -> tuple[str, ...]:
    """The stored columns that a mapped one fills."""
    if column == "result":
        return _RESULT
    found = canonical_table(table)
    logical = next((one for one in found.columns if one.name == column), None) if found else None
    return tuple(part.name for part in logical.physical()) if logical else (column,)


def _named(template: str) -> tuple[str, ...]:
    from xinglin.records.tabular.mapping import names_in

    return tuple(name for name in names_in(template) if not name.startswith("@"))


def with_products(graph: LineageGraph, edges: Sequence[Edge]) -> LineageGraph:
    """The graph with the edges of products; one graph from what is published to what the source wrote."""
    return lineage_graph((*graph.edges, *edges))
