"""FHIR Consent read as choices, in the semantics of R4 (and R4B) and R5.

R4: ``policyRule`` is the base, ``provision`` the exceptions, each with its ``type``. R5: ``decision`` is the base,
each level of ``provision`` is an exception to the one above, and so its opposite. What nobody here can judge leaves
a rule *unclear* (a denial then counts, a permission does not); what cannot be read at all denies every secondary use
of that person, and says so in ``flags``. Consents to treatment are none of this room's: they give no choice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from xinglin.kernel.errors import MalformedMessage
from xinglin.kernel.instants import Instant, from_text
from xinglin.terms.consent import EVERYTHING, Choice, Decision, Delegate, IdentityCheck, Rule, Where
from xinglin.terms.consent_codes import AS_LAW_SAYS, CARE_SCOPES, DENYING, OTHER_SCOPES, PERMITTING
from xinglin.terms.consent_provisions import NotRead, Provisions, codes_of, list_of, period_of, spread, text_of
from xinglin.terms.errors import TermsError

_SILENT_STATUS = frozenset({"inactive", "entered-in-error", "draft", "proposed", "not-done"})
_KNOWN = frozenset(
    {
        "resourceType",
        "id",
        "meta",
        "implicitRules",
        "language",
        "text",
        "contained",
        "extension",
        "identifier",
        "status",
        "category",
        "sourceAttachment",
        "sourceReference",
        "verification",
        "provision",
    }
)
"""Elements that both releases have."""
_KNOWN_R4 = _KNOWN | frozenset(
    {
        "scope",
        "patient",
        "dateTime",
        "performer",
        "organization",
        "policy",
        "policyRule",
    }
)
_KNOWN_R5 = _KNOWN | frozenset(
    {
        "subject",
        "date",
        "period",
        "grantor",
        "grantee",
        "manager",
        "controller",
        "regulatoryBasis",
        "policyBasis",
        "policyText",
        "decision",
    }
)
_HARMLESS = ("implicitRules", "modifierExtension")
"""Elements that change what all others mean; none of them is known here."""

DENY_ALL = Rule("deny")
PROVISION = "Consent.provision"


class NobodysConsent(TermsError):
    """A Consent that says of no person in this hospital: it can be applied to nobody."""

    code = "consent.no_patient"


def read_fhir_consent(
    resource: Mapping[str, Any], *, source: str = "fhir", namespace: str = "", related: Mapping[str, Any] | None = None
) -> tuple[Choice, ...]:
    """The choices of one Consent; none for one that is about treatment alone.

    ``source``: where it came from. ``namespace``: of the source's keys. ``related``: resources by reference
    (``RelatedPerson/3``), for the dates of a guardian. Raises ``NobodysConsent`` where it names no patient. Whoever
    records them adds the identity check, where the resource holds none, and a random id.
    """
    release = _release(resource)
    person = _person(resource, namespace)
    try:
        if _about_care(resource, release):
            return ()
        choice = _choice(resource, release, person, source, related or {})
        found = _of_namespace(choice, namespace)
        return (found,) if found.rule is not None or found.document else ()
    except (NotRead, MalformedMessage, ValueError, TypeError, AttributeError, OverflowError) as error:
        flag = f"{error.place}: {error.what}" if isinstance(error, NotRead) else "Consent: not readable"
        return (_of_namespace(_denying(resource, person, source, flag), namespace),)


def not_understood(resource: Mapping[str, Any], *, source: str, namespace: str = "", flag: str) -> Choice:
    """What stands for a Consent that cannot be kept as it was read: it denies everything, and ``flag`` says why.

    Raises ``NobodysConsent``.
    """
    return _of_namespace(_denying(resource, _person(resource, namespace), source, flag), namespace)


def _of_namespace(choice: Choice, namespace: str) -> Choice:
    """Two sources may number their Consents alike: each document is known by its source's namespace as well."""
    if not namespace or not choice.document:
        return choice
    return msgspec.structs.replace(choice, document=f"{namespace}/{choice.document}")


