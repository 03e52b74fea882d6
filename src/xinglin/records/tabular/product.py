"""A product: the source's own columns as one wide, typed table with the lake's columns in front."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from xinglin.kernel.instants import Instant
from xinglin.records.model import Mapped
from xinglin.records.tabular.dates import to_date, to_time
from xinglin.records.tabular.fields import Filled, offset_of, without
from xinglin.records.tabular.model import SYSTEM, Mapping, Product, ProductColumn
from xinglin.records.tabular.rows import Look, converted
from xinglin.records.tabular.values import to_boolean, to_integer, to_number
from xinglin.records.tabular.vectors import Vector

if TYPE_CHECKING:
    import pyarrow as pa

PersonSplit = tuple[str, Vector]
UNLISTED = "unlisted_level"


class ProductSchema(msgspec.Struct, frozen=True):
    """The stored columns of a product in order: name and kind; the patient's key is ``patient``."""

    name: str
    columns: tuple[tuple[str, str], ...]
    patient_key: str = "patient"


def product_schema(mapping: Mapping) -> ProductSchema | None:
    """The schema of the mapping's product, or ``None`` where it has none."""
    product = mapping.product
    if product is None:
        return None
    return ProductSchema(product.name, tuple((name, column.kind) for name, column in product.columns.items()))


def product_fields(product: Product, look: Look) -> Iterator[Filled]:
    """The product's columns for the rows that ``look`` shows."""
    for name, column in product.columns.items():
        raw = without(look(column.column or name), column.null)
        values, flags = converted(raw, partial(_value, column))
        yield name, values, flags


def _value(column: ProductColumn, text: str) -> tuple[Any, str]:
    formats = (column.format,) if isinstance(column.format, str) and column.format else tuple(column.format)
    match column.kind:
        case "number":
            return to_number(text)
        case "integer":
            return to_integer(text)
        case "boolean":
            return to_boolean(text, column.yes, column.no)
        case "date":
            return to_date(text, formats)
        case "instant":
            return _instant(text, formats, column.zone)
        case "category":
            if column.levels and column.role == "data" and text not in column.levels:
                return column.other or None, "" if column.other else UNLISTED
            return text, ""
        case _:
            return text, ""


def _instant(text: str, formats: tuple[str, ...], zone: str) -> tuple[str | None, str]:
    found, flag = to_time(text, formats)
    if found is None or "T" not in found or found[-1] == "Z" or found[-6] in "+-" or not zone:
        return found, flag
    return found + offset_of(found, zone), flag


def arrow_types(schema: ProductSchema) -> pa.Schema:
    """The Arrow schema of the product's table: the lake's columns, then its own."""
    import pyarrow as pa

    kinds = {
        "number": pa.float64(),
        "integer": pa.int64(),
        "boolean": pa.bool_(),
        "date": pa.date32(),
        "instant": pa.timestamp("us", "UTC"),  # whole milliseconds; Delta stores microseconds
    }
    return pa.schema([pa.field(name, kinds.get(kind, pa.string())) for name, kind in (*SYSTEM, *schema.columns)])


def product_arrow(mapped: Mapped, schema: ProductSchema, system: dict[str, Any], zone: str = "+08:00") -> pa.Table:
    """Typed rows of a product.

    ``system``: the batch's values of ``recorded_at`` (milliseconds), ``batch``, ``source``, ``message``. ``zone``: of
    times that have none. Columns that ``mapped`` lacks are NULL.
    """
    import pyarrow as pa

    given = dict(zip(mapped.columns, zip(*mapped.rows, strict=True), strict=True)) if mapped.rows else {}
    arrays = []
    for field in (types := arrow_types(schema)):
        values = list(given.get(field.name) or [system.get(field.name)] * len(mapped.rows))
        if pa.types.is_date32(field.type):
            values = [_day(value) for value in values]
        elif pa.types.is_timestamp(field.type):
            found = [_milliseconds(value, zone) for value in values]
            values = [value * 1000 if value is not None else None for value in found]
        arrays.append(pa.array(values, field.type))
    return pa.Table.from_arrays(arrays, schema=types)


def _day(text: str | None) -> date | None:
    """The first day that is meant."""
    return date.fromisoformat((text + "-01-01")[:10]) if text else None


def _milliseconds(value: str | Instant | None, zone: str) -> Instant | None:
    if value is None or isinstance(value, int):
        return value
    full = value if "T" in value else f"{(value + '-01-01')[:10]}T00:00:00"
    if full[-1] != "Z" and full[-6] not in "+-":
        full += offset_of(full, zone)
    return round(datetime.fromisoformat(full).astimezone(UTC).timestamp() * 1000)
