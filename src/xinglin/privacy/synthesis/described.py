"""A schema out of the catalogue: what is published of a table is all that a synthesis may know beforehand."""

from __future__ import annotations

from collections.abc import Sequence

from xinglin.catalogue.model import ColumnDescription, TableDescription
from xinglin.privacy.synthesis.errors import BadSchema
from xinglin.privacy.synthesis.schema import Column, Rule, Schema

SYNTHESISED = ("number", "integer", "category", "boolean", "date")
"""Kinds that are modelled; instants and free texts are left out."""
BINS = 24


def schema_of(
    described: TableDescription | Sequence[ColumnDescription],
    *,
    days: tuple[int, int],
    bins: int = BINS,
    rules: tuple[Rule, ...] = (),
) -> Schema:
    """The schema of a described table: its columns of role ``data``, of a kind that is modelled; each may lack values.

    ``days``: the range of dates, in days since 1970, agreed without the data, since none is published. ``bins``: at
    most so many for a number. Raises ``BadSchema`` where nothing is left, or a range or levels lack.
    """
    columns = described.columns if isinstance(described, TableDescription) else described
    return Schema(tuple(_column(one, days, bins) for one in columns if _modelled(one)), rules)


def _modelled(column: ColumnDescription) -> bool:
    return column.role == "data" and column.kind in SYNTHESISED


def _column(one: ColumnDescription, days: tuple[int, int], bins: int) -> Column:
    if one.kind == "category":
        return Column(one.name, levels=one.levels)
    if one.kind == "boolean":
        return Column(one.name, "boolean")
    if one.kind == "date":
        return Column(one.name, "date", low=days[0], high=days[1], bins=bins)
    if one.low is None or one.high is None:
        raise BadSchema(f"{one.name!r} has no published range.", remedy="Describe the column anew.")
    low, high = one.low, one.high
    if one.kind == "integer":
        low, high = float(int(low // 1)), float(-int(-high // 1))
    return Column(one.name, one.kind, low=low, high=high if high > low else low + 1, bins=bins)
