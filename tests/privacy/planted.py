"""Records full of planted identifiers, generated from the definitions, and a slow reading of what a profile keeps.

Every leaf of a record gets a token of its own. The reading here walks a profile's lists by the words of its
documentation and shares nothing with the compiled functions but the definitions of FHIR.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from xinglin.privacy.deidentify.model import DROP, Action, Profile
from xinglin.records.fhir.definitions import Element, ElementType, elements, is_defined, lineage
from xinglin.records.fhir.primitives import is_primitive

DEPTH = 3
TOKEN = re.compile(r"planted\d+x|1\d{9}|1[78]\d\d-\d\d-\d\d(?:T[0-9:.]+\+08:00)?")
NUMBERS = ("decimal", "integer", "unsignedInt", "positiveInt")
DATES = ("date", "dateTime", "instant")
Place = tuple[tuple[str, str], ...]
"""The elements that lead to a leaf: the type that holds it and its JSON name."""


class Tokens:
    """Tokens and where each of them was planted."""

    def __init__(self) -> None:
        self.places: dict[str, tuple[Place, str]] = {}
        self._next = 0

    def new(self, place: Place, type_: str) -> str:
        self._next += 1
        token = f"planted{self._next}x"
        self.places[token] = (place, type_)
        return token

    def value(self, place: Place, type_: str) -> Any:
        """A value of a primitive type that holds a token: a name where texts may be, an odd number or date else."""
        token = self.new(place, type_)
        if type_ in NUMBERS:
            number = 1_000_000_000 + self._next
            self.places[str(number)] = self.places.pop(token)
            return number
        if type_ in DATES:
            day = f"{1700 + self._next % 90}-{1 + self._next % 12:02d}-{1 + self._next // 90 % 28:02d}"
            stamp = f"{day}T10:11:12.{100_000 + self._next}+08:00"
            text = day if type_ == "date" else stamp
            self.places[text] = self.places.pop(token)
            return text
        return token


def resource(kind: str, tokens: Tokens, place: Place = (), depth: int = 0) -> dict[str, Any]:
    """A resource of a type in which every element is filled, choices in every type, extensions at every level.

    ``depth``: below 0 for more levels of data types.
    """
    body: dict[str, Any] = {"resourceType": kind, **_object(kind, tokens, place, depth)}
    if depth <= 0 and "DomainResource" in lineage(kind):
        inner = (*place, (kind, "contained"))
        body["contained"] = [resource(each, tokens, inner, DEPTH - 1) for each in ("Patient", "Observation")]
    return body


def _object(kind: str, tokens: Tokens, place: Place, depth: int) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for element in elements(kind, "R4"):
        if element.name in ("contained", "modifierExtension"):
            continue
        for name, type_ in element.names().items():
            where = (*place, (kind, name))
            made = _value(kind, element, type_, tokens, where, depth)
            if made is None:
                continue
            out[name] = [made] if element.many else made
            if is_primitive(type_.name):
                beside = {"id": tokens.new(where, "beside"), "extension": [_extension(tokens, where)]}
                out["_" + name] = [beside] if element.many else beside
    out["extension"] = [_extension(tokens, place)]
    return out


def _extension(tokens: Tokens, place: Place) -> dict[str, Any]:
    inner = {"url": "inner", "valueHumanName": {"text": tokens.new(place, "extension")}}
    return {"url": tokens.new(place, "extension"), "valueString": tokens.new(place, "extension"), "extension": [inner]}


def _value(kind: str, element: Element, type_: ElementType, tokens: Tokens, place: Place, depth: int) -> Any:
    name = type_.name.removeprefix("@")
    if name in ("Extension", "Resource"):
        return None
    if is_primitive(name):
        if name == "boolean":
            return True
        if (kind, element.name) == ("Reference", "reference"):
            return "Patient/" + tokens.new(place, "reference")
        if name == "xhtml":
            return f'<div xmlns="http://www.w3.org/1999/xhtml">{tokens.new(place, "xhtml")}</div>'
        return tokens.value(place, name)
    return _object(name, tokens, place, depth + 1) if depth < DEPTH and is_defined(name) else None


def action_at(profile: Profile, place: Place, type_: str) -> Action | None:
    """What a profile does with a leaf, read slowly; ``None`` where anything on the way is not named."""
    action: Action | None = None
    over: list[Action] = []
    for kind, name in place:
        lists = [profile.fhir[each][name] for each in lineage(kind) if name in profile.fhir.get(each, {})]
        if not lists or lists[0] == DROP:
            return None
        action = lists[0]
        over.append(action)
    about = [each for each in over if each.do != "keep" and _is_about(each, type_)]
    return about[0] if about else action


def _is_about(action: Action, type_: str) -> bool:
    """Whether an action on a whole reaches a leaf of a type inside it."""
    if action.do == "change":
        return (type_ in DATES and action.on_dates) or (type_ == "code" and bool(action.prefix))
    return type_ in ("string", "markdown") if action.do == "note" else True


def found_in(text: str, tokens: Tokens) -> set[str]:
    """The tokens that are in a text."""
    return {token for token in TOKEN.findall(text) if token in tokens.places}


def leaves(value: Any) -> Iterator[Any]:
    """Every primitive value of a JSON value, names apart."""
    if isinstance(value, dict):
        for each in value.values():
            yield from leaves(each)
    elif isinstance(value, list):
        for each in value:
            yield from leaves(each)
    else:
        yield value
