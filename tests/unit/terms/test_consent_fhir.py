"""FHIR Consent, R4 and R5, read as choices; what is not understood denies; written, it means the same."""

from __future__ import annotations

from typing import Any

import pytest
from fhir.resources.consent import Consent as ConsentR5
from fhir.resources.R4B.consent import Consent as ConsentR4B

from xinglin.terms.consent import Choice, ConsentUse, IdentityCheck, Rule, Where, check_choice, effective
from xinglin.terms.consent_codes import AS_LAW_SAYS
from xinglin.terms.consent_fhir import FAR, NobodysConsent, read_fhir_consent
from xinglin.terms.consent_fhir_write import NotWritable, write_fhir_consent
from xinglin.terms.consent_provisions import spread

ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
VERIFIED = [{"verified": True, "verifiedWith": {"reference": "Patient/1"}, "verificationDate": "2024-01-01T00:00:00Z"}]
NOW = 1_800_000_000_000


def use(**changes: Any) -> ConsentUse:
    values: dict[str, Any] = {
        "study": "heart",
        "purpose": "health-research",
        "institutions": ("did:web:a", "Institute A"),
        "at": NOW,
        "commercial": False,
        "categories": ("genetic",),
        "classes": ("observation",),
        "regime": "opt-out",
    }
    return ConsentUse(**{**values, **changes})


def r4(base: str | None = "OPTIN", provision: Any = None, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "resourceType": "Consent",
        "id": "c1",
        "status": "active",
        "scope": {"coding": [{"code": "research"}]},
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "patient": {"reference": "Patient/1"},
        "dateTime": "2024-01-01T08:00:00+08:00",
        "verification": VERIFIED,
    }
    if base:
        found["policyRule"] = {"coding": [{"system": ACT, "code": base}]}
    if provision is not None:
        found["provision"] = provision
    return {name: value for name, value in (found | more).items() if value is not None}


def r5(decision: str | None = "permit", provision: Any = None, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "resourceType": "Consent",
        "id": "c1",
        "status": "active",
        "subject": {"reference": "Patient/1"},
        "date": "2024-01-01",
        "decision": decision,
        "provision": provision,
        "verification": [{**VERIFIED[0], "verificationDate": ["2024-01-01T00:00:00Z"]}],
    }
    return {name: value for name, value in (found | more).items() if value is not None}


def purpose(*codes: str) -> list[dict[str, str]]:
    return [{"system": REASON, "code": code} for code in codes]


def said(resource: dict[str, Any], **changes: Any) -> bool | None:
    """Whether the use may see the person: True under opt-in, False even under opt-out, None as the regime says."""
    choices = read_fhir_consent(resource)
    if effective(choices, use(regime="opt-in", **changes)):
        return True
    return None if effective(choices, use(**changes)) else False


RESEARCH = purpose("HRESCH")
INSTANCE = {"meaning": "instance", "reference": {"reference": "X/1"}}
COLLECT = [{"coding": [{"code": "collect"}]}]
FUN = purpose("FUN")

