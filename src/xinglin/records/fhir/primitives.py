"""Primitive types: what is one, as functions that C code runs wherever that is possible.

The expressions are those of the definitions (FHIR R4 §2.24), except that dates have to be days of the calendar,
texts have to show something, and base 64 is not backtracked into.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any

from xinglin.kernel.limits import Limit
from xinglin.records.fhir.definitions import primitives

Test = Callable[[Any], Any]
"""True in the sense of ``if``, False, or TypeError: the value is not even of the right kind."""

REMEMBERED = Limit("remembered texts of one test", 8192, "texts")
LONGEST = Limit("length of a remembered text", 200, "characters")
_LEAP = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29"
_YEAR = "(?!0000)[0-9]{4}"
_DATES = "(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13578]|1[02])-31|(?:0[13-9]|1[0-2])-(?:29|30)"
_DAY = f"(?:{_YEAR}-(?:{_DATES})|{_LEAP})"
_CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]+)?"
_ZONE = r"(?:Z|[+-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00))"
_MONTH = f"{_YEAR}(?:-(?:0[1-9]|1[0-2]))?"
_ACTIVE = re.compile(r"<(?:script|iframe|object|embed|form|input|link|base|style)\b|\son[a-z]+\s*=|javascript:", re.I)
_SHOWN = re.compile(r">[^<]*[^<\s]|<img\b", re.I)
_OWN = {
    "date": f"{_DAY}|{_MONTH}",
    "dateTime": f"{_DAY}(?:T{_CLOCK}{_ZONE})?|{_MONTH}",
    "instant": f"{_DAY}T{_CLOCK}{_ZONE}",
    "base64Binary": r"[0-9A-Za-z+/=\s]+",
    "uri": r"\S+",
    "canonical": r"\S+",
    "url": r"\S+",
    "code": r"[^\s]+(?: [^\s]+)*",
    "uuid": "urn:uuid:[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
}
_REPEATED = frozenset(("canonical", "code", "dateTime", "instant", "uri", "url"))
_INTEGERS = {
    "integer": (-(2**31), 2**31 - 1),
    "unsignedInt": (0, 2**31 - 1),
    "positiveInt": (1, 2**31 - 1),
    "integer64": (-(2**63), 2**63 - 1),
}


def is_primitive(name: str) -> bool:
    """Whether a type is a primitive one."""
    return name in primitives() or name == "integer64"


class _Remembered(dict[str, bool]):
    """Texts that passed a test; asking for one that is not here tests it."""

    __slots__ = ("_test",)

    def __init__(self, test: Test) -> None:
        self._test = test

    def __missing__(self, text: str) -> bool:
        if not self._test(text):
            return False
        if len(text) <= LONGEST.value:
            if len(self) >= REMEMBERED.value:
                self.clear()
            self[text] = True
        return True


def remembered(test: Test) -> Test:
    """The same test for texts, which remembers what it let pass: codes and systems come again and again."""
    return _Remembered(test).__getitem__


@cache
def test_of(name: str) -> Test:
    """The test of a primitive type."""
    if name == "boolean":
        return bool.__instancecheck__
    if name == "decimal":
        return _decimal
    if name in _INTEGERS:
        return _integer(*_INTEGERS[name])
    if name == "xhtml":
        return _xhtml
    if name in ("string", "markdown"):
        return re.compile(r"\s*\S").match
    test = re.compile(_OWN.get(name) or primitives()[name]).fullmatch
    return remembered(test) if name in _REPEATED else test


def whole_numbers(name: str) -> tuple[int, int] | None:
    """The least and the greatest value of a type of whole numbers."""
    return _INTEGERS.get(name)


def right_kind(name: str, value: Any) -> bool:
    """Whether a value is JSON of the kind that the primitive type is written as."""
    if name == "boolean":
        return type(value) is bool
    if name == "decimal":
        return type(value) is int or type(value) is float
    if name in _INTEGERS:
        return type(value) is int or (name == "integer64" and type(value) is str)
    return type(value) is str


def _decimal(value: Any) -> bool:
    kind = type(value)
    return kind is float or kind is int


def _integer(low: int, high: int) -> Test:
    def test(value: Any) -> bool:
        return type(value) is int and low <= value <= high

    return test


def _xhtml(value: str) -> bool:
    text = value.strip()
    return (
        text.startswith("<div")
        and text.endswith(("</div>", "/>"))
        and _ACTIVE.search(text) is None
        and _SHOWN.search(text) is not None
    )
