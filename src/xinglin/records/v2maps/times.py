"""Dates and times of HL7 v2 as FHIR text: nothing that the source did not say is added, save the zone.

``YYYY[MM[DD[HH[MM[SS[.S...]]]]]][+/-ZZZZ]`` (HL7 v2.8.2 §2A.3.22) becomes the FHIR date or dateTime of the same
precision. FHIR has no hour without minutes and no minute without seconds: the missing ones are written as zero.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from functools import lru_cache

_V2 = re.compile(
    r"(\d{4})(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(\.\d+)?)?)?)?)?)?(?:\s*([+-])(\d\d)(\d\d)|(Z))?"
)
_CLOCK = re.compile(r"(\d\d)(?::?(\d\d)(?::?(\d\d)(\.\d+)?)?)?(?:[+-]\d{4})?")
_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)")


@lru_cache(maxsize=64)
def zone_of(text: str) -> tzinfo:
    """A time zone by IANA name or ``+08:00``. Raises ``ValueError`` for any other text.

    >>> zone_of("+08:00").utcoffset(None) == timedelta(hours=8)
    True
    """
    if text in ("Z", "UTC"):
        return UTC
    if match := _OFFSET.fullmatch(text):
        sign, hours, minutes = match.groups()
        moved = timedelta(hours=int(hours), minutes=int(minutes))
        return timezone(-moved if sign == "-" else moved)
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError) as gone:
        raise ValueError("no such time zone") from gone


def fhir_date(text: str) -> str | None:
    """Year, month or day; None where there is none.

    >>> fhir_date("197010"), fhir_date("19701031030405.6"), fhir_date("0000"), fhir_date("19701399")
    ('1970-10', '1970-10-31', None, None)
    """
    match = _V2.fullmatch(text.strip())
    if not match or match.group(1) == "0000":
        return None
    year, month, day = match.group(1, 2, 3)
    if not month or month == "00":
        return year
    if not day or day == "00":
        return f"{year}-{month}" if "01" <= month <= "12" else None
    return f"{year}-{month}-{day}" if _real(year, month, day) else None


def fhir_time(text: str, zone: str) -> str | None:
    """A dateTime of the same precision; ``zone`` (``+08:00`` or an IANA name) where the text names none.

    >>> fhir_time("202403010805", "+08:00"), fhir_time("20240301080509.25-0400", "+08:00"), fhir_time("2024", "Z")
    ('2024-03-01T08:05:00+08:00', '2024-03-01T08:05:09.25-04:00', '2024')
    """
    match = _V2.fullmatch(text.strip())
    if not match:
        return None
    hour = match.group(4)
    day = fhir_date(match.group(0) if hour is None else match.group(0)[:8])
    if day is None or hour is None:
        return day
    minute, second, fraction = match.group(5) or "00", match.group(6) or "00", match.group(7) or ""
    # A second of 60 or an hour of 24 exists in neither FHIR nor Python.
    if hour > "23" or minute > "59" or second > "59" or len(day) < 10:
        return day
    clock = f"{day}T{hour}:{minute}:{second}"
    return f"{clock}{fraction}{_offset(match, clock, zone)}"


def clock_time(text: str) -> str | None:
    """A time of day, ``HH[MM[SS[.S]]]``, as FHIR's ``time``.

    >>> clock_time("2231"), clock_time("223100.5"), clock_time("99")
    ('22:31:00', '22:31:00.5', None)
    """
    match = _CLOCK.fullmatch(text.strip())
    if not match:
        return None
    hour, minute, second, fraction = match.groups()
    minute, second = minute or "00", second or "00"
    if hour > "23" or minute > "59" or second > "59":
        return None
    return f"{hour}:{minute}:{second}{fraction or ''}"


def instant_of(text: str, zone: str) -> int:
    """Milliseconds since 1970 of the first instant that is meant; 0 where there is none."""
    said = fhir_time(text, zone)
    if not said:
        return 0
    if "T" in said:
        return int(datetime.fromisoformat(_short(said)).timestamp() * 1000)
    year, month, day = (*map(int, said.split("-")), 1, 1)[:3]
    return int(datetime(year, month, day, tzinfo=zone_of(zone)).timestamp() * 1000)


def named_zone(text: str) -> str:
    """The zone that a v2 time names, as ``+08:00``; "" where it names none.

    >>> named_zone("20240301080509-0400"), named_zone("20240301")
    ('-04:00', '')
    """
    match = _V2.fullmatch(text.strip())
    if not match or not (match.group(8) or match.group(11)):
        return ""
    return "Z" if match.group(11) else f"{match.group(8)}{match.group(9)}:{match.group(10)}"


def _short(said: str) -> str:
    """Fractions as long as Python 3.11 reads them."""
    return re.sub(r"\.(\d+)", lambda found: f".{found.group(1)[:6]:0<6}", said)


def _offset(match: re.Match[str], clock: str, zone: str) -> str:
    if match.group(11):
        return "Z"
    if match.group(8):
        return f"{match.group(8)}{match.group(9)}:{match.group(10)}"
    return _local(clock, zone) if "/" in zone else zone


def _local(clock: str, zone: str) -> str:
    return datetime.fromisoformat(clock).replace(tzinfo=zone_of(zone)).isoformat()[19:]


def _real(year: str, month: str, day: str) -> bool:
    try:
        date(int(year), int(month), int(day))
    except ValueError:
        return False
    return True
