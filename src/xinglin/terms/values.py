"""How the values of constraints are read and spelled: exact numbers, instants with zones, durations, networks.

A value that cannot be read is ``None``, never a guess. Numbers are ``Decimal`` and never pass through a float.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

import msgspec

_NUMBER = re.compile(r"[+-]?[0-9]{1,24}(?:\.[0-9]{1,12})?\Z")
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?"
    r"(?:Z|[+-](?:0[0-9]|1[0-3]):[0-5][0-9]|[+-]14:00)\Z"
)
_DURATION = re.compile(
    r"P(?=[0-9T])(?:([0-9]{1,6})W)?(?:([0-9]{1,6})D)?"
    r"(?:T(?=[0-9])(?:([0-9]{1,8})H)?(?:([0-9]{1,8})M)?(?:([0-9]{1,10})S)?)?\Z"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_IPV4 = 32
_MAPPED = 96


class Span(msgspec.Struct, frozen=True):
    """A network as the first and last of its addresses, of IP version 4 or 6."""

    version: int
    first: int
    last: int

    def within(self, other: Span) -> bool | None:
        """Whether every address of this lies in ``other``; ``None`` where only some do."""
        if self.version != other.version or self.last < other.first or other.last < self.first:
            return False
        return True if other.first <= self.first and self.last <= other.last else None


@lru_cache(maxsize=4096)
def read_number(text: str) -> Decimal | None:
    """An exact decimal without exponent, at most 24 digits before and 12 after the point.

    >>> read_number("0.10") == read_number("0.1"), read_number("1e3")
    (True, None)
    """
    return Decimal(text) if _NUMBER.match(text) else None


def number_text(text: str) -> str:
    """The shortest spelling of a readable number."""
    sign = "-" if text.startswith("-") else ""
    whole, _, fraction = text.lstrip("+-").partition(".")
    whole, fraction = whole.lstrip("0") or "0", fraction.rstrip("0")
    spelled = f"{whole}.{fraction}" if fraction else whole
    return spelled if spelled == "0" else sign + spelled


@lru_cache(maxsize=4096)
def read_instant(text: str) -> int | None:
    """Microseconds since the epoch of an RFC 3339 instant; without a zone it is none.

    >>> read_instant("2026-01-01T08:00:00+08:00") == read_instant("2026-01-01T00:00Z")
    True
    """
    if not _INSTANT.match(text):
        return None
    try:
        return (datetime.fromisoformat(text) - _EPOCH) // _MICROSECOND
    except (ValueError, OverflowError):
        return None


def instant_text(text: str) -> str:
    """With seconds and its own zone, a fraction only where there is one; ``Z`` for an offset of nothing."""
    stamp = datetime.fromisoformat(text)
    spelled, zone = stamp.isoformat()[:-6], stamp.isoformat()[-6:]
    if "." in spelled:
        spelled = spelled.rstrip("0").rstrip(".")
    return spelled + ("Z" if zone in ("+00:00", "-00:00") else zone)


@lru_cache(maxsize=4096)
def read_duration(text: str) -> int | None:
    """Seconds of an ISO 8601 duration in weeks, days, hours, minutes and seconds; months have no fixed length.

    >>> read_duration("P90D"), read_duration("P3M")
    (7776000, None)
    """
    found = _DURATION.match(text)
    if not found:
        return None
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return ((weeks * 7 + days) * 24 + hours) * 3600 + minutes * 60 + seconds


def duration_text(seconds: int) -> str:
    """The shortest spelling, in days and below."""
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3600)
    minutes, rest = divmod(rest, 60)
    time = "".join(f"{count}{letter}" for count, letter in ((hours, "H"), (minutes, "M"), (rest, "S")) if count)
    day = f"{days}D" if days else ""
    return f"P{day}" + (f"T{time}" if time else "" if day else "T0S")


@lru_cache(maxsize=4096)
def read_network(text: str) -> Span | None:
    """An address or a network in CIDR form, without bits set beyond its prefix; mapped IPv4 is IPv4."""
    net = _network(text)
    if net is None:
        return None
    first, last = int(net.network_address), int(net.broadcast_address)
    if isinstance(net, ipaddress.IPv6Network) and net.prefixlen >= _MAPPED and first >> _IPV4 == 0xFFFF:
        return Span(4, first & 0xFFFF_FFFF, last & 0xFFFF_FFFF)
    return Span(net.version, first, last)


def network_text(text: str) -> str:
    """An address without its prefix, a network with it; as the standard library compresses it."""
    net = _network(text)
    if net is None:
        return text
    span = read_network(text)
    if span is not None and span.version != net.version:
        net = ipaddress.IPv4Network((span.first, net.prefixlen - _MAPPED))
    return str(net.network_address) if net.prefixlen == net.max_prefixlen else str(net)


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    if "%" in text or not text.isascii():
        return None
    try:
        return ipaddress.ip_network(text, strict=True)
    except ValueError:
        return None


@lru_cache(maxsize=16)
def read_flag(text: str) -> bool | None:
    """``true`` or ``false``, also as XML Schema's ``1`` and ``0``."""
    return {"true": True, "1": True, "false": False, "0": False}.get(text)


SPELL: dict[str, Callable[[str], str]] = {
    "number": number_text,
    "instant": instant_text,
    "network": network_text,
    "flag": lambda text: "true" if read_flag(text) else "false",
    "duration": lambda text: duration_text(read_duration(text) or 0),
}
"""By kind: the canonical spelling of a readable value; other kinds spell themselves."""

READ: dict[str, Callable[[str], Any]] = {
    "number": read_number,
    "instant": read_instant,
    "duration": read_duration,
    "network": read_network,
    "flag": read_flag,
}
"""By kind: how a value is read; ``None`` where it cannot be."""