def _release(resource: Mapping[str, Any]) -> str:
    """R4 or R5 by the elements that only one of them has; empty where both or neither are there."""
    r5 = any(name in resource for name in ("decision", "subject", "policyBasis", "regulatoryBasis", "grantor"))
    r5 = r5 or isinstance(resource.get("provision"), list)
    r4 = any(name in resource for name in ("scope", "patient", "policyRule", "dateTime", "performer", "policy"))
    r4 = r4 or isinstance(resource.get("provision"), dict)
    return "" if r4 == r5 else "R5" if r5 else "R4"


def _person(resource: Mapping[str, Any], namespace: str) -> str:
    named = resource.get("patient") or resource.get("subject")
    reference = named.get("reference") if isinstance(named, dict) else None
    if not isinstance(reference, str):
        raise NobodysConsent("A Consent names no patient.", remedy="Send the reference to the Patient.")
    kind, _, key = reference.partition("/_history")[0].rpartition("/")
    if kind.rpartition("/")[2] != "Patient" or not key:
        raise NobodysConsent("A Consent's patient is none of this hospital's.", remedy="Refer to Patient/….")
    local = f"Patient/{key}"
    return f"{namespace}/{local}" if namespace else local


def _about_care(resource: Mapping[str, Any], release: str) -> bool:
    if release == "R4":
        scopes = codes_of(resource.get("scope"), "Consent.scope")
        if scopes and scopes <= CARE_SCOPES:
            return True
        if not scopes & OTHER_SCOPES:
            raise NotRead("Consent.scope", "an unknown scope")
        return False
    kinds = [codes_of(one, "Consent.category") for one in list_of(resource, "category", "Consent")]
    return bool(kinds) and all(codes and codes <= CARE_SCOPES for codes in kinds)


def _choice(resource: Mapping[str, Any], release: str, person: str, source: str, related: Mapping[str, Any]) -> Choice:
    if not release:
        raise NotRead("Consent", "neither of R4 nor of R5")
    for name in resource:
        known = _KNOWN_R4 if release == "R4" else _KNOWN_R5
        if name in _HARMLESS or (name.lstrip("_") not in known):
            raise NotRead(f"Consent.{name}"[:80], "an unknown element")
    status = text_of(resource, "status", "Consent")
    provisions = Provisions()
    rule: Rule | None
    if status in _SILENT_STATUS:
        rule = None
    elif status == "rejected":
        rule = DENY_ALL
    elif status != "active":
        raise NotRead("Consent.status", "an unknown status")
    elif release == "R4":
        rule = _rule_r4(resource, provisions)
    else:
        rule = _rule_r5(resource, provisions)
    said_at, earliest, latest = _said(resource, release)
    return Choice(
        person=person,
        rule=rule,
        at=earliest,
        source=source,
        at_latest=latest,
        said_at=said_at,
        delegate=_delegate(resource, release, related),
        identity=_identity(resource),
        document=_document(resource),
        version_at=_version_at(resource, latest),
        kind="withdrawal" if status == "rejected" else "choice",
    )


def _rule_r4(resource: Mapping[str, Any], provisions: Provisions) -> Rule:
    base = _base_r4(resource)
    root = resource.get("provision")
    if root is None:
        if base in (None, "silent"):
            raise NotRead("Consent.policyRule", "no decision that is known here")
        return Rule(base)
    if not isinstance(root, dict):
        raise NotRead("Consent.provision", "not one element")
    kind = root.get("type")
    if kind is not None:
        return _over(base or ("silent" if kind == "deny" else "deny"), EVERYTHING, (provisions.typed(root, PROVISION),))
    if base is None:
        raise NotRead("Consent.policyRule", "no decision that is known here")
    children = provisions.children(root, PROVISION)
    where = provisions.where(root, base, PROVISION)
    if where == Where(since=where.since, until=where.until):
        return _over(base, where, children)
    # Conditions without a type: what they do not hold for is not permitted.
    return Rule("deny", EVERYTHING, (_over("silent" if base == "deny" else base, where, children),))


def _over(base: Decision, where: Where, exceptions: tuple[Rule, ...]) -> Rule:
    """The base with its exceptions; where only permissions are listed, nothing else is permitted."""
    listed = bool(exceptions) and all(one.decision == "permit" for one in exceptions)
    return Rule("deny" if base == "permit" and listed else base, where, exceptions)


