"""Opening hours: weekly windows with a zone, to the minute, as ``Mo-Fr 08:00-18:00 Asia/Shanghai``.

Days are ``Mo`` to ``Su``, as a list, ranges or both; a window that ends before it begins goes over midnight; ``24:00``
ends a day. The zone is a name of the tz database, ``Z`` or an offset such as ``+08:00``.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache

import msgspec

DAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
_DAY_MINUTES = 1440
WEEK_MINUTES = 7 * _DAY_MINUTES
_MONDAY = 3 * _DAY_MINUTES
"""The epoch was a Thursday."""
_DAY = "(?:Mo|Tu|We|Th|Fr|Sa|Su)"
_WINDOW = re.compile(
    rf"(?:({_DAY}(?:-{_DAY})?(?:,{_DAY}(?:-{_DAY})?){{0,6}}) )?"
    r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]|24):([0-5]\d) ([A-Za-z0-9_+:/-]{1,40})\Z"
)
_OFFSET = re.compile(r"([+-])(0\d|1[0-4]):([0-5]\d)\Z")


class Window(msgspec.Struct, frozen=True):
    """Its canonical spelling, its zone, and the open minutes of a week as bits, Monday 00:00 lowest; also as bytes."""

    spelled: str
    zone: str
    open: int
    table: bytes

    def holds_at(self, instant_us: int) -> bool | None:
        """Whether it is open at an instant (microseconds since the epoch); ``None`` where no calendar there has it."""
        minute = instant_us // 60_000_000
        offset = offset_min(self.zone, minute // 15)
        if offset is None:
            return None
        there = (minute + _MONDAY + offset) % WEEK_MINUTES
        return bool(self.table[there >> 3] >> (there & 7) & 1)

    def within(self, other: Window) -> bool:
        """Whether ``other`` is open whenever this is; windows of different zones are not compared."""
        return self.zone == other.zone and not self.open & ~other.open


@lru_cache(maxsize=4096)
def offset_min(zone: str, quarter: int) -> int | None:
    """Minutes east of Greenwich in a quarter of an hour since the epoch; zones change at its bounds.

    >>> offset_min("Asia/Shanghai", 1_900_000)
    480
    """
    try:
        offset = datetime.fromtimestamp(quarter * 900, zone_named(zone)).utcoffset()
    except (OverflowError, ValueError, OSError):
        return None
    return None if offset is None else round(offset.total_seconds() / 60)


@lru_cache(maxsize=256)
def zone_named(name: str) -> tzinfo | None:
    """The zone, or ``None`` where the tz database has no such name."""
    if name == "Z":
        return UTC
    offset = _OFFSET.match(name)
    if offset:
        apart = timedelta(hours=int(offset[2]), minutes=int(offset[3]))
        return timezone(apart if offset[1] == "+" else -apart)
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


@lru_cache(maxsize=1024)
def read_window(text: str) -> Window | None:
    """The window that ``text`` names; ``None`` where it names none.

    >>> read_window("Mo,Tu,We,Th,Fr 08:00-18:00 Asia/Shanghai").spelled
    'Mo-Fr 08:00-18:00 Asia/Shanghai'
    """
    found = _WINDOW.match(text)
    if not found or zone_named(found[6]) is None:
        return None
    days = _days(found[1])
    begins, ends = int(found[2]) * 60 + int(found[3]), int(found[4]) * 60 + int(found[5])
    if not days or ends > _DAY_MINUTES or begins == ends:
        return None
    length = ends - begins if ends > begins else ends - begins + _DAY_MINUTES
    bits = 0
    for day in days:
        bits |= ((1 << length) - 1) << (day * _DAY_MINUTES + begins)
    bits = (bits | bits >> WEEK_MINUTES) & ((1 << WEEK_MINUTES) - 1)
    hours = f"{found[2]}:{found[3]}-{found[4]}:{found[5]}"
    return Window(f"{_spelled(days)} {hours} {found[6]}", found[6], bits, bits.to_bytes(WEEK_MINUTES // 8, "little"))


def _days(text: str | None) -> list[int]:
    """Day numbers, sorted, each once; all of them where none is named."""
    if text is None:
        return list(range(7))
    days: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        start, end = DAYS.index(first), DAYS.index(last or first)
        days.update((start + step) % 7 for step in range((end - start) % 7 + 1))
    return sorted(days)


def _spelled(days: list[int]) -> str:
    """Runs of three days and more as a range."""
    parts: list[str] = []
    while days:
        run = 1
        while run < len(days) and days[run] == days[0] + run:
            run += 1
        names = [DAYS[day] for day in days[:run]]
        parts += [f"{names[0]}-{names[-1]}"] if run > 2 else names
        days = days[run:]
    return ",".join(parts)
