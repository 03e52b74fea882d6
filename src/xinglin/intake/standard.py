"""The steps that every node has: the readers of the records, the shipped views, and shape."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from xinglin.catalogue.canonical_tables import canonical_table
from xinglin.intake.preparing import Origin, Steps
from xinglin.kernel.instants import Instant
from xinglin.records.fhir import FhirReader
from xinglin.records.model import Mapped, Reader
from xinglin.records.shape import shape_parts
from xinglin.records.tabular import TabularReader
from xinglin.records.tabular.product import ProductSchema, product_arrow
from xinglin.records.v2maps import Hl7v2Reader
from xinglin.records.views import map_resources

if TYPE_CHECKING:
    import pyarrow as pa


def standard_steps() -> Steps:
    """Readers that check what they read; terminology is not configured."""
    return Steps(by_media_type(standard_readers()), map_resources, shape_rows)


def shape_rows(table: str, rows: Sequence[tuple[Mapped, Origin]], batch: int, recorded_at: Instant) -> Any:
    """Arrow rows of a canonical table, or of a product, whose mapping says what its columns hold."""
    if canonical_table(table) is not None:
        return shape_parts(table, rows, batch, recorded_at)
    import pyarrow as pa

    return pa.concat_tables([_product(table, mapped, origin, batch, recorded_at) for mapped, origin in rows])


def _product(table: str, mapped: Mapped, origin: Origin, batch: int, recorded_at: Instant) -> pa.Table:
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


def standard_readers() -> tuple[Reader, ...]:
    """One of each kind."""
    return (FhirReader(), Hl7v2Reader(), TabularReader())


def by_media_type(readers: Iterable[Reader]) -> dict[str, Reader]:
    """Readers by each media type that they read; the first of two that read the same."""
    found: dict[str, Reader] = {}
    for reader in readers:
        for name in reader.media_types:
            found.setdefault(name, reader)
    return found
