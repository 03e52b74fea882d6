"""What a mapping says, field by field: which columns of the source fill which canonical field, and how."""

from __future__ import annotations

import msgspec

from xinglin.catalogue.canonical_tables import canonical_table
from xinglin.records.tabular.mapping import RESULT, columns_of, names_in, unfold
from xinglin.records.tabular.model import MARKS, VALUE, Block, Field, Mapping


class Filled(msgspec.Struct, frozen=True):
    """One canonical field of one block. ``columns``: of the source; ``const``: what is always written instead.

    ``kind``: of the canonical column (``result``: number, comparator, unit and words together); ``unit``: the unit,
    or the column that has it; ``codes``: the code map.
    """

    field: str
    columns: tuple[str, ...]
    kind: str
    unit: str = ""
    codes: str = ""
    const: str = ""


def filled(mapping: Mapping) -> tuple[Filled, ...]:
    """Every field that a mapping fills, block by block."""
    return tuple(_filled(block, name, field) for block in mapping.table for name, field in block.columns.items())


def read_columns(mapping: Mapping) -> frozenset[str]:
    """The source's columns that anything of a mapping reads.

    >>> from xinglin.records.tabular.mapping import parse_mapping
    >>> read_columns(parse_mapping('version=1\\nname="x"\\n[[table]]\\ninto="patient"\\nid="Patient/{mrn}"'))
    frozenset({'mrn'})
    """
    parts = [*mapping.table, *((mapping.product,) if mapping.product is not None else ())]
    return frozenset(name for part in parts for name in columns_of(mapping, part))


def _filled(block: Block, name: str, field: Field) -> Filled:
    table = canonical_table(block.into)
    known = unfold(table) if table is not None else {}
    used = (field.column, *field.first, *names_in(field.text), "" if field.words.startswith("=") else field.words)
    columns = [one for one in dict.fromkeys(used) if one and one not in MARKS]
    if field.column == VALUE:
        columns = [*block.each, *columns]
    kind = "result" if name == RESULT else known[name].kind if name in known else ""
    const = "" if field.const is None else str(field.const)
    return Filled(f"{block.into}.{name}", tuple(columns), kind, field.unit or field.unit_column, field.codes, const)
