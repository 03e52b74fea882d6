"""Lists of values as Arrow arrays; what cannot be read is NULL, and its row is marked with a code."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from xinglin.records.moments import day_of, instant_of, moment_of

if TYPE_CHECKING:
    import pyarrow as pa

_NUMBER = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?\s*")
_USUAL = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?(Z|[+-]\d\d:\d\d)$"
_WHOLE = 2**63
_TEXT_TRUTH = {"true": True, "false": False}


class Marks:
    """Codes of what could not be read, by the number of the row."""

    def __init__(self) -> None:
        self.by_row: dict[int, set[str]] = {}

    def add(self, row: int, code: str) -> None:
        """Marks a row."""
        self.by_row.setdefault(row, set()).add(code)


def texts(values: Sequence[Any], marks: Marks) -> pa.StringArray:
    """Texts; a number is written out, the empty text is NULL, anything else is marked ``shape.bad_text``."""
    return _texts(values, marks, "shape.bad_text")


def _texts(values: Sequence[Any], marks: Marks, code: str) -> pa.StringArray:
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        made = pa.array(values, pa.string())
    except (pa.ArrowInvalid, pa.ArrowTypeError, TypeError, ValueError):
        made = pa.array(_each(values, _text, marks, code), pa.string())
    if made.null_count < len(made) and pc.any(pc.equal(made, "")).as_py():
        made = pc.if_else(pc.equal(made, ""), pa.scalar(None, pa.string()), made)
    return made


def _text(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            return None
        return value
    return None


def _each(values: Sequence[Any], read: Callable[[Any], Any], marks: Marks, code: str) -> list[Any]:
    found = []
    for row, value in enumerate(values):
        made = None if value is None else read(value)
        if made is None and value is not None:
            marks.add(row, code)
        found.append(made)
    return found


def numbers(values: Sequence[Any], marks: Marks) -> pa.DoubleArray:
    """Finite numbers, or texts of them; else ``shape.bad_number``."""
    import pyarrow as pa
    import pyarrow.compute as pc

    made = _inferred(values)
    if made is not None and made.type == pa.int64():
        return made.cast(pa.float64(), safe=False)
    if made is not None and pa.types.is_floating(made.type) and pc.all(pc.is_finite(made), min_count=0).as_py():
        return made
    return pa.array(_each(values, _number, marks, "shape.bad_number"), pa.float64())


def _inferred(values: Sequence[Any]) -> Any:
    """An array of whatever the values are, whole numbers where there are none; ``None`` where they are mixed."""
    import pyarrow as pa

    try:
        made = pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, TypeError, ValueError, OverflowError):
        return None
    return made.cast(pa.int64()) if pa.types.is_null(made.type) else made


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        if isinstance(value, str):
            return float(value) if _NUMBER.fullmatch(value) and math.isfinite(float(value)) else None
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def integers(values: Sequence[Any], marks: Marks) -> pa.Int64Array:
    """Whole numbers of 64 bits, or texts of them; else ``shape.bad_number``."""
    import pyarrow as pa

    made = _inferred(values)
    if made is not None and made.type == pa.int64():
        return made
    return pa.array(_each(values, _integer, marks, "shape.bad_number"), pa.int64())


def _integer(value: Any) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value if -_WHOLE <= value < _WHOLE else None
    number = _number(value)
    return int(number) if number is not None and number.is_integer() and abs(number) < _WHOLE else None


def booleans(values: Sequence[Any], marks: Marks) -> pa.BooleanArray:
    """True, false, or their words; else ``shape.bad_boolean``."""
    import pyarrow as pa

    try:
        return pa.array(values, pa.bool_())
    except (pa.ArrowInvalid, pa.ArrowTypeError, TypeError, ValueError):
        return pa.array(_each(values, _boolean, marks, "shape.bad_boolean"), pa.bool_())


def _boolean(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    return _TEXT_TRUTH.get(value.strip().lower()) if isinstance(value, str) else None


def instants(values: Sequence[Any], marks: Marks) -> pa.TimestampArray:
    """Milliseconds since the epoch, or texts with a zone; else ``shape.bad_time``."""
    import pyarrow as pa

    stamp = pa.timestamp("us", tz="UTC")
    made = _inferred(values)
    if made is None or made.type != pa.int64():
        made = pa.array(_each(values, _instant, marks, "shape.bad_time"), pa.int64())
    return made.cast(pa.timestamp("ms", tz="UTC")).cast(stamp)


def _instant(value: Any) -> int | None:
    return instant_of(value) if isinstance(value, str) else _integer(value)


def moments(values: Sequence[Any], zone: str, marks: Marks) -> tuple[Any, Any, Any]:
    """Instants, precisions and zones of FHIR dates and times; else ``shape.bad_time``."""
    import pyarrow as pa

    coded = _texts(values, marks, "shape.bad_time").dictionary_encode()
    each = _usual_moments(coded.dictionary)
    if each is None:
        found = [moment_of(text, zone) for text in coded.dictionary.to_pylist()]
        _mark_bad(coded, found, marks)
        each = (
            pa.array([None if one is None else one[0] * 1000 for one in found], pa.timestamp("us", tz="UTC")),
            pa.array([None if one is None else one[1] for one in found], pa.string()),
            pa.array([None if one is None else one[2] for one in found], pa.string()),
        )
    made = tuple(column.take(coded.indices) for column in each)
    return made[0], made[1], made[2]


def _usual_moments(texts: Any) -> tuple[Any, Any, Any] | None:
    """What ``moment_of`` says of texts that all give seconds or milliseconds and a zone; None where one does not."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pc.all(pc.match_substring_regex(texts, _USUAL), min_count=0).as_py():
        return None
    try:
        stamps = texts.cast(pa.timestamp("us", tz="UTC"))
    except pa.ArrowInvalid:
        return None
    utc = pc.ends_with(texts, "Z")
    zones = pc.if_else(utc, "+00:00", pc.utf8_slice_codeunits(texts, -6))
    fine = pc.equal(pc.utf8_slice_codeunits(texts, 19, 20), ".")
    return stamps, pc.if_else(fine, "millisecond", "second"), zones


def days(values: Sequence[Any], marks: Marks) -> tuple[Any, Any]:
    """Days and precisions of FHIR dates; else ``shape.bad_time``."""
    import pyarrow as pa

    coded = _texts(values, marks, "shape.bad_time").dictionary_encode()
    found = [day_of(text) for text in coded.dictionary.to_pylist()]
    _mark_bad(coded, found, marks)
    each = pa.array([None if one is None else one[0] for one in found], pa.date32())
    precision = pa.array([None if one is None else one[1] for one in found], pa.string())
    return each.take(coded.indices), precision.take(coded.indices)


def _mark_bad(coded: Any, found: Sequence[Any], marks: Marks) -> None:
    bad = {number for number, one in enumerate(found) if one is None}
    if bad:
        for row, number in enumerate(coded.indices.to_pylist()):
            if number in bad:
                marks.add(row, "shape.bad_time")