R4 = [
    ("all permitted", r4("OPTIN"), True),
    ("all denied", r4("OPTOUT"), False),
    ("permitted but for research", r4("OPTIN", {"provision": [{"type": "deny", "purpose": RESEARCH}]}), False),
    ("permitted but for teaching", r4("OPTIN", {"provision": [{"type": "deny", "purpose": purpose("TRAIN")}]}), True),
    ("denied but for research", r4("OPTOUT", {"provision": [{"type": "permit", "purpose": RESEARCH}]}), True),
    ("denied but for teaching", r4("OPTOUT", {"provision": [{"type": "permit", "purpose": purpose("TRAIN")}]}), False),
    (
        "exceptions have exceptions",
        r4("OPTIN", {"provision": [{"type": "deny", "provision": [{"type": "permit", "purpose": RESEARCH}]}]}),
        True,
    ),
    ("a type at the root permits what it names", r4(None, {"type": "permit", "purpose": RESEARCH}), True),
    ("and nothing else", r4(None, {"type": "permit", "purpose": purpose("TRAIN")}), False),
    ("a listed permission is the whole", r4("OPTIN", {"type": "permit", "purpose": purpose("TRAIN")}), False),
    ("a denial at the root denies what it names", r4(None, {"type": "deny", "purpose": RESEARCH}), False),
    ("elsewhere it says nothing", r4(None, {"type": "deny", "purpose": purpose("TRAIN")}), None),
    ("a period that is over", r4("OPTOUT", {"period": {"end": "2024-06-01"}}), None),
    ("a period that runs", r4("OPTOUT", {"period": {"start": "2024-01-01"}}), False),
    ("a permission that is over", r4("OPTIN", {"period": {"end": "2024-06-01"}}), None),
    ("the class is touched", r4("OPTIN", {"provision": [{"type": "deny", "class": [{"code": "Observation"}]}]}), False),
    ("the class is not", r4("OPTIN", {"provision": [{"type": "deny", "class": [{"code": "Condition"}]}]}), True),
    ("a class that nobody knows", r4("OPTIN", {"provision": [{"type": "deny", "class": [{"code": "Hat"}]}]}), False),
    (
        "a sensitive category",
        r4("OPTIN", {"provision": [{"type": "deny", "securityLabel": [{"system": ACT, "code": "GDIS"}]}]}),
        False,
    ),
    (
        "another one",
        r4("OPTIN", {"provision": [{"type": "deny", "securityLabel": [{"system": ACT, "code": "HIV"}]}]}),
        True,
    ),
    (
        "an unknown one",
        r4("OPTIN", {"provision": [{"type": "deny", "securityLabel": [{"system": ACT, "code": "R"}]}]}),
        False,
    ),
    (
        "an institution by its name",
        r4("OPTIN", {"provision": [{"type": "deny", "actor": [{"reference": {"display": "Institute A"}}]}]}),
        False,
    ),
    (
        "an institution that nobody can place",
        r4("OPTIN", {"provision": [{"type": "deny", "actor": [{"reference": {"reference": "Organization/7"}}]}]}),
        False,
    ),
    (
        "permitted to one that nobody can place",
        r4("OPTOUT", {"provision": [{"type": "permit", "actor": [{"reference": {"reference": "Organization/7"}}]}]}),
        False,
    ),
    (
        "single resources cannot be told apart",
        r4("OPTIN", {"provision": [{"type": "deny", "data": [INSTANCE]}]}),
        False,
    ),
    ("an exception without a type", r4("OPTIN", {"provision": [{"purpose": RESEARCH}]}), False),
    ("an unknown purpose denied", r4("OPTIN", {"provision": [{"type": "deny", "purpose": purpose("FUN")}]}), False),
    ("an unknown purpose permitted", r4("OPTOUT", {"provision": [{"type": "permit", "purpose": FUN}]}), False),
    ("unknown conditions", r4("OPTIN", {"provision": [{"type": "deny", "code": [{"text": "x"}]}]}), False),
    ("of no use to a study", r4("OPTIN", {"provision": [{"type": "deny", "action": COLLECT}]}), True),
    ("rejected", r4("OPTIN", status="rejected"), False),
    ("no longer active", r4("OPTIN", status="inactive"), None),
]  # fmt: skip

