"""One field of a block to the physical columns that it fills."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from xinglin.catalogue.canonical import CanonicalColumn
from xinglin.records.tabular.dates import to_date, to_time
from xinglin.records.tabular.model import Code, CodeMap, Field, Mapping, Scalar
from xinglin.records.tabular.rows import Look, converted
from xinglin.records.tabular.values import Result, to_boolean, to_integer, to_number, to_range, to_result
from xinglin.records.tabular.vectors import Vector, combine

Filled = tuple[str, Vector, Vector | None]
"""A physical column's name, its values, and the words of flags where there are any."""

UNMAPPED = "unmapped_code"
_UNITS = {
    "value_number": ("value_unit", "value_unit_source"),
    "dose_number": ("dose_unit", "dose_unit_source"),
    "rate_number": ("rate_unit", ""),
    "quantity": ("quantity_unit", ""),
}


def fill(mapping: Mapping, column: CanonicalColumn, field: Field, look: Look) -> Iterator[Filled]:
    """The physical columns that ``field`` gives for the canonical ``column``."""
    raw = _raw(field, look)
    codes = mapping.codes.get(field.codes)
    if column.kind == "concept":
        yield from _concept(column.name, field, codes, raw, look)
        return
    if column.kind == "coded":
        yield from _coded(column.name, field, codes, raw)
        return
    if codes is not None:
        raw, flags = converted(raw, partial(_translated, codes))
        yield column.name, raw, flags
        return
    yield (column.name, *_typed(column.kind, field, raw))
    if column.name in _UNITS and (field.unit or field.unit_column):
        yield from _unit(column.name, field, look)


def fill_result(field: Field, look: Look) -> Iterator[Filled]:
    """A laboratory's result taken apart, with its unit and range from their own columns."""
    raw = _raw(field, look)
    parts = raw.map(lambda value: to_result(value) if value is not None else None)
    names = ("number", "comparator", "titre", "titre_denominator", "text")
    for name in names:
        yield f"value_{name}", parts.map(partial(_part, name)), None
    yield "interpretation", parts.map(lambda part: part.interpretation if part is not None else None), None
    if field.unit or field.unit_column:
        yield from _unit("value_number", field, look)
    else:
        yield "value_unit_source", parts.map(lambda part: part.unit if part is not None else None), None
    if field.range_column:
        low, high, words = look(field.range_column).map(lambda v: to_range(v) if v else (None, None, None)).split()
        yield from (("range_low", low, None), ("range_high", high, None), ("range_text", words, None))


def _part(name: str, result: Result | None) -> Any:
    return None if result is None else getattr(result, name)


