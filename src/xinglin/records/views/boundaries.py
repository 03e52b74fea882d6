"""Dates, times and decimals as FHIR writes them: their least and greatest values, and their order.

Source: FHIRPath 2.0 §5.5 (lowBoundary, highBoundary), §6.2 (comparison of values of different precision).
"""

from __future__ import annotations

import calendar
import re
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

_DATE = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?")
_TIME = re.compile(r"(\d\d)(?::(\d\d)(?::(\d\d)(?:\.(\d+))?)?)?")
_ZONE = re.compile(r"(.*?)(Z|[+-]\d\d:\d\d)?$", re.S)
_TIME_TEXT = re.compile(
    r"\d{4}(-\d\d(-\d\d(T\d\d(:\d\d(:\d\d(\.\d+)?)?)?(Z|[+-]\d\d:\d\d)?)?)?)?"
    r"|\d\d:\d\d(:\d\d(\.\d+)?)?"
)


def is_time_text(text: str) -> bool:
    """Whether a text is written like a FHIR date, dateTime, instant or time."""
    return _TIME_TEXT.fullmatch(text) is not None


def text_number(value: Any) -> Decimal | None:
    """A number of JSON as the decimal that it is written as."""
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def boundary(value: Any, high: bool, hint: str = "") -> Any:
    """``lowBoundary()`` or ``highBoundary()`` of one value; nothing where it has none.

    ``hint``: the FHIR type, which tells a ``dateTime`` that names a day from a ``date``. A Period gives its start
    or its end.

    >>> boundary("1970-06", True), boundary(1.0, False), boundary("2010-10-10", False, "dateTime")
    ('1970-06-30', 0.95, '2010-10-10T00:00:00.000+14:00')
    """
    if isinstance(value, dict):
        return boundary(value.get("end" if high else "start"), high, "dateTime")
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return _number_boundary(value, high)
    if not isinstance(value, str) or not is_time_text(value):
        return None
    if _TIME.fullmatch(value) and ":" in value:
        return _time_boundary(value, high)
    day, _, rest = value.partition("T")
    if not rest and hint not in ("dateTime", "instant"):
        return _date_boundary(day, high)
    body, zone = _split_zone(rest)
    whole = f"{_date_boundary(day, high)}T{_time_boundary(body, high)}"
    return whole + (zone or ("-12:00" if high else "+14:00"))


def _number_boundary(value: int | float, high: bool) -> float | None:
    number = text_number(value)
    if number is None:
        return None
    exponent = number.as_tuple().exponent
    half = Decimal(5).scaleb(int(exponent) - 1)
    return float(number + half if high else number - half)


def _date_boundary(text: str, high: bool) -> str:
    match = _DATE.fullmatch(text)
    year, month, day = match.groups() if match else (text, None, None)
    month = month or ("12" if high else "01")
    if day is None:
        wellformed = 1 <= int(month) <= 12 and int(year) >= 1
        day = f"{calendar.monthrange(int(year), int(month))[1]:02d}" if high and wellformed else "31" if high else "01"
    return f"{year}-{month}-{day}"


def _time_boundary(text: str, high: bool) -> str:
    match = _TIME.fullmatch(text)
    hour, minute, second, part = match.groups() if match else (None, None, None, None)
    fill = "9" if high else "0"
    hour = hour or ("23" if high else "00")
    minute = minute or ("59" if high else "00")
    second = second or ("59" if high else "00")
    return f"{hour}:{minute}:{second}.{(part or '').ljust(3, fill)}"


def _split_zone(text: str) -> tuple[str, str]:
    match = _ZONE.match(text)
    return (match.group(1), match.group(2) or "") if match else (text, "")


def compare_times(left: str, right: str) -> int | None:
    """The order (-1, 0, 1) of two FHIR dates or times; ``None`` where their precision leaves it open.

    >>> compare_times("2012", "2013-01"), compare_times("2012", "2012-05")
    (-1, None)
    """
    a, b = _moment(left), _moment(right)
    if isinstance(a, datetime) and isinstance(b, datetime):
        return (a > b) - (a < b)
    x, y = _fields(left), _fields(right)
    for one, other in zip(x, y, strict=False):
        if one != other:
            return (one > other) - (one < other)
    return 0 if len(x) == len(y) else None


def _moment(text: str) -> datetime | None:
    """The instant of a text with a zone."""
    if "T" not in text or not (text.endswith("Z") or text[-6] in "+-"):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _fields(text: str) -> list[Decimal]:
    """The numbers of a date or time, most significant first; seconds with their fraction are one."""
    day, _, rest = text.partition("T") if "T" in text or ":" not in text else ("", "", text)
    body, _ = _split_zone(rest) if rest else ("", "")
    return [Decimal(part) for part in (*day.split("-"), *body.split(":")) if part]