R5 = [
    ("all permitted", r5("permit"), True),
    ("all denied", r5("deny"), False),
    ("permitted but for research", r5("permit", [{"purpose": RESEARCH}]), False),
    ("denied but for research", r5("deny", [{"purpose": RESEARCH}]), True),
    ("denied but for teaching", r5("deny", [{"purpose": purpose("TRAIN")}]), False),
    ("each level turns it over", r5("permit", [{"provision": [{"purpose": RESEARCH}]}]), True),
    ("and over again", r5("permit", [{"provision": [{"provision": [{"purpose": RESEARCH}]}]}]), False),
    ("as law says, but for research", r5("permit", [{"purpose": RESEARCH}], policyBasis={"url": AS_LAW_SAYS}), False),
    (
        "as law says, but for teaching",
        r5("permit", [{"purpose": purpose("TRAIN")}], policyBasis={"url": AS_LAW_SAYS}),
        None,
    ),
    ("records by their type", r5("permit", [{"resourceType": [{"code": "Observation"}]}]), False),
    ("an expression that nobody evaluates", r5("permit", [{"expression": {"language": "text/cql"}}]), False),
    ("a period that is over", r5("deny", period={"end": "2024-01-01"}), None),
]


@pytest.mark.parametrize(("words", "resource", "expected"), [*R4, *R5], ids=lambda v: v if isinstance(v, str) else "")
def test_what_a_consent_says(words: str, resource: dict[str, Any], expected: bool | None) -> None:
    assert said(resource) is expected, words
    assert all(check_choice(choice, imported=True) for choice in read_fhir_consent(resource))


@pytest.mark.parametrize(
    "resource",
    [
        r4(None),
        r4("OPTIN", policyRule={"coding": [{"code": "WHATEVER"}]}),
        r4("OPTIN", scope={"coding": [{"code": "dancing"}]}),
        r4("OPTIN", status="unheard-of"),
        r4("OPTIN", status=None),
        r4("OPTIN", modifierExtension=[{"url": "http://example.org/not", "valueBoolean": True}]),
        r4("OPTIN", implicitRules="http://example.org/rules"),
        r4("OPTIN", somethingNew=1),
        r4("OPTIN", dateTime="yesterday"),
        r4("OPTIN", dateTime="2024-01-01T08:00:00"),
        r4("OPTIN", dateTime=None),
        r4("OPTIN", provision=[]),
        r4("OPTIN", {"provision": "none"}),
        r4("OPTIN", {"provision": [{"type": "permit", "period": "always"}]}),
        r4("OPTIN", {"provision": [{"type": "permit"}] * 256}),
        r5(None, policyBasis={"url": "http://example.org"}),
        r5("maybe"),
        r5("permit", policyRule={"coding": [{"code": "OPTIN"}]}),
        r5("permit", status="unknown"),
        r5("permit", [1]),
    ],
)
def test_what_is_not_understood_denies_and_is_flagged(resource: dict[str, Any]) -> None:
    (choice,) = read_fhir_consent(resource)
    assert choice.flags and choice.rule == Rule("deny") and check_choice(choice, imported=True)
    assert effective([choice], use()).codes == ("consent.not_understood",)
    given = Choice("Patient/1", Rule("permit"), 1, "paper", identity=IdentityCheck("card", "Li", 1))
    assert not effective([given, choice], use())
    assert not any("Patient" in flag or "example.org" in flag for flag in choice.flags)


def test_nesting_has_an_end() -> None:
    def nested(levels: int) -> dict[str, Any]:
        inner: dict[str, Any] = {"type": "deny"}
        for _ in range(levels):
            inner = {"type": "deny", "provision": [inner]}
        return r4("OPTIN", {"provision": [inner]})

    assert not read_fhir_consent(nested(4))[0].flags
    assert read_fhir_consent(nested(60))[0].flags
    assert read_fhir_consent(nested(900))[0].flags


def test_consents_to_treatment_say_nothing_about_research() -> None:
    assert read_fhir_consent(r4("OPTOUT", scope={"coding": [{"code": "treatment"}]})) == ()
    assert read_fhir_consent(r5("deny", category=[{"coding": [{"code": "adr"}]}])) == ()
    assert read_fhir_consent(r4("OPTOUT", scope={"coding": [{"code": "patient-privacy"}]}))


@pytest.mark.parametrize("patient", [None, {}, {"display": "Somebody"}, {"reference": "Group/1"}, {"reference": "#p"}])
def test_a_consent_of_nobody_here(patient: Any) -> None:
    with pytest.raises(NobodysConsent):
        read_fhir_consent(r4(patient=patient))


