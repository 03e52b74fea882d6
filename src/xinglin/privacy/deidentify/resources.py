"""Profiles compiled for FHIR: one function a type, made from the definitions and the allow-list.

An element that no list names is not looked at: extensions, primitives' siblings with an underscore and elements of
other releases included. What is kept still has to be what its type says: a date a date, a code of a required value
set one of its codes; anything else in its place is dropped.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from xinglin.privacy.deidentify.actions import meet
from xinglin.privacy.deidentify.columns import Secrets
from xinglin.privacy.deidentify.errors import BadProfile, BadRecord
from xinglin.privacy.deidentify.leaves import Leaves, fits
from xinglin.privacy.deidentify.model import DROP, KEEP, Action, Profile
from xinglin.privacy.deidentify.names import inherited, is_resource, named
from xinglin.privacy.deidentify.notes import Note
from xinglin.privacy.deidentify.own_record import known_of_resource
from xinglin.privacy.deidentify.record import Record, inner_id, known_in, person_in
from xinglin.records.fhir.definitions import Element, ElementType, is_defined
from xinglin.records.fhir.primitives import is_primitive

Step = Callable[[Any, Record], Any]
OBSERVATION_VALUE = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue"
_MODIFIER = "modifierExtension"


class ResourcePlan:
    """What becomes of FHIR resources under one profile."""

    def __init__(self, profile: Profile, secrets: Secrets, today: date | None, note: Note) -> None:
        self._profile, self._secrets = profile, secrets
        self._leaves = Leaves(today, note)
        self._made: dict[tuple[str, Action | None, str], Walk] = {}
        self._has_notes = any(action.do == "note" for fields in profile.fhir.values() for action in fields.values())
        self._label = {"system": OBSERVATION_VALUE, "code": profile.label}
        self.types = frozenset(
            kind
            for kind, fields in profile.fhir.items()
            if is_resource(kind) and any(action != DROP for action in fields.values())
        )
        for kind in sorted(self.types):
            self.walk(kind)

    def apply(
        self, body: dict[str, Any], namespace: str, person: str | None, dictionary: Any = None
    ) -> dict[str, Any] | None:
        """One resource. Raises ``BadRecord`` where it is nested too deeply to be walked."""
        kind = body.get("resourceType")
        known = known_in(body) if kind == "Bundle" else {}
        if dictionary is None and self._has_notes:
            dictionary = known_of_resource(body)
        record = Record(self._secrets, namespace, person, known, dictionary)
        try:
            return self._standing_alone(body, record, person)
        except RecursionError as error:
            raise BadRecord("It is nested too deeply.", place="fhir", remedy="Nothing of it is given.") from error

    def _standing_alone(self, body: Any, outer: Record, person: str | None) -> dict[str, Any] | None:
        kind = body.get("resourceType") if type(body) is dict else None
        if type(kind) is not str or kind not in self.types:
            return None
        record = Record(self._secrets, outer.namespace, person or person_in(body, outer), outer.known, outer.dictionary)
        out = self.walk(kind).apply(body, record)
        if out is None:
            return None
        out = {"resourceType": kind, **out}
        meta = out.get("meta")
        out["meta"] = {**(meta if meta else {}), "security": [self._label]}
        return out

    def contained(self, body: Any, record: Record) -> dict[str, Any] | None:
        """A resource inside another: of the same person, without labels of its own."""
        kind = body.get("resourceType") if type(body) is dict else None
        if type(kind) is not str or kind not in self.types or kind == "Bundle":
            return None
        out = self.walk(kind).apply(body, record)
        if out is None:
            return None
        own = body.get("id")
        if "id" in out and type(own) is str:
            out["id"] = inner_id(self._secrets.pseudonyms, own)
        return {"resourceType": kind, **out}

    def entry(self, body: Any, record: Record) -> dict[str, Any] | None:
        """The resource of a Bundle's entry, of a person of its own."""
        return self._standing_alone(body, record, None)

    def walk(self, kind: str, over: Action | None = None, within: str = "") -> Walk:
        """The function of a type; ``over``: what is done to its leaves that it fits; ``within``: dotted names."""
        key = (kind, over, within)
        found = self._made.get(key)
        if found is None:
            found = self._made[key] = Walk(self._fields(kind, within))
            found.fill(self, kind, over, within)
        return found

    def _fields(self, kind: str, within: str) -> dict[str, Action]:
        """The actions of a type's elements by name; a dotted name goes before the type's own list."""
        fields: dict[str, Action] = {}
        for each in inherited(kind):
            fields.update(self._profile.fhir.get(each, {}))
        if within:
            top, _, path = within.partition(":")
            dotted = path + "."
            own = self._profile.fhir.get(top, {})
            chosen = {name.removeprefix(dotted): act for name, act in own.items() if name.startswith(dotted)}
            fields = chosen or fields
        heads = {name.partition(".")[0] for name in fields if "." in name}
        return {**dict.fromkeys(heads, KEEP), **{name: act for name, act in fields.items() if "." not in name}}

    def dotted(self, kind: str, name: str, within: str) -> str:
        """Where dotted names of a type would go on from an element; empty where there are none."""
        top, _, path = within.partition(":")
        owners = [(top, f"{path}.{name}")] if within else [(each, name) for each in inherited(kind)]
        for owner, where in owners:
            if any(each.startswith(where + ".") for each in self._profile.fhir.get(owner, {})):
                return f"{owner}:{where}"
        return ""

    def step(self, kind: str, element: Element, type_: ElementType, action: Action, within: str) -> Step | None:
        """What is done with one value of an element; ``within`` is where dotted names go on."""
        name, place = type_.name.removeprefix("@"), f"fhir.{kind}.{element.name}"
        if action == DROP:
            return None
        if action.do == "substitute":
            return lambda value, record: action.value
        special = self._special(kind, element, name, action)
        if special is not None:
            return special
        if is_primitive(name):
            return self._leaves.step(kind, element.name, type_, action)
        if not is_defined(name):
            raise BadProfile("Its type has no definition, so it cannot be kept.", place=place)
        walk = self.walk(name, None if action == KEEP else action, within).apply
        return _entry_of(walk) if name == "Bundle.entry" else walk

    def _special(self, kind: str, element: Element, name: str, action: Action) -> Step | None:
        if name == "Resource":
            return self.contained if element.name == "contained" else self.entry
        if action.do != "pseudonymise":
            return None
        if name == "Reference":
            return _pseudonymous_reference
        if (kind, element.name) == ("Reference", "reference"):
            return lambda value, record: record.reference(value) if type(value) is str else None
        if (kind, element.name) == ("Bundle.entry", "fullUrl"):
            return lambda value, record: record.full_url(value) if type(value) is str else None
        if element.name == "id" and is_resource(kind):
            return lambda value, record: record.pseudonym_of_id(kind, value) if type(value) is str else None
        return None

    def extensions(self) -> dict[str, Step]:
        """Steps of the extensions that the profile names, by URL."""
        return {url: self._extension(url, action) for url, action in self._profile.extensions.items()}

    def _extension(self, url: str, action: Action) -> Step:
        def step(value: Any, record: Record) -> dict[str, Any] | None:
            for name, inner in value.items():
                found = named("Extension", name) if name.startswith("value") else None
                made = self.step("Extension", found[0], found[1], action, "") if found else None
                new = made(inner, record) if made else None
                if new is not None:
                    return {"url": url, name: new}
            return None

        return step


