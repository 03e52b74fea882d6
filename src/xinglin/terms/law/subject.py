"""The subject of a check: what is known of a use, typed; ``None`` is not known, an empty set is known to be empty."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from xinglin.kernel.errors import MalformedMessage
from xinglin.kernel.instants import Instant, from_text
from xinglin.kernel.limits import Limit
from xinglin.terms.law.errors import LawError, unknown_word
from xinglin.terms.law.facts import FACTS, Fact
from xinglin.terms.places import Place, read_place
from xinglin.terms.purposes import PURPOSES, check_purpose
from xinglin.terms.request import is_name

Words = frozenset[str]
SET_SIZE = Limit("values of a fact", 256, "values")

_SENSITIVE = frozenset(
    {"health-status", "medical-application", "medical-payment", "genetic", "biometric", "location", "biospecimens"}
)


class LawSubject(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is known of a use, an agreement or terms; ``matter`` is the study or agreement that answers are about.

    The fields are the facts of ``facts.FACTS``; instants are milliseconds since the epoch.
    """

    matter: str
    at: Instant
    categories: Words | None = None
    identifiability: str | None = None
    identifiers: Words | None = None
    data_class: str | None = None
    persons: int | None = None
    genomes: int | None = None
    held_persons: int | None = None
    minors_under_14: bool | None = None
    without_capacity: bool | None = None
    purposes: Words | None = None
    operations: Words | None = None
    outputs: str | None = None
    commercial: bool | None = None
    sold: bool | None = None
    automated_decisions: bool | None = None
    large_scale: bool | None = None
    foreign_court: bool | None = None
    relation: str | None = None
    recipient_class: str | None = None
    recipient_foreign: bool | None = None
    collects: bool | None = None
    clinical_trial: bool | None = None
    origin: str | None = None
    destinations: Words | None = None
    environment: str | None = None
    basis: str | None = None
    consent: Words | None = None
    lawful_ground: str | None = None
    special_ground: str | None = None
    hipaa_form: str | None = None
    hipaa_ground: str | None = None
    documents: Words | None = None
    measures: Words | None = None
    duties: Words | None = None
    retention_ends: Instant | None = None
    ethics_expires: Instant | None = None
    ethics_reviewed: Instant | None = None
    permit: str | None = None
    permit_expires: Instant | None = None
    permit_extensions: int | None = None
    log_days: int | None = None
    dengbao_level: int | None = None
    dengbao_assessed: Instant | None = None
    miping_assessed: Instant | None = None
    risk_assessed: Instant | None = None
    audited: Instant | None = None

    @property
    def personal(self) -> bool | None:
        """Whether it is personal data: whatever is not anonymous."""
        return None if self.identifiability is None else self.identifiability != "anonymous"

    @property
    def sensitive(self) -> bool | None:
        """Whether it is sensitive (special) personal data: health, genetics, biometrics, tracks, or of children."""
        if not self.personal:
            return self.personal
        if self.minors_under_14 or (self.categories and self.categories & _SENSITIVE):
            return True
        return None if self.categories is None or self.minors_under_14 is None else False

    @property
    def leaves_china(self) -> bool | None:
        """Whether data of the mainland is used or seen from outside it, Hong Kong, Macao and Taiwan included."""
        return _leaves(self, _MAINLAND)

    @property
    def leaves_eea(self) -> bool | None:
        """Whether data of the European Economic Area is used or seen from outside it."""
        return _leaves(self, _EEA)


_MAINLAND = "mainland"
_EEA = "EEA"
_SEPARATE = ("71", "81", "82")


