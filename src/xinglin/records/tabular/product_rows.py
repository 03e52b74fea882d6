"""Rows of a product out of many objects, as one Arrow table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from xinglin.kernel.instants import Instant
from xinglin.records.model import Mapped, Turned
from xinglin.records.shape import FromWhere
from xinglin.records.tabular.product import ProductSchema, product_arrow


def product_parts(
    table: str, parts: Sequence[tuple[Mapped | Turned, FromWhere]], batch: int, recorded_at: Instant
) -> Any:
    """As ``records.shape.shape_parts``, of a product, whose mapping says what its columns hold."""
    import pyarrow as pa

    rows = [(part.mapped() if isinstance(part, Turned) else part, origin) for part, origin in parts]
    return pa.concat_tables([_one(table, mapped, origin, batch, recorded_at) for mapped, origin in rows])


def _one(table: str, mapped: Mapped, origin: FromWhere, batch: int, recorded_at: Instant) -> Any:
    system = {"recorded_at": recorded_at, "batch": batch, "source": origin.source, "message": origin.message}
    if origin.namespace:
        keys = [name in ("id", "patient") for name in mapped.columns]
        start = f"{origin.namespace}/"
        own = [
            tuple(start + value if key and value else value for key, value in zip(keys, row, strict=True))
            for row in mapped.rows
        ]
        mapped = msgspec.structs.replace(mapped, rows=own)
    return product_arrow(mapped, ProductSchema(table, mapped.kinds), system, origin.zone)
