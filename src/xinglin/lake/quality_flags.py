"""Cheap checks of a batch on its way in: whole columns at a time, flags added to rows, no row taken away.

``quality.future`` (a moment later than a day from now), ``quality.order`` (an end before its start), ``quality.range``
(a number that its code and unit cannot have), ``quality.negative``. Budget: 2 µs a row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from xinglin.catalogue.quality import QualityCheck
from xinglin.catalogue.quality_checks import checks_of
from xinglin.catalogue.quality_ranges import BOUNDS

if TYPE_CHECKING:
    import pyarrow as pa

FUTURE, ORDER, RANGE, NEGATIVE = "quality.future", "quality.order", "quality.range", "quality.negative"
_DAY_MS = 86_400_000


def flag_tables(tables: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
    """The same Arrow tables with their flags; a table without ``flags`` and ``recorded_at`` is left as it is."""
    return {name: flag_rows(name, table) for name, table in tables.items()}


def flag_rows(name: str, table: pa.Table) -> pa.Table:
    """One table with the flags of its rows appended to those they have."""
    if not table.num_rows or not {"flags", "recorded_at"} <= set(table.schema.names):
        return table
    return _added(table, _found(name, table))


def _found(name: str, table: pa.Table) -> dict[str, Any]:
    """By flag, which rows have it; only flags that some row has."""
    masks: dict[str, list[Any]] = {}
    known = set(table.schema.names)
    for kind, check in _rules(name):
        if not set(check.needs) <= known:
            continue
        mask = _moment(kind, check, table)
        if mask is not None:
            masks.setdefault(kind, []).append(mask)
    if name == "observation" and {"code", "value_unit", "value_number"} <= known:
        mask = _ranges(table)
        if mask is not None:
            masks.setdefault(RANGE, []).append(mask)
    return {kind: _any(found) for kind, found in masks.items()}


@cache
def _rules(name: str) -> tuple[tuple[str, QualityCheck], ...]:
    """Checks of the closed list that a column alone, or two of them, decide."""
    kinds = {"plausibility.future.": FUTURE, "plausibility.order.": ORDER, "plausibility.negative.": NEGATIVE}
    return tuple(
        (flag, check) for check in checks_of(name) for start, flag in kinds.items() if check.id.startswith(start)
    )


def _moment(kind: str, check: QualityCheck, table: pa.Table) -> Any:
    """The rows that fail, or None: most batches have none, and are asked no more than that."""
    import pyarrow as pa
    import pyarrow.compute as pc

    own = table.column(check.column)
    if own.null_count == len(own):
        return None
    if kind == NEGATIVE:
        mask = pc.less(own, 0)
    elif kind == FUTURE:
        mask = pc.greater(own, pc.add(table.column("recorded_at"), pa.scalar(_DAY_MS, pa.duration("ms"))))
    else:
        start = table.column(check.needs[1])
        if start.null_count == len(start) or start.type != own.type:
            return None
        if "INTERVAL" in check.fails:
            own = pc.add(own, pa.scalar(_DAY_MS, pa.duration("ms")))
        mask = pc.greater(start, own)
    return mask if pc.any(mask).as_py() else None


@cache
def _bounds() -> tuple[Any, Any, Any, Any]:
    """Codes that have bounds; code and unit joined, and their bounds, in the same order."""
    import pyarrow as pa

    codes = pa.array(sorted({one.code for one in BOUNDS}))
    keys = pa.array([f"{one.code} {one.unit}" for one in BOUNDS])
    return codes, keys, pa.array([one.low for one in BOUNDS]), pa.array([one.high for one in BOUNDS])


def _ranges(table: pa.Table) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    codes, keys, lows, highs = _bounds()
    asked = pc.and_(pc.is_in(table.column("code"), value_set=codes), pc.is_valid(table.column("value_number")))
    places = pc.indices_nonzero(asked)
    if not len(places):
        return None
    few = table.select(["code", "value_unit", "value_number"]).take(places)
    joined = pc.binary_join_element_wise(few.column("code"), few.column("value_unit"), " ")
    which = pc.index_in(joined, value_set=keys)
    value = few.column("value_number")
    outside = pc.or_kleene(pc.less(value, pc.take(lows, which)), pc.greater(value, pc.take(highs, which)))
    bad = pc.filter(places, pc.fill_null(outside, False))
    if not len(bad):
        return None
    rows = pa.array(range(table.num_rows), pa.uint64())
    return pc.is_in(rows, value_set=pc.cast(bad, pa.uint64()))


def _any(masks: Iterable[Any]) -> Any:
    import pyarrow.compute as pc

    found = None
    for mask in masks:
        filled = pc.fill_null(mask, False)
        found = filled if found is None else pc.or_(found, filled)
    return found


def _added(table: pa.Table, found: Mapping[str, Any]) -> pa.Table:
    import pyarrow.compute as pc

    if not found:
        return table
    flags = table.column("flags")
    for flag, mask in sorted(found.items()):
        more = pc.if_else(pc.is_valid(flags), pc.binary_join_element_wise(flags, flag, " "), flag)
        flags = pc.if_else(mask, more, flags)
    place = table.schema.get_field_index("flags")
    return table.set_column(place, table.schema.field(place), pc.cast(flags, table.schema.field(place).type))