def read_subject(values: Mapping[str, Any]) -> LawSubject:
    """The subject that a table (of TOML or JSON) states; instants as RFC 3339 texts or TOML date-times.

    Raises ``LawError`` for an unknown fact or value, with the nearest known one.
    """
    read: dict[str, Any] = {}
    for name, value in values.items():
        if name == "matter":
            read[name] = value
            continue
        fact = FACTS.get(name)
        if fact is None or fact.derived:
            known = [one for one, found in FACTS.items() if not found.derived]
            raise unknown_word("fact", name, known)
        read[name] = read_instant_of(name, value) if fact.kind == "instant" else value
    try:
        found = msgspec.convert(read, LawSubject)
    except msgspec.ValidationError as error:
        raise LawError("A fact is not of its kind.", why=str(error), remedy="See the facts in docs/law.md.") from error
    check_subject(found)
    return found


def check_subject(subject: LawSubject) -> None:
    """Raise ``LawError`` where a fact has a value that its list does not have."""
    if not is_name(subject.matter):
        raise LawError("A subject names its matter.", remedy="Write the study's or agreement's plain name in 'matter'.")
    for fact in FACTS.values():
        value = None if fact.derived else getattr(subject, fact.name)
        if value is not None:
            check_value(fact, value)


def check_value(fact: Fact, value: Any) -> None:
    """Raise ``LawError`` where ``value`` is none of the fact's: an unknown word or place, a negative number."""
    if isinstance(value, frozenset):
        SET_SIZE.check(len(value))
        for one in value:
            _check_word(fact, one)
    elif isinstance(value, str):
        _check_word(fact, value)
    elif isinstance(value, int) and value < 0:
        raise LawError(f"'{fact.name}' is not negative.", remedy="Write 0 or more.")


def _check_word(fact: Fact, word: str) -> None:
    if fact.values and word not in fact.values:
        raise unknown_word(f"value of '{fact.name}'", word, fact.values)
    if fact.kind in ("place", "places") and read_place(word) is None:
        raise LawError(f"'{word[:40]}' is no place.", remedy="Write a place such as CN, CN-SH, DE or EU.")
    if fact.kind == "purposes" and not known_purpose(word):
        raise unknown_word("purpose", word, PURPOSES)


def known_purpose(text: str) -> bool:
    """Whether it is a purpose at all; prohibited ones are known."""
    return (text in PURPOSES and PURPOSES[text].prohibited) or bool(check_purpose(text))


def with_terms(
    known: LawSubject, *, purposes: Iterable[str], operations: Iterable[str], grade: str, at: Instant
) -> LawSubject:
    """What is known, with what terms or a request say themselves; grade L3 adds genetic data to known categories.

    Raises ``LawError`` where a purpose or an operation is none.
    """
    categories = known.categories
    if grade == "L3" and categories is not None:
        categories = categories | {"genetic"}
    found = replace(known, purposes=frozenset(purposes), operations=frozenset(operations), categories=categories, at=at)
    check_subject(found)
    return found


def read_instant_of(name: str, value: Any) -> Instant:
    """The instant that a value of TOML or JSON states for a fact; ``LawError`` without a zone."""
    try:
        if isinstance(value, datetime):
            return from_text(value.isoformat())
        if isinstance(value, str):
            return from_text(value)
    except MalformedMessage as error:
        raise LawError(f"'{name}' is no instant.", why=error.what, remedy="Write it with its zone.") from error
    raise LawError(f"'{name}' is no instant.", remedy="Write it as 2026-01-01T00:00:00+08:00.")


def _leaves(subject: LawSubject, area: str) -> bool | None:
    """Whether data that is in ``area`` is used from outside it."""
    origin = None if subject.origin is None else _inside(read_place(subject.origin), area)
    if origin is False:
        return False
    if subject.destinations is None:
        return None
    inside = [_inside(read_place(one), area) for one in subject.destinations]
    if all(inside):
        return False
    return None if origin is None or False not in inside else True


def _inside(place: Place | None, area: str) -> bool | None:
    if place is None:
        return None
    if area == _EEA:
        eea = read_place(_EEA)
        return place.within(eea) if eea is not None else None
    if place.group:
        return None if "CN" in place.group else False
    return place.path[0] == "CN" and (len(place.path) == 1 or place.path[1] not in _SEPARATE)