def test_keys_are_those_of_the_tables() -> None:
    (choice,) = read_fhir_consent(
        r4(patient={"reference": "https://h.example/fhir/Patient/9/_history/2"}), namespace="a"
    )
    assert choice.person == "a/Patient/9"


def test_days_without_a_zone_are_taken_for_the_worse() -> None:
    first, last = spread("2024-01-02")
    (choice,) = read_fhir_consent(r5("deny", date="2024-01-02"))
    assert (choice.at, choice.at_latest) == (first, last) and last - first > 86_400_000
    assert spread("2024-01")[1] > spread("2024-01-31")[0] and spread("2024")[1] == spread("2024-12-31")[1]
    given = Choice("Patient/1", Rule("permit"), last, "p", identity=IdentityCheck("card", "Li", 1))
    assert not effective([choice, given], use())


def test_an_unreadable_instant_is_the_newest_there_is() -> None:
    (choice,) = read_fhir_consent(r4("OPTIN", dateTime="yesterday"))
    assert choice.latest == FAR


def test_guardians_and_their_dates() -> None:
    resource = r4("OPTIN", performer=[{"reference": "RelatedPerson/3"}])
    assert not effective(read_fhir_consent(resource), use(regime="opt-in"))
    period = {"start": "2010-01-01T00:00:00Z", "end": "2040-01-01T00:00:00Z"}
    known = {"RelatedPerson/3": {"period": period, "relationship": [{"coding": [{"code": "PRN"}]}]}}
    choices = read_fhir_consent(resource, related=known)
    assert effective(choices, use(regime="opt-in")) and choices[0].delegate.relation == "PRN"
    late = known["RelatedPerson/3"] | {"period": {"start": "2010-01-01T00:00:00Z", "end": "2025-01-01T00:00:00Z"}}
    assert not effective(read_fhir_consent(resource, related={"RelatedPerson/3": late}), use(regime="opt-in"))


CHOICES = [
    Rule("deny"),
    Rule("permit"),
    Rule("deny", Where(purposes=("education", "health-research"), studies=("heart",))),
    Rule(
        "permit", Where(institutions=("did:web:a",), categories=("genetic",)), (Rule("deny", Where(commercial=True)),)
    ),
    Rule("deny", Where(classes=("Observation",), since=5, until=NOW + 5)),
]


@pytest.mark.parametrize("rule", CHOICES)
@pytest.mark.parametrize("release", ["R4", "R5"])
def test_written_and_read_again_it_means_the_same(rule: Rule, release: Any) -> None:
    choice = Choice(
        "Patient/1", rule, 1_700_000_000_000, "desk", identity=IdentityCheck("card", "Li", 1_700_000_000_000)
    )
    written = write_fhir_consent(choice, release)
    (ConsentR4B if release == "R4" else ConsentR5).model_validate(written)
    (again,) = read_fhir_consent(written)
    for changes in ({}, {"commercial": True}, {"study": "lung"}, {"purpose": "education"}, {"categories": ()}):
        for regime in ("opt-in", "opt-out"):
            asked = use(regime=regime, **changes)
            assert bool(effective([again], asked)) == bool(effective([choice], asked)), (changes, regime)


def test_what_fhir_cannot_say_is_not_written() -> None:
    unclear = Choice("p", Rule("deny", Where(unclear=("x",))), 1, "fhir")
    with pytest.raises(NotWritable):
        write_fhir_consent(unclear)
    with pytest.raises(NotWritable):
        write_fhir_consent(Choice("p", None, 1, "desk", "reversal", undoes=("a",)))
    same = Choice("p", Rule("deny", Where(), (Rule("deny"),)), 1, "desk")
    assert write_fhir_consent(same)
    with pytest.raises(NotWritable):
        write_fhir_consent(same, "R5")
