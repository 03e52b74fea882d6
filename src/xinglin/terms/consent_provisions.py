"""Provisions of a FHIR Consent as rules: purposes, actors, actions, labels, classes, periods, referenced data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from xinglin.kernel.instants import Instant, from_text
from xinglin.terms.consent import ANYTHING, DEPTH, RULES, Decision, Rule, Where
from xinglin.terms.consent_codes import (
    CATEGORY_OF,
    CATEGORY_SYSTEM,
    COMMERCIAL_SYSTEM,
    NOT_SECONDARY,
    NOT_USING,
    PURPOSE_OF,
    PURPOSE_SYSTEM,
    STUDY_SYSTEM,
    USING,
    WIDER_THAN_SAID,
)
from xinglin.terms.errors import TermsError
from xinglin.terms.purposes import read_purpose
from xinglin.terms.request import is_name

_KNOWN = frozenset(
    [
        "id",
        "extension",
        "type",
        "period",
        "actor",
        "action",
        "securityLabel",
        "purpose",
        "class",
        "documentType",
        "resourceType",
        "data",
        "provision",
    ]
)


class NotRead(TermsError):
    """A place in a Consent that cannot be read; it names the element, never a value."""

    code = "consent.not_understood"

    def __init__(self, place: str, words: str) -> None:
        super().__init__(words)
        self.place = place


def list_of(element: Mapping[str, Any], name: str, place: str) -> list[dict[str, Any]]:
    """The elements under ``name``; raises ``NotRead`` where they are no list of objects."""
    found = element.get(name, [])
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise NotRead(f"{place}.{name}", "not a list of elements")
    return found


def text_of(element: Mapping[str, Any], name: str, place: str) -> str:
    """The text under ``name``; raises ``NotRead`` where there is none."""
    found = element.get(name)
    if not isinstance(found, str):
        raise NotRead(f"{place}.{name}", "no text")
    return found


def codes_of(concept: Any, place: str) -> frozenset[str]:
    """The codes of a CodeableConcept or Coding; empty where there is none."""
    if concept is None:
        return frozenset()
    if not isinstance(concept, dict):
        raise NotRead(place, "not a concept")
    codings = [concept] if "code" in concept else list_of(concept, "coding", place)
    return frozenset(str(one["code"]) for one in codings if isinstance(one.get("code"), str))


def period_of(period: Any, decision: Decision, place: str) -> tuple[Instant | None, Instant | None]:
    """First instant and the first one after. Days without a zone make a denial long and a permission short."""
    if period is None:
        return None, None
    if not isinstance(period, dict):
        raise NotRead(place, "not a period")
    long = decision == "deny"
    since = until = None
    if "start" in period:
        since = spread(text_of(period, "start", place))[0 if long else 1]
    if "end" in period:
        until = spread(text_of(period, "end", place))[1 if long else 0] + 1
    return since, until


def spread(written: str) -> tuple[Instant, Instant]:
    """The first and the last instant that a FHIR dateTime can mean; without a zone, in any zone of the earth.

    >>> spread("1970-01-02T00:00:00Z"), spread("1970-01-02")
    ((86400000, 86400000), (36000000, 215999999))
    """
    if "T" in written:
        at = from_text(written)
        return at, at
    parts = [int(part) for part in written.split("-")]
    year, month, day = (*parts, 1, 1)[:3]
    first = datetime(year, month, day)  # noqa: DTZ001 - the zone is what is not known
    if len(parts) == 3:
        following = first + timedelta(days=1)
    elif len(parts) == 2:
        following = (first + timedelta(days=32)).replace(day=1)
    else:
        following = first.replace(year=first.year + 1)
    epoch = datetime(1970, 1, 1)  # noqa: DTZ001
    ms = timedelta(milliseconds=1)
    return (first - epoch - timedelta(hours=14)) // ms, (following - epoch + timedelta(hours=12)) // ms - 1


class Provisions:
    """Reads one Consent's provisions, within the limits of a choice."""

    def __init__(self) -> None:
        self._rules = 0

    def typed(self, provision: Mapping[str, Any], place: str, depth: int = 1) -> Rule:
        """R4: a provision that says its own type; one that does not is a denial that cannot be judged."""
        kind = provision.get("type")
        if kind not in ("permit", "deny"):
            return Rule("deny", Where(unclear=(f"{place}.type",)))
        where = self.where(provision, kind, place)
        return Rule(kind, where, self.children(provision, place, depth + 1))

    def children(self, provision: Mapping[str, Any], place: str, depth: int = 1) -> tuple[Rule, ...]:
        """R4: the exceptions inside a provision."""
        return self._each(provision, place, depth, lambda one, at: self.typed(one, at, depth))

    def flipped(self, provision: Mapping[str, Any], decision: Decision, place: str, depth: int = 1) -> Rule:
        """R5: a provision is an exception to what is above it, and those inside are exceptions to it."""
        opposite: Decision = "permit" if decision == "deny" else "deny"
        where = self.where(provision, decision, place)
        if "type" in provision:
            return Rule("deny", Where(unclear=(f"{place}.type",)))
        inner = self._each(provision, place, depth, lambda one, at: self.flipped(one, opposite, at, depth + 1))
        return Rule(decision, where, inner)

    def _each(
        self, provision: Mapping[str, Any], place: str, depth: int, read: Callable[[dict[str, Any], str], Rule]
    ) -> tuple[Rule, ...]:
        found = list_of(provision, "provision", place)
        self._rules += len(found)
        if found and (depth >= DEPTH.value - 1 or self._rules > RULES.value - 2):
            raise NotRead(place, "too many provisions")
        return tuple(read(one, f"{place}.provision[{n}]") for n, one in enumerate(found))

    def where(self, provision: Mapping[str, Any], decision: Decision, place: str) -> Where:
        """What a provision is about; conditions that nobody here can judge are named as unclear."""
        unclear = [f"{place}.{name}"[:80] for name in provision if name.lstrip("_") not in _KNOWN]
        since, until = period_of(provision.get("period"), decision, f"{place}.period")
        found = _Found(decision, place, unclear)
        found.purposes(provision)
        found.actions(provision)
        found.labels(provision)
        found.classes(provision)
        found.actors(provision)
        found.data(provision)
        return Where(
            purposes=tuple(sorted(set(found.purpose))),
            institutions=tuple(sorted(set(found.institution))),
            categories=tuple(sorted(set(found.category))),
            studies=tuple(sorted(set(found.study))),
            classes=tuple(sorted(set(found.kind))),
            commercial=found.commercial,
            since=since,
            until=until,
            unclear=tuple(dict.fromkeys(found.unclear)),
        )