def scalar_text(value: Scalar) -> str:
    """A constant as a cell would be written."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _raw(field: Field, look: Look) -> Vector:
    if field.const is not None:
        return Vector.constant(scalar_text(field.const))
    if field.text:
        return look.template(field.text)
    if field.first:
        found = combine(
            [look(n) for n in field.first], look.size, lambda *v: next((x for x in v if x is not None), None)
        )
    elif field.column:
        found = look(field.column)
    else:
        return Vector.constant(None)
    return without(found, field.null)


def without(vector: Vector, null: Sequence[str]) -> Vector:
    """The vector with these words as no value."""
    words = frozenset(null)
    return vector.map(lambda value: None if value in words else value) if words else vector


def _first(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)


def _typed(kind: str, field: Field, raw: Vector) -> tuple[Vector, Vector | None]:
    formats = (field.format,) if isinstance(field.format, str) and field.format else tuple(field.format)
    if kind == "number":
        return converted(raw, partial(_scaled, field.factor) if field.factor != 1.0 else to_number)
    if kind == "integer":
        return converted(raw, to_integer)
    if kind == "boolean":
        return converted(raw, lambda value: to_boolean(value, field.yes, field.no))
    if kind == "date":
        return converted(raw, lambda value: to_date(value, formats))
    if kind in ("time", "instant"):
        return converted(raw, lambda value: _zoned(to_time(value, formats), field.zone))
    return raw, None


def _scaled(factor: float, value: str) -> tuple[float | None, str]:
    number, flag = to_number(value)
    return (number * factor if number is not None else None), flag


def _zoned(found: tuple[str | None, str], zone: str) -> tuple[str | None, str]:
    text, flag = found
    if not zone or text is None or "T" not in text or text[-1] == "Z" or text[-6] in "+-":
        return found
    return text + offset_of(text, zone), flag


def offset_of(text: str, zone: str) -> str:
    """The offset of a zone (``+08:00`` or an IANA name) at a local time."""
    if zone == "Z" or zone[:1] in ("+", "-"):
        return zone
    from datetime import datetime
    from zoneinfo import ZoneInfo

    stamp = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))
    return stamp.isoformat()[-6:]


def _unit(name: str, field: Field, look: Look) -> Iterator[Filled]:
    ucum, source = _UNITS[name]
    if field.unit:
        yield ucum, Vector.constant(field.unit), None
    if source:
        yield source, look(field.unit_column) if field.unit_column else Vector.constant(field.unit), None
    elif field.unit_column:
        yield ucum, look(field.unit_column), None


def _translated(codes: CodeMap, value: str) -> tuple[str | None, str]:
    entry = codes.map.get(value)
    if entry is not None:
        return (entry if isinstance(entry, str) else entry.code) or None, ""
    return (value if codes.other == "keep" else None), UNMAPPED


def _coded(name: str, field: Field, codes: CodeMap | None, raw: Vector) -> Iterator[Filled]:
    if codes is None:
        yield name, raw, None
        yield f"{name}_system", raw.map(lambda value: field.system or None if value is not None else None), None
        return
    code, flags = converted(raw, partial(_translated, codes))
    yield name, code, flags
    yield f"{name}_system", raw.map(lambda value: _system_of(codes, field, value)), None


def _system_of(codes: CodeMap, field: Field, value: str | None) -> str | None:
    if value is None:
        return None
    entry = codes.map.get(value)
    if entry is None:
        return (codes.source_system or field.system or None) if codes.other == "keep" else None
    if (entry if isinstance(entry, str) else entry.code) == "":
        return None
    return (entry.system if isinstance(entry, Code) else "") or codes.system or None


def _concept(name: str, field: Field, codes: CodeMap | None, raw: Vector, look: Look) -> Iterator[Filled]:
    source_system = (codes.source_system if codes else "") or field.system
    yield f"{name}_source", raw, None
    yield f"{name}_source_system", raw.map(lambda v: source_system or None if v is not None else None), None
    if field.words:
        yield f"{name}_source_text", look(field.words) if field.words[:1] != "=" else _words(raw, field), None
    elif codes is not None:
        yield f"{name}_source_text", raw.map(lambda value: _label(codes, value)), None
    if codes is not None:
        standard = raw.map(lambda value: _standard(codes, value))
        for suffix, part in zip(("", "_system", "_loss"), standard.split(), strict=True):
            yield f"{name}{suffix}", part, None
    elif field.standard:
        yield name, raw, None
        yield f"{name}_system", raw.map(lambda v: field.system or None if v is not None else None), None
        yield f"{name}_loss", raw.map(lambda v: "equivalent" if v is not None else None), None


def _words(raw: Vector, field: Field) -> Vector:
    """``words = "=Age"``: these words, in every row that has a value."""
    return raw.map(lambda value: field.words[1:] if value is not None else None)


def _label(codes: CodeMap, value: str | None) -> str | None:
    if value is None:
        return None
    entry = codes.map.get(value)
    return codes.words.get(value) or (entry.text if isinstance(entry, Code) and entry.text else value)


def _standard(codes: CodeMap, value: str | None) -> tuple[str | None, str | None, str | None]:
    if value is None:
        return None, None, None
    entry = codes.map.get(value)
    if entry is None:
        return None, None, "unmapped"
    told = Code(entry) if isinstance(entry, str) else entry
    if not told.code:
        return None, None, "unmapped"
    return told.code, told.system or codes.system or None, told.loss or codes.loss
