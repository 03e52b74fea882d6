"""FHIR dates and times to instants: the first that is meant, how precise it is, and the zone it was given in."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

_TEXT = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:[T ](\d\d)(?::(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?)?(Z|[+-]\d\d:?\d\d)?)?)?)?"
)
_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)")
_USUAL = {20: "second", 25: "second", 24: "millisecond", 29: "millisecond"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PRECISIONS = ("year", "month", "day", "hour", "minute", "second", "millisecond")
_MILLISECOND = timedelta(milliseconds=1)

Moment = tuple[int, str, str]
"""Milliseconds since the epoch, precision (``year`` … ``millisecond``), zone (empty: none was given)."""


@lru_cache(maxsize=64)
def zone_of(name: str) -> tzinfo:
    """The zone of an IANA name (``Asia/Shanghai``) or an offset (``+08:00``). Raises ``ValueError``."""
    if name in ("Z", "UTC"):
        return UTC
    match = _OFFSET.fullmatch(name)
    if match is None:
        try:
            return ZoneInfo(name)
        except (OSError, LookupError) as error:
            raise ValueError("no such time zone") from error
    sign, hours, minutes = match.groups()
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    return timezone(-offset if sign == "-" else offset)


def moment_of(text: str, zone: str) -> Moment | None:
    """The first instant that a FHIR date, dateTime or instant means; ``zone`` is taken where it names none.

    ``None`` where the text is none of them. A leap second is the second after.

    >>> moment_of("1970-01", "+08:00")
    (-28800000, 'month', '')
    >>> moment_of("1970-01-01T00:00:00.250Z", "+08:00")
    (250, 'millisecond', '+00:00')
    """
    quick = _quick(text)
    if quick is not None:
        return quick
    match = _TEXT.fullmatch(text.strip())
    if match is None:
        return None
    *parts, fraction, told = match.groups()
    given = [int(part) for part in parts if part is not None]
    precision = _PRECISIONS[len(given) - 1] if fraction is None else "millisecond"
    year, month, day, hour, minute, second = (*given, *(0, 1, 1, 0, 0, 0)[len(given) :])
    leap = second == 60
    try:
        known = zone_of(told or zone)
        stamp = datetime(year, month, day, hour, minute, 59 if leap else second, tzinfo=known)
        milliseconds = (stamp - _EPOCH) // _MILLISECOND
    except (ValueError, OverflowError):
        return None
    milliseconds += 1000 * leap + (int(fraction[:3].ljust(3, "0")) if fraction else 0)
    return milliseconds, precision, _zone_text(told)


def _quick(text: str) -> Moment | None:
    """The usual forms: seconds or milliseconds, and a zone."""
    precision = _USUAL.get(len(text))
    if precision is None or text[10] != "T" or not text[5:7].isdigit():
        return None
    if text[19] not in ("Z+-" if precision == "second" else "."):
        return None
    try:
        stamp = datetime.fromisoformat(text)
    except ValueError:
        return None
    if stamp.tzinfo is None:
        return None
    return (stamp - _EPOCH) // _MILLISECOND, precision, "+00:00" if text[-1] == "Z" else text[-6:]


def _zone_text(told: str | None) -> str:
    if told is None:
        return ""
    if told == "Z":
        return "+00:00"
    return told if ":" in told else f"{told[:3]}:{told[3:]}"


def day_of(text: str) -> tuple[date, str] | None:
    """The first day that a FHIR date means, and its precision (``year``, ``month``, ``day``); a time is cut off.

    >>> day_of("1970-06")
    (datetime.date(1970, 6, 1), 'month')
    """
    match = _TEXT.fullmatch(text.strip())
    if match is None:
        return None
    given = [int(part) for part in match.groups()[:3] if part is not None]
    try:
        return date(*(*given, *(0, 1, 1)[len(given) :])), _PRECISIONS[len(given) - 1]
    except ValueError:
        return None


def instant_of(text: str) -> int | None:
    """The milliseconds of an instant with a zone (``meta.lastUpdated``); ``None`` where it has none or is not one."""
    if len(text) >= 20 and text[10] == "T" and (text[-1] == "Z" or text[-6] in "+-"):
        try:
            return (datetime.fromisoformat(text) - _EPOCH) // _MILLISECOND
        except (ValueError, TypeError, OverflowError):
            return None
    return None
