"""Dates and times as hospitals export them, to FHIR text. Never a guess between day and month."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

AMBIGUOUS, BAD = "ambiguous_date", "bad_date"

_SEPARATED = re.compile(
    r"(?P<year>\d{4})(?:[-/.年](?P<month>\d{1,2})(?:[-/.月](?P<day>\d{1,2})日?)?|年)?月?"
    r"(?:(?:\s*[Tt日]\s*|\s+)(?P<clock>\d{1,2}.*))?\Z"
)
_COMPACT = re.compile(
    r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)(?:[ T]?(?P<clock>\d{2}[:\d]{0,7}(?:\.\d+)?)(?P<rest>.*))?\Z"
)
_YEAR_MONTH = re.compile(r"(?P<year>(?:1[89]|20|21)\d\d)(?P<month>0[1-9]|1[0-2])\Z")
_NUMBERED = re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})(?:\s+(\d{1,2}.*))?\Z")
_NAMED = re.compile(r"(\d{1,2})[- ]([A-Za-z]{3}|\d{1,2}月)\s*[- ]\s*(\d{4}|\d{2})(?:\s+(\d{1,2}.*))?\Z")
_CLOCK = re.compile(
    r"(\d{1,2})(?:[:.时点](\d{1,2})?(?:[:.分](\d{1,2})?(?:[.,](\d+))?)?秒?)?\s*([AaPp][Mm]|上午|下午)?"
    r"\s*(Z|[+-]\d{2}:?\d{2})?\Z"
)
_PACKED_CLOCK = re.compile(r"(\d\d)(\d\d)(\d\d)?(?:\.(\d+))?\s*(Z|[+-]\d{2}:?\d{2})?\Z")
_MONTHS = {
    name: number
    for number, name in enumerate(
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], 1
    )
}
_PIVOT = 50
"""Two-digit years below it are of this century (Oracle's RR)."""


def to_date(value: str, formats: Sequence[str] = ()) -> tuple[str | None, str]:
    """FHIR date text (``2024``, ``2024-03``, ``2024-03-01``) and a flag's word, empty where all is well.

    >>> to_date("2024年3月1日"), to_date("20240301"), to_date("03/04/2024")
    (('2024-03-01', ''), ('2024-03-01', ''), (None, 'ambiguous_date'))
    """
    text, flag = to_time(value, formats)
    return (text[:10] if text else None), flag


def to_time(value: str, formats: Sequence[str] = ()) -> tuple[str | None, str]:
    """FHIR dateTime text, without a zone where the value has none, and a flag's word.

    >>> to_time("2024/3/1 8:05"), to_time("20240301080530"), to_time("01-MAR-24 08.05.30 PM")
    (('2024-03-01T08:05:00', ''), ('2024-03-01T08:05:30', ''), ('2024-03-01T20:05:30', ''))
    """
    if formats:
        return _by_formats(value, formats)
    day, clock, flag = _day(value)
    if day is None:
        return None, flag
    year, month, date = day
    if clock is None:
        return _date_text(year, month, date)
    text, _ = _date_text(year, month, date)
    told = _clock(clock)
    return (f"{text}{told}", "") if text and date is not None and told is not None else (None, BAD)


def _by_formats(value: str, formats: Sequence[str]) -> tuple[str | None, str]:
    for layout in formats:
        try:
            stamp = datetime.strptime(value, layout)  # noqa: DTZ007 (a zone, where one is told, stays in the value)
        except ValueError:
            continue
        if "%d" not in layout and "%j" not in layout:
            month = stamp.month if "%m" in layout or "%b" in layout else None
            return _date_text(stamp.year, month, None)
        if not any(part in layout for part in ("%H", "%I", "%c", "%X", "%T")):
            return _date_text(stamp.year, stamp.month, stamp.day)
        return stamp.isoformat(timespec="milliseconds" if stamp.microsecond else "seconds"), ""
    return None, BAD


def _day(value: str) -> tuple[tuple[int, int | None, int | None] | None, str | None, str]:
    """Year, month and day as far as they are told; the clock's text; a flag."""
    if found := _COMPACT.match(value):
        clock = found["clock"]
        parts = int(found["year"]), int(found["month"]), int(found["day"])
        return parts, (clock + (found["rest"] or "")) if clock else None, ""
    if found := _YEAR_MONTH.match(value):
        return (int(found["year"]), int(found["month"]), None), None, ""
    if found := _SEPARATED.match(value):
        month, day = found["month"], found["day"]
        return (int(found["year"]), int(month) if month else None, int(day) if day else None), found["clock"], ""
    if found := _NUMBERED.match(value):
        first, second, year, clock = int(found[1]), int(found[2]), int(found[3]), found[4]
        if first <= 12 and second <= 12 and first != second:
            return None, None, AMBIGUOUS
        return (year, min(first, second) if first <= 12 else second, max(first, second)), clock, ""
    if found := _NAMED.match(value):
        month_name = found[2].lower()
        number = _MONTHS.get(month_name) or (int(month_name[:-1]) if month_name.endswith("月") else 0)
        year = int(found[3])
        if len(found[3]) == 2:
            year += 2000 if year < _PIVOT else 1900
        return (year, number, int(found[1])), found[4], ""
    return None, None, BAD


def _date_text(year: int, month: int | None, day: int | None) -> tuple[str | None, str]:
    try:
        stamp = datetime(year, 1 if month is None else month, 1 if day is None else day)  # noqa: DTZ001 (a calendar day)
    except ValueError:
        return None, BAD
    if month is None:
        return f"{stamp.year:04d}", ""
    if day is None:
        return f"{stamp.year:04d}-{stamp.month:02d}", ""
    return f"{stamp.year:04d}-{stamp.month:02d}-{stamp.day:02d}", ""


def _clock(text: str) -> str | None:
    """``T08:05:00`` with fraction and zone where they are told; ``None`` when it is no time of day."""
    noon = ""
    if found := _PACKED_CLOCK.match(text):
        hour, minute, second, fraction, zone = found.groups()
    elif found := _CLOCK.match(text):
        hour, minute, second, fraction, noon, zone = found.groups()
    else:
        return None
    h, m, s = int(hour), int(minute or 0), int(second or 0)
    if noon:
        h = h % 12 + (12 if noon.lower() == "pm" or noon == "下午" else 0)
    if h > 23 or m > 59 or s > 59:
        return None
    tail = f".{(fraction + '00')[:3]}" if fraction and fraction.strip("0") else ""
    if zone and zone != "Z" and ":" not in zone:
        zone = f"{zone[:3]}:{zone[3:]}"
    return f"T{h:02d}:{m:02d}:{s:02d}{tail}{zone or ''}"