def _base_r4(resource: Mapping[str, Any]) -> Decision | None:
    codes = codes_of(resource.get("policyRule"), "Consent.policyRule")
    found: set[Decision] = set()
    if codes & PERMITTING:
        found.add("permit")
    if codes & DENYING:
        found.add("deny")
    policies = {one.get("uri") for one in list_of(resource, "policy", "Consent")}
    if AS_LAW_SAYS in policies and len(policies) == 1 and not codes:
        found.add("silent")
    if len(found) > 1:
        return "deny"
    return next(iter(found), None)


def _rule_r5(resource: Mapping[str, Any], provisions: Provisions) -> Rule:
    decision = resource.get("decision")
    if decision not in ("permit", "deny"):
        raise NotRead("Consent.decision", "no decision that is known here")
    basis = resource.get("policyBasis") or {}
    speaks: Decision = "silent" if basis.get("url") == AS_LAW_SAYS else decision
    opposite: Decision = "permit" if decision == "deny" else "deny"
    found = list_of(resource, "provision", "Consent")
    inner = tuple(provisions.flipped(one, opposite, f"Consent.provision[{n}]") for n, one in enumerate(found))
    since, until = period_of(resource.get("period"), decision, "Consent.period")
    return Rule(speaks, Where(since=since, until=until), inner)


def _said(resource: Mapping[str, Any], release: str) -> tuple[str, Instant, Instant]:
    """When it was said: as written, and the first and the last instant that this can mean."""
    written = resource.get("dateTime" if release == "R4" else "date")
    if written is None:
        written = (resource.get("meta") or {}).get("lastUpdated")
    if not isinstance(written, str):
        raise NotRead("Consent.dateTime", "no instant")
    return written, *spread(written)


def _version_at(resource: Mapping[str, Any], otherwise: Instant) -> Instant:
    updated = (resource.get("meta") or {}).get("lastUpdated")
    return from_text(updated) if isinstance(updated, str) else otherwise


def _document(resource: Mapping[str, Any]) -> str:
    key = resource.get("id")
    return f"Consent/{key}" if isinstance(key, str) and key else ""


def _identity(resource: Mapping[str, Any]) -> IdentityCheck | None:
    """A verification that the resource itself holds: the patient's or representative's word was confirmed."""
    for one in list_of(resource, "verification", "Consent"):
        dates = one.get("verificationDate")
        dates = dates if isinstance(dates, list) else [dates]
        if one.get("verified") is True and dates and isinstance(dates[0], str) and one.get("verifiedWith"):
            return IdentityCheck("Consent.verification", "the source", spread(dates[0])[1])
    return None


def _delegate(resource: Mapping[str, Any], release: str, related: Mapping[str, Any]) -> Delegate | None:
    """Who spoke for the person; without dates that are known, their permissions do not count."""
    named = list_of(resource, "performer" if release == "R4" else "grantor", "Consent")
    for one in named:
        reference = one.get("reference") or one.get("display") or ""
        kind = str(reference).rpartition("/")[0].rpartition("/")[2]
        if kind == "Patient":
            continue
        held = related.get(str(reference)) or {}
        words = codes_of((held.get("relationship") or [None])[0], "RelatedPerson.relationship")
        since, until = period_of(held.get("period"), "permit", "RelatedPerson.period")
        return Delegate(next(iter(sorted(words)), "") or kind or "unknown", str(reference), since, until)
    return None


def _denying(resource: Mapping[str, Any], person: str, source: str, flag: str) -> Choice:
    """A choice that denies everything, for a Consent that cannot be read: as new as its version says, or now and on."""
    at = at_latest = 0
    try:
        _, at, at_latest = _said(resource, _release(resource) or "R4")
    except (NotRead, MalformedMessage, ValueError, TypeError, AttributeError, OverflowError):
        at_latest = FAR
    try:
        version = _version_at(resource, at_latest)
    except (MalformedMessage, ValueError, TypeError, AttributeError):
        version = FAR
    return Choice(
        person, DENY_ALL, max(at, 0), source, at_latest=at_latest, document=_document(resource), version_at=version,
        flags=(flag[:200],),
    )  # fmt: skip


FAR = from_text("9999-12-31T00:00:00Z")
"""When an unreadable Consent without an instant was said: after everything, until a person looks at it."""
