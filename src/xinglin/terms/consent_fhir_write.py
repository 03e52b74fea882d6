"""Choices written as FHIR Consent, R4 or R5; read again they mean the same.

Where a choice says nothing, the law pack's regime does: the Consent names that as its base policy (``AS_LAW_SAYS``).
"""

from __future__ import annotations

from typing import Any, Literal

from xinglin.kernel.instants import to_text
from xinglin.terms.consent import ANYTHING, EVERYTHING, Choice, Decision, Rule, Where
from xinglin.terms.consent_codes import (
    AS_LAW_SAYS,
    CATEGORY_SYSTEM,
    COMMERCIAL_SYSTEM,
    INSTITUTION_SYSTEM,
    PURPOSE_SYSTEM,
    RESOURCE_TYPES,
    SCOPE,
    STUDY_SYSTEM,
)
from xinglin.terms.errors import TermsError

Release = Literal["R4", "R5"]

_ROLE = {
    "coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP"}],
}


class NotWritable(TermsError):
    """A choice that FHIR Consent has no words for."""

    code = "consent.not_writable"


def write_fhir_consent(choice: Choice, release: Release = "R4", *, person: str = "") -> dict[str, Any]:
    """A choice as a Consent of ``release``; ``person``: the reference to the patient, else the choice's key.

    Raises ``NotWritable`` for what was not understood when it was read, and for reversals.
    """
    if choice.flags or choice.kind == "reversal":
        raise NotWritable("The choice holds something that FHIR Consent cannot say.", remedy="Keep the original.")
    body: dict[str, Any] = {"resourceType": "Consent"}
    if choice.document.startswith("Consent/"):
        body["id"] = choice.document.removeprefix("Consent/")
    if choice.version_at >= 0:
        body["meta"] = {"lastUpdated": to_text(choice.version_at)}
    body["status"] = "active" if choice.rule is not None else "inactive"
    said = choice.said_at or to_text(choice.at)
    patient = {"reference": person or choice.person}
    if release == "R4":
        body["scope"] = {"coding": [{"system": SCOPE, "code": "research"}]}
        body["category"] = [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}]
        body |= {"patient": patient, "dateTime": said}
    else:
        body |= {"subject": patient, "date": _day(said)}
        # A day alone is less than an instant: the version's instant orders what the day cannot.
        body.setdefault("meta", {"lastUpdated": to_text(choice.latest)})
    if choice.delegate is not None:
        body["performer" if release == "R4" else "grantor"] = [{"reference": choice.delegate.name or "RelatedPerson/1"}]
    if choice.identity is not None:
        when = to_text(choice.identity.at)
        with_whom = {"reference": choice.delegate.name} if choice.delegate is not None else patient
        dates: Any = when if release == "R4" else [when]
        body["verification"] = [{"verified": True, "verifiedWith": with_whom, "verificationDate": dates}]
    if choice.rule is not None:
        body |= _r4(choice.rule) if release == "R4" else _r5(choice.rule)
    elif release == "R5":
        body["decision"] = "deny"
    else:
        body["policy"] = [{"uri": AS_LAW_SAYS}]
    return body


def _r4(rule: Rule) -> dict[str, Any]:
    found = {"policy": [{"uri": AS_LAW_SAYS}]}
    if rule.decision == "silent" and rule.where == EVERYTHING:
        return found | {"provision": {"provision": [_typed(one) for one in rule.exceptions]}}
    return found | {"provision": {"provision": [_typed(rule)]}}


def _typed(rule: Rule) -> dict[str, Any]:
    if rule.decision == "silent":
        raise NotWritable("A rule inside a choice permits or denies.")
    body = {"type": rule.decision, **_where(rule.where, "R4", rule.decision)}
    if rule.exceptions:
        body["provision"] = [_typed(one) for one in rule.exceptions]
    return body


def _r5(rule: Rule) -> dict[str, Any]:
    if rule.decision != "silent" and rule.where == EVERYTHING:
        return {"decision": rule.decision, "provision": [_flipped(one, rule.decision) for one in rule.exceptions]}
    rules = rule.exceptions if rule.decision == "silent" and rule.where == EVERYTHING else (rule,)
    if not rules or len({one.decision for one in rules}) != 1 or rules[0].decision == "silent":
        raise NotWritable("R5 has one decision a level.", remedy="Write it as R4, or as several choices.")
    opposite: Decision = "deny" if rules[0].decision == "permit" else "permit"
    return {
        "policyBasis": {"url": AS_LAW_SAYS},
        "decision": opposite,
        "provision": [_flipped(one, opposite) for one in rules],
    }


def _flipped(rule: Rule, above: Decision) -> dict[str, Any]:
    if rule.decision in (above, "silent"):
        raise NotWritable("R5 has exceptions that are the opposite of what they are in.", remedy="Write it as R4.")
    body = _where(rule.where, "R5", rule.decision)
    if rule.exceptions:
        body["provision"] = [_flipped(one, rule.decision) for one in rule.exceptions]
    return body


def _where(where: Where, release: Release, decision: Decision) -> dict[str, Any]:
    if where.unclear or ANYTHING in (*where.categories, *where.classes, *where.institutions):
        raise NotWritable("The choice holds something that was not understood.", remedy="Keep the original.")
    body: dict[str, Any] = {}
    period = {}
    if where.since is not None:
        period["start"] = to_text(where.since)
    if where.until is not None:
        period["end"] = to_text(where.until - 1)
    purposes = [{"system": PURPOSE_SYSTEM, "code": one} for one in where.purposes]
    if where.commercial:
        purposes.append({"system": COMMERCIAL_SYSTEM, "code": "commercial"})
    kinds = [{"system": RESOURCE_TYPES, "code": one} for one in where.classes]
    parts: dict[str, Any] = {
        "period": period,
        "purpose": purposes,
        "securityLabel": [{"system": CATEGORY_SYSTEM, "code": one} for one in where.categories],
        "class" if release == "R4" else "resourceType": kinds,
        "actor": [
            {"role": _ROLE, "reference": {"identifier": {"system": INSTITUTION_SYSTEM, "value": one}}}
            for one in where.institutions
        ],
        "data": [
            {"meaning": "related", "reference": {"identifier": {"system": STUDY_SYSTEM, "value": one}}}
            for one in where.studies
        ],
    }
    body |= {name: value for name, value in parts.items() if value}
    return body


def _day(said: str) -> str:
    return said.partition("T")[0]
