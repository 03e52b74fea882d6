"""Column lineage of a SELECT: which columns of which tables each of its columns is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from xinglin.catalogue.canonical_tables import canonical_table
from xinglin.catalogue.lineage import Edge, Field, How, Layer
from xinglin.kernel.canonical import canonical_digest
from xinglin.lake.current import literal
from xinglin.lake.delta import Lake
from xinglin.lake.errors import LakeError
from xinglin.lake.products import lineage_of
from xinglin.lake.reading import ROWS, read_current


class LineageUnknown(LakeError):
    """A SELECT whose columns cannot be followed."""

    code = "lake.lineage_unknown"


def select_edges(product: str, select: str, tables: Mapping[str, Sequence[str]]) -> tuple[Edge, ...]:
    """Edges of the columns of ``product``, which ``select`` makes of ``tables`` (name to columns).

    Columns that decide which rows there are (WHERE, JOIN, HAVING, GROUP BY) are edges of the column ``*``. Raises
    ``LineageUnknown``.
    """
    import sqlglot
    from sqlglot.errors import SqlglotError
    from sqlglot.optimizer.qualify import qualify

    by = canonical_digest(select)
    schema: dict[str, object] = {name: dict.fromkeys(columns, "VARCHAR") for name, columns in tables.items()}
    try:
        parsed = qualify(
            sqlglot.parse_one(select, dialect="duckdb"), schema=schema, dialect="duckdb", validate_qualify_columns=False
        )
        names = [column.alias_or_name for column in parsed.selects]  # type: ignore[attr-defined]
        edges = [edge for name in names for edge in _column_edges(product, name, parsed, schema, by)]
        edges += _deciding(product, parsed, tables, by)
    except (SqlglotError, ValueError, KeyError, AttributeError) as error:
        raise LineageUnknown(
            f"The columns of {product!r} could not be followed ({type(error).__name__}).",
            remedy="Write the SELECT with plain column names.",
        ) from error
    return tuple(sorted(set(edges)))


def product_edges(lake: Lake, name: str) -> tuple[Edge, ...]:
    """Edges of a product's newest version, by what its commit says it was made of; none where it is no product."""
    made = lineage_of(lake, name)
    if made is None:
        return ()
    tables: dict[str, tuple[str, ...]] = {}
    for source in made.sources:
        columns = tuple(field.name for field in lake.open(source.name).schema().fields)
        tables[source.name] = (*columns, *(("patient_record",) if "patient" in columns else ()))
        tables[ROWS + source.name] = columns
    return select_edges(name, made.select, tables)


def _column_edges(product: str, name: str, parsed: Any, schema: Any, by: str) -> list[Edge]:
    from sqlglot import exp
    from sqlglot.lineage import lineage

    root = lineage(name, parsed.copy(), schema=schema, dialect="duckdb")
    found = []
    for node in root.walk():
        if node.downstream or not isinstance(node.source, exp.Table):
            continue
        how = _how(root, node)
        column = node.name.rpartition(".")[2].strip('"')
        found.append(Edge(Field("product", product, name), _field(node.source.name, column), how, by))
    return found


def _how(root: Any, leaf: Any) -> How:
    """``same`` where every step is a bare column, ``counted`` where one sums rows up, ``made`` otherwise."""
    from sqlglot import exp

    bare = True
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node is leaf or not any(one is leaf for one in node.walk()):
            continue
        inner = node.expression.unalias() if isinstance(node.expression, exp.Expression) else None
        if inner is not None and inner.find(exp.AggFunc):
            return "counted"
        bare = bare and isinstance(inner, exp.Column | exp.Select | exp.Table | type(None))
        waiting += node.downstream
    return "same" if bare else "made"


def _deciding(product: str, parsed: Any, tables: Mapping[str, Sequence[str]], by: str) -> list[Edge]:
    from sqlglot import exp
    from sqlglot.optimizer.scope import traverse_scope

    found = []
    for scope in traverse_scope(parsed):
        for kind in (exp.Where, exp.Join, exp.Having, exp.Group, exp.Qualify):
            for clause in scope.find_all(kind):
                for column in clause.find_all(exp.Column):
                    source = scope.sources.get(column.table)
                    if isinstance(source, exp.Table) and source.name in tables:
                        field = _field(source.name, column.name)
                        found.append(Edge(Field("product", product, "*"), field, "chosen", by))
    return found


def _field(table: str, column: str) -> Field:
    name = table.removeprefix(ROWS)
    layer: Layer = "canonical" if canonical_table(name) is not None else "product"
    return Field(layer, name, column)


class FactVersion(msgspec.Struct, frozen=True):
    """A stored version of a fact, as far as it leads to its source."""

    id: str
    source: str
    message: str
    place: str
    batch: int | None
    recorded_at: int | None

    def __repr__(self) -> str:
        """Without the fact's key."""
        return f"FactVersion({self.message!r}, {self.place!r})"


def versions_of_fact(lake: Lake, table: str, fact: str) -> tuple[FactVersion, ...]:
    """Every stored version of a fact, newest first; none where there is no such fact. Raises ``TableMissing``."""
    snapshot = lake.current([table])
    select = (
        f"SELECT id, coalesce(source, '') AS source, coalesce(message, '') AS message, coalesce(place, '') AS place, "  # noqa: S608
        f"batch, epoch_ms(recorded_at) AS recorded_at, epoch_ms(version_at) AS v "
        f'FROM "{ROWS}{table}" WHERE id = {literal(fact)}'
    )
    with read_current(lake, snapshot) as session:
        rows = session.run(select).to_pylist()
    rows.sort(key=lambda row: (row["v"] or 0, row["recorded_at"] or 0, row["batch"] or 0), reverse=True)
    return tuple(FactVersion(**{name: row[name] for name in FactVersion.__struct_fields__}) for row in rows)
