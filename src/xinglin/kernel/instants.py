"""Instants: whole milliseconds since 1970-01-01T00:00:00Z, written as RFC 3339 in UTC."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

from xinglin.kernel.errors import MalformedMessage

Instant = int
"""Milliseconds since the epoch, UTC."""

Clock = Callable[[], Instant]
"""Tells the present instant; handed in, so that tests can set it."""


def system_clock() -> Instant:
    """The operating system's present instant, in milliseconds."""
    return time.time_ns() // 1_000_000


def to_text(instant: Instant) -> str:
    """RFC 3339 in UTC with milliseconds.

    >>> to_text(0)
    '1970-01-01T00:00:00.000Z'
    """
    stamp = datetime.fromtimestamp(instant / 1000, UTC)
    return stamp.strftime("%Y-%m-%dT%H:%M:%S.") + f"{instant % 1000:03d}Z"


def from_text(text: str) -> Instant:
    """The instant that an RFC 3339 text with a zone names; without a zone it is refused."""
    try:
        stamp = datetime.fromisoformat(text)
    except ValueError as error:
        raise MalformedMessage(f"{text!r} is not an RFC 3339 instant.") from error
    if stamp.tzinfo is None:
        raise MalformedMessage(f"{text!r} names no time zone.", remedy="Write Z or an offset.")
    return round(stamp.timestamp() * 1000)
