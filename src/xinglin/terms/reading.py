"""Values of operands: read for comparing, spelled in their one canonical way; unknown ones are ``None``."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from xinglin.terms.grades import GRADES
from xinglin.terms.places import read_place
from xinglin.terms.purposes import read_purpose
from xinglin.terms.request import is_did, is_name
from xinglin.terms.values import READ, SPELL, read_instant
from xinglin.terms.vocabulary import OPERANDS, Operand
from xinglin.terms.windows import read_window

_PARTY = re.compile(r"[a-z][a-z0-9+.-]{1,15}:[!-~]{1,240}\Z")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}\.(?:[A-Za-z_][A-Za-z0-9_]{0,62}|\*)\Z")
_SHOWN = 60

EXAMPLES = {
    "number": "a decimal such as 10 or 0.5, without exponent",
    "instant": "an instant with its zone such as 2027-01-01T00:00:00+08:00",
    "duration": "a duration in days and below such as P90D; months and years have no fixed length",
    "place": "a place such as CN, CN-SH, CN-310104 or EU",
    "network": "an address or network such as 10.1.0.0/16, no bit set beyond its prefix",
    "window": "opening hours with a zone such as Mo-Fr 08:00-18:00 Asia/Shanghai",
    "flag": "true or false",
    "purpose": "a purpose such as health-research or disease-research/MONDO:0005010",
    "grade": ", ".join(GRADES),
    "party": "a DID or an absolute URI",
    "name": "a plain name of letters, digits, . _ : and -",
    "variable": "table.column, or table.* for all of a table",
    "algorithm": "an algorithm's name, or its sha256 digest",
    "pack": "a name, or a sha256 digest",
}
"""By kind or form: how a value is written."""


def _variable(text: str) -> str | None:
    return text if _VARIABLE.match(text) else None


def _party(text: str) -> str | None:
    if text.startswith("did:xinglin:"):
        return text if is_did(text) else None
    return text if _PARTY.match(text) else None


def _name(text: str) -> str | None:
    return text if is_name(text) else None


_FORMS: dict[str, Callable[[str], str | None]] = {
    "party": lru_cache(maxsize=4096)(_party),
    "name": lru_cache(maxsize=4096)(_name),
    "algorithm": lru_cache(maxsize=4096)(_name),
    "pack": lru_cache(maxsize=4096)(_name),
    "variable": lru_cache(maxsize=16_384)(_variable),
}
_GRADE = {grade: position for position, grade in enumerate(GRADES)}


def reader(operand: Operand) -> Callable[[str], Any]:
    """How a value of the operand that is *agreed* is read; gives ``None`` for what is not known."""
    if operand.values and operand.kind != "grade":
        return {value: value for value in operand.values}.get
    by_kind: dict[str, Callable[[str], Any]] = {
        **READ,
        "place": read_place,
        "window": read_window,
        "purpose": read_purpose,
        "grade": _GRADE.get,
    }
    return by_kind[operand.kind] if operand.kind in by_kind else _FORMS[operand.form]


def asked_reader(operand: Operand) -> Callable[[str], Any]:
    """How a fact is read: as an agreed value, except that hours are asked for at an instant."""
    return read_instant if operand.kind == "window" else reader(operand)


def spelled(operand: Operand, text: str) -> str | None:
    """The canonical spelling of an agreed value; ``None`` when it is not known or not a value.

    >>> spelled(OPERANDS["count"], "05.0"), spelled(OPERANDS["place"], "CN-31"), spelled(OPERANDS["grade"], "L9")
    ('5', 'CN-SH', None)
    """
    read = reader(operand)(text)
    if read is None:
        return None
    if operand.kind in ("place", "window"):
        return str(read.spelled)
    if operand.kind == "purpose":
        return str(read)
    return SPELL[operand.kind](text) if operand.kind in SPELL else text


def example(operand: Operand) -> str:
    """How a value of the operand is written, for a remedy."""
    if operand.values:
        return "one of " + ", ".join(operand.values)
    return EXAMPLES.get(operand.form) or EXAMPLES.get(operand.kind, "a text")


def shown(value: object) -> str:
    """A value in words, shortened: at most four of a set."""
    if isinstance(value, tuple | list | frozenset | set):
        items = [str(item)[:_SHOWN] for item in value]
        return ", ".join(items[:4]) + (f" and {len(items) - 4} others" if len(items) > 4 else "") or "nothing"
    return str(value)[:_SHOWN]


def operand_of(name: str) -> Operand | None:
    """The operand of that short name."""
    return OPERANDS.get(name)
