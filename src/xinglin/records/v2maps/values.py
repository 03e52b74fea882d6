"""What a map reads: repetitions split into components and sub-components, and text as FHIR primitives."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import Any

from xinglin.records.hl7v2.message import Message, Segment
from xinglin.records.v2maps.systems import system_uri
from xinglin.records.v2maps.times import clock_time, fhir_date, fhir_time

Parts = list[list[str]]
"""One repetition: components of sub-components, unescaped. ``""`` (v2's "delete this") inside it is empty."""

_CODE = re.compile(r"\S+( \S+)*")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?")


class Repetition(list[list[str]]):
    """A repetition with its text as sent."""

    __slots__ = ("raw",)
    raw: str


class View:
    """A segment as the maps see it: repetitions are split once, on first use."""

    __slots__ = ("_read", "cleared", "message", "name", "segment", "texts")

    def __init__(self, segment: Segment, message: Message) -> None:
        self.segment = segment
        self.message = message
        self.name = segment.name
        self.texts = segment.raw.split(message.encoding.field)
        if self.name == "MSH":
            self.texts.insert(1, message.encoding.field)
        self._read: dict[int, list[Parts]] = {}
        self.cleared: set[int] = set()

    def reps(self, n: int) -> list[Parts]:
        """Repetitions of field ``n`` that say something; a field of ``""`` is noted in ``cleared``."""
        found = self._read.get(n)
        if found is None:
            found = self._read[n] = self._split(n)
        return found

    def _split(self, n: int) -> list[Parts]:
        text = self.texts[n] if n < len(self.texts) else ""
        if not text:
            return []
        if text == '""':
            self.cleared.add(n)
            return []
        if n <= 2 and self.name == "MSH":
            return [[[text]]]
        message = self.message
        out: list[Parts] = []
        for one in text.split(message.encoding.repetition):
            if one and one != '""':
                parts = _parts(one, message)
                if parts[0][0] or any(any(subs) for subs in parts):
                    repetition = Repetition(parts)
                    repetition.raw = one
                    out.append(repetition)
        return out

    def get(self, n: int, component: int = 1, sub: int = 1, rep: int = 0) -> str:
        """One sub-component; "" if absent."""
        reps = self.reps(n)
        return part(reps[rep], component, sub) if rep < len(reps) else ""


def _parts(text: str, message: Message) -> Parts:
    encoding = message.encoding
    sub = encoding.sub
    if encoding.component not in text and sub not in text and encoding.escape not in text:
        return [[text.strip()]]
    escaped = encoding.escape in text
    out = []
    for component in text.split(encoding.component):
        subs = component.split(sub) if sub in component else [component]
        if escaped:
            subs = [message.unescape(one) for one in subs]
        out.append(["" if one == '""' else one.strip() for one in subs])
    return out


def part(parts: Parts, component: int = 1, sub: int = 1) -> str:
    """One sub-component of a repetition; "" if absent."""
    if component > len(parts):
        return ""
    subs = parts[component - 1]
    return subs[sub - 1] if sub <= len(subs) else ""


def inner(parts: Parts, component: int, sub: int = 0) -> Parts | None:
    """A component as a repetition of its own (its sub-components become components); None if it is empty."""
    if component > len(parts):
        return None
    subs = parts[component - 1]
    if sub:
        subs = subs[sub - 1 : sub]
    return [[one] for one in subs] if any(subs) else None


def number(text: str) -> int | float | None:
    """A number as JSON has it; None for anything else.

    >>> number("5"), number("1.50"), number("1:50")
    (5, 1.5, None)
    """
    text = text.strip()
    if not _NUMBER.fullmatch(text):
        return None
    try:
        return int(text)
    except ValueError:
        found = float(text)
        return found if found - found == 0 else None


def _whole(text: str) -> int | None:
    found = number(text)
    return int(found) if found is not None and int(found) == found and abs(found) < 2**31 else None


def _boolean(text: str) -> bool | None:
    return {"Y": True, "N": False, "TRUE": True, "FALSE": False, "1": True, "0": False}.get(text.strip().upper())


def _code(text: str) -> str | None:
    return text if _CODE.fullmatch(text) else " ".join(text.split()) or None


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


Convert = Callable[[str, str], Any]
"""Text and the zone in force to a JSON value, or None."""

CONVERT: dict[str, Convert] = {
    "string": lambda text, zone: text,
    "markdown": lambda text, zone: text,
    "uri": lambda text, zone: system_uri(text),
    "url": lambda text, zone: text,
    "canonical": lambda text, zone: text,
    "code": lambda text, zone: _code(text),
    "id": lambda text, zone: text,
    "date": lambda text, zone: fhir_date(text),
    "dateTime": fhir_time,
    "instant": fhir_time,
    "time": lambda text, zone: clock_time(text),
    "boolean": lambda text, zone: _boolean(text),
    "decimal": lambda text, zone: number(text),
    "integer": lambda text, zone: _whole(text),
    "positiveInt": lambda text, zone: found if (found := _whole(text)) and found > 0 else None,
    "unsignedInt": lambda text, zone: found if (found := _whole(text)) is not None and found >= 0 else None,
    "base64Binary": lambda text, zone: _base64(text),
}
"""FHIR primitive types that v2 text can become."""