class Walk:
    """The function of one type: the steps of the elements that are named."""

    __slots__ = ("_extensions", "_fields", "_steps", "depth")

    def __init__(self, fields: dict[str, Action]) -> None:
        self._fields = fields
        self._steps: dict[str, Step] = {}
        self._extensions: dict[str, Step] = {}

    def fill(self, plan: ResourcePlan, kind: str, over: Action | None, within: str) -> None:
        """Make the steps; apart from the constructor, since types hold themselves."""
        self._extensions = plan.extensions()
        for name, action in self._fields.items():
            found = named(kind, name)
            if found is None or action == DROP:
                continue
            element, type_ = found
            chosen = _under(over, action, type_.name, name) if over is not None else action
            step = plan.step(kind, element, type_, chosen, plan.dotted(kind, name, within))
            if step is not None:
                self._steps[name] = _many(step) if element.many else step

    def apply(self, value: Any, record: Record) -> dict[str, Any] | None:
        """One object; ``None`` where nothing of it stays, or where it says by a modifier that it means otherwise."""
        if type(value) is not dict:
            return None
        out = {}
        steps = self._steps
        for name, inner in value.items():
            step = steps.get(name)
            if step is not None:
                new = step(inner, record)
                if new is not None:
                    out[name] = new
            elif name == _MODIFIER:
                return None
            elif name == "extension" and self._extensions:
                kept = self._kept(inner, record)
                if kept:
                    out[name] = kept
        return out or None

    def _kept(self, extensions: Any, record: Record) -> list[Any]:
        found = []
        for each in extensions if type(extensions) is list else ():
            step = self._extensions.get(str(each.get("url"))) if type(each) is dict else None
            new = step(each, record) if step else None
            if new is not None:
                found.append(new)
        return found


def _entry_of(walk: Step) -> Step:
    """An entry whose resource is not given is not given either."""

    def step(value: Any, record: Record) -> Any:
        out = walk(value, record)
        return None if out is None or "resource" not in out else out

    return step


def _under(over: Action, own: Action, type_name: str, name: str) -> Action:
    """The action of a part where something is done with the whole: never less than the part's own."""
    if is_primitive(type_name):
        return meet(over, own) if fits(over, type_name, name) else own
    return meet(over, own) if own == KEEP or over.do == own.do == "change" else own


def _many(step: Step) -> Step:
    def each(values: Any, record: Record) -> list[Any] | None:
        if type(values) is not list:
            return None
        new = [made for value in values if (made := step(value, record)) is not None]
        return new or None

    return each


def _pseudonymous_reference(value: Any, record: Record) -> dict[str, Any] | None:
    text = value.get("reference") if type(value) is dict else None
    new = record.reference(text) if type(text) is str else None
    return {"reference": new} if new is not None else None