class _Found:
    """What the elements of one provision come to."""

    def __init__(self, decision: Decision, place: str, unclear: list[str]) -> None:
        self._denial, self._place, self.unclear = decision == "deny", place, unclear
        self.purpose: list[str] = []
        self.institution: list[str] = []
        self.category: list[str] = []
        self.study: list[str] = []
        self.kind: list[str] = []
        self.commercial = False

    def purposes(self, provision: Mapping[str, Any]) -> None:
        """``purpose``: one of several is enough; beside an unknown one a denial may be about anything."""
        codings = list_of(provision, "purpose", self._place)
        for one in codings:
            system, code = one.get("system"), str(one.get("code"))
            if system == COMMERCIAL_SYSTEM and code == "commercial":
                self.commercial = True
                continue
            known = read_purpose(code) if system == PURPOSE_SYSTEM else PURPOSE_OF.get(code)
            known = known or ("clinical-care" if code in NOT_SECONDARY else None)
            if known is None or (code in WIDER_THAN_SAID and not self._denial):
                self._not_judged("purpose", known)
            if known is not None:
                self.purpose.append(known)
        if self.commercial and len(codings) > 1 and not self.purpose:
            self._not_judged("purpose", None)

    def _not_judged(self, name: str, known: str | None) -> None:
        """A value that is not known here: the rule may be about more (a denial) or about less (a permission)."""
        self.unclear.append(f"{self._place}.{name}")
        if self._denial and known is None and name == "purpose":
            self.purpose.append("any")

    def actions(self, provision: Mapping[str, Any]) -> None:
        """``action``: studies use data; they neither collect nor correct it."""
        found = [codes_of(one, f"{self._place}.action") for one in list_of(provision, "action", self._place)]
        if not found or any(codes & USING for codes in found):
            return
        if all(codes and codes <= NOT_USING for codes in found):
            self.purpose = ["clinical-care"]
            return
        self.unclear.append(f"{self._place}.action")

    def labels(self, provision: Mapping[str, Any]) -> None:
        """``securityLabel``: sensitive categories."""
        for one in list_of(provision, "securityLabel", self._place):
            code = str(one.get("code"))
            known = code if one.get("system") == CATEGORY_SYSTEM else CATEGORY_OF.get(code)
            if known is None:
                self._unknown_part("securityLabel", self.category)
            else:
                self.category.append(known)

    def classes(self, provision: Mapping[str, Any]) -> None:
        """``class`` (R4), ``resourceType`` and ``documentType`` (R5): kinds of records."""
        for name in ("class", "resourceType", "documentType"):
            for one in list_of(provision, name, self._place):
                code = one.get("code")
                if isinstance(code, str) and code.isalpha():
                    self.kind.append(code)
                else:
                    self._unknown_part(name, self.kind)

    def _unknown_part(self, name: str, known: list[str]) -> None:
        self.unclear.append(f"{self._place}.{name}")
        if self._denial:
            known.append(ANYTHING)

    def actors(self, provision: Mapping[str, Any]) -> None:
        """``actor``: who would use the data, in whichever role."""
        for one in list_of(provision, "actor", self._place):
            reference = one.get("reference")
            if not isinstance(reference, dict):
                self.unclear.append(f"{self._place}.actor")
                self.institution.append(ANYTHING)
                continue
            identifier = reference.get("identifier")
            value = identifier.get("value") if isinstance(identifier, dict) else None
            name = value or reference.get("reference") or reference.get("display")
            self.institution.append(str(name) if name else ANYTHING)

    def data(self, provision: Mapping[str, Any]) -> None:
        """``data``: a study by its identifier; single resources cannot be told apart in a study's views."""
        for one in list_of(provision, "data", self._place):
            reference = one.get("reference")
            identifier = reference.get("identifier") if isinstance(reference, dict) else None
            given = identifier if isinstance(identifier, dict) else {}
            named = given.get("value")
            if isinstance(named, str) and given.get("system") == STUDY_SYSTEM and is_name(named):
                self.study.append(named)
            else:
                self._unknown_part("data", self.study)
