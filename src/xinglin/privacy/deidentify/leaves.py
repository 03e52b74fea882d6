"""Primitive values of FHIR: kept where they are what their type says, and changed."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import Any

from xinglin.privacy.deidentify.dates import change_date
from xinglin.privacy.deidentify.errors import BadProfile
from xinglin.privacy.deidentify.model import KEEP, Action
from xinglin.privacy.deidentify.names import inherited
from xinglin.privacy.deidentify.notes import Note
from xinglin.privacy.deidentify.record import Record
from xinglin.privacy.deidentify.tables import first_year
from xinglin.privacy.deidentify.texts import change_number, change_text
from xinglin.records.fhir.definitions import ElementType, value_set
from xinglin.records.fhir.primitives import Test, remembered, right_kind, test_of

Step = Callable[[Any, Record], Any]
DATES = ("date", "dateTime", "instant")
NUMBERS = ("decimal", "integer", "unsignedInt", "positiveInt", "integer64")
TEXTS = ("string", "markdown")
CODES = ("code", "string", "uri")
_WHOLE = NUMBERS[1:]
# A system is an absolute URI, a version one word, a unit short and without a number of anybody.
_SYSTEM = r"(?:urn:[A-Za-z0-9][A-Za-z0-9-]{0,31}:|https?://)\S+"
_NARROW = {
    ("Coding", "system"): _SYSTEM,
    ("Quantity", "system"): _SYSTEM,
    ("Coding", "version"): r"\S{1,200}",
    ("Quantity", "unit"): r"(?!.*\d{6})(?=.*\S).{1,40}",
}


def fits(action: Action, type_name: str, name: str) -> bool:
    """Whether an action on a whole is about a primitive inside of it."""
    if action.do == "note":
        return type_name in TEXTS
    if action.do == "pseudonymise":
        return name == "value" and type_name in TEXTS
    if action.do != "change":
        return False
    if type_name in DATES:
        return action.on_dates
    if type_name in NUMBERS:
        return name == "value" and bool(action.on_numbers or action.oldest)
    return type_name == "code" and name == "code" and bool(action.prefix)


class Leaves:
    """Makes the functions of primitive values."""

    def __init__(self, today: date | None, note: Note) -> None:
        self._today, self._note = today, note

    def step(self, kind: str, name: str, type_: ElementType, action: Action) -> Step | None:
        """The function of one primitive element. Raises ``BadProfile`` where the action does not fit its type."""
        place = f"fhir.{kind}.{name}"
        if action == KEEP:
            form = _form(kind, name)
            return _kept(type_) if form is None else lambda value, record: value if form(value) else None
        if action.do == "note":
            if type_.name not in TEXTS:
                raise BadProfile("Only texts are notes.", place=place)
            return lambda value, record: self._note(value, record.dictionary) if type(value) is str else None
        if action.do == "pseudonymise":
            return lambda value, record: record.pseudonym(value) if type(value) is str else None
        return self._changed(place, type_, action)

    def _changed(self, place: str, type_: ElementType, action: Action) -> Step | None:
        if type_.name in DATES:
            return self._date(place, action)
        if type_.name == "time":
            # A time of day has no date to shift; made coarser than a day, nothing is left of it.
            return None if action.date or not action.on_dates else _kept(type_)
        if type_.name in NUMBERS:
            return _number(place, type_, action)
        if type_.name in CODES and action.on_texts:
            return lambda value, record: change_text(value, action) if type(value) is str else None
        raise BadProfile(f"A value of type '{type_.name}' cannot be changed so.", place=place)

    def _date(self, place: str, action: Action) -> Step:
        if action.on_numbers or action.on_texts:
            raise BadProfile("A date is no number and no code.", place=place)
        first, days = first_year(action, self._today, place), action.shift_days

        def step(value: Any, record: Record) -> str | None:
            if type(value) is not str:
                return None
            return change_date(value, action, record.shift(days) if days else None, first)

        return step


def _form(kind: str, name: str) -> Test | None:
    """The narrower test of an element in which senders write words that its type lets pass."""
    found = _NARROW.get((kind, name)) or (_NARROW.get(("Quantity", name)) if "Quantity" in inherited(kind) else None)
    if found is None:
        return None
    fullmatch = re.compile(found).fullmatch
    known = remembered(fullmatch)
    return lambda value: type(value) is str and known(value)


def _kept(type_: ElementType) -> Step:
    if type_.values:
        codes = frozenset(code for codes in value_set(type_.values).values() for code in codes)
        return lambda value, record: value if type(value) is str and value in codes else None
    test, name = test_of(type_.name), type_.name

    def step(value: Any, record: Record) -> Any:
        del record
        return value if right_kind(name, value) and test(value) else None

    return step


def _number(place: str, type_: ElementType, action: Action) -> Step:
    test, most = test_of(type_.name), action.oldest + 1 if action.oldest else None
    if not (action.on_numbers or action.oldest):
        raise BadProfile("A number cannot be changed so.", place=place)

    def step(value: Any, record: Record) -> Any:
        if type(value) is bool or not test(value):
            return None
        if most is not None:
            value = min(value, most)
        new = change_number(value, action, record.draw(place, value) if action.span else 0.0)
        return new if type_.name not in _WHOLE or type(new) is int else int(new)

    return step
