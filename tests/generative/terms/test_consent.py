"""Choices in every order and shape: a denial more never permits more, order never matters, nothing unknown permits."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from xinglin.terms.consent import Choice, ConsentUse, IdentityCheck, Rule, Where, effective, outcomes, person_filter
from xinglin.terms.consent_fhir import NobodysConsent, read_fhir_consent
from xinglin.terms.consent_fhir_write import NotWritable, write_fhir_consent

CHECKED = IdentityCheck("card", "desk", 1)


def some(*words: str) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(words), max_size=2, unique=True).map(lambda found: tuple(sorted(found)))


instants = st.integers(0, 20)
wheres = st.builds(
    Where,
    purposes=some("health-research", "education", "product-development", "any"),
    institutions=some("did:web:a", "B", "*"),
    categories=some("hiv", "genetic"),
    studies=some("heart", "lung"),
    classes=some("Observation", "Condition", "Hat"),
    commercial=st.booleans(),
    since=st.none() | instants,
    until=st.none() | instants,
    unclear=some("x"),
)
decisions = st.sampled_from(["permit", "deny"])
rules: st.SearchStrategy[Rule] = st.recursive(
    st.builds(Rule, decisions, wheres),
    lambda inner: st.builds(Rule, decisions, wheres, st.lists(inner, max_size=3).map(tuple)),
    max_leaves=6,
)
choices = st.builds(
    Choice,
    person=st.sampled_from(["p", "q"]),
    rule=st.none() | rules,
    at=instants,
    source=st.just("test"),
    at_latest=st.just(-1) | instants,
    identity=st.none() | st.just(CHECKED),
    document=st.sampled_from(["", "", "Consent/1", "Consent/2"]),
    version_at=st.just(-1) | instants,
)
uses = st.builds(
    ConsentUse,
    study=st.sampled_from(["heart", "lung"]),
    purpose=st.sampled_from(["health-research", "education", "any"]),
    institutions=st.sampled_from([("did:web:a",), ("did:web:a", "B"), ()]),
    at=st.integers(10, 30),
    commercial=st.sampled_from([None, True, False]),
    categories=st.sampled_from([None, (), ("hiv",)]),
    classes=st.sampled_from([None, ("observation",), ("condition", "observation"), ("hats",)]),
    regime=st.sampled_from(["opt-in", "opt-out"]),
    cutoff=st.none() | instants,
)


def named(said: list[Choice]) -> list[Choice]:
    return [msgspec.structs.replace(one, id=str(number)) for number, one in enumerate(said)]


@given(st.lists(choices, max_size=6).map(named), uses, rules, instants)
def test_a_denial_more_never_permits_more(said: list[Choice], use: ConsentUse, rule: Rule, at: int) -> None:
    # A denial: no exception to it permits anything.
    denial = Choice("p", Rule("deny", rule.where), at, "test", id="new")
    if effective([*said, denial], use):
        assert effective(said, use)


@given(st.lists(choices, max_size=6).map(named), uses, st.randoms())
def test_order_never_matters(said: list[Choice], use: ConsentUse, random: Any) -> None:
    shuffled = list(said)
    random.shuffle(shuffled)
    assert effective(said, use) == effective(shuffled, use)
    assert person_filter(said, use) == person_filter(shuffled, use)


@given(st.lists(choices, max_size=6).map(named), uses)
def test_the_filter_says_of_each_what_the_verdict_says(said: list[Choice], use: ConsentUse) -> None:
    found = person_filter(said, use)
    for person in ("p", "q"):
        let_in = person not in found.without and (found.only is None or person in found.only)
        assert let_in is bool(effective([one for one in said if one.person == person], use))


@given(rules, uses, st.lists(rules, max_size=2))
def test_what_is_not_known_of_a_use_never_permits_more(rule: Rule, use: ConsentUse, more: list[Rule]) -> None:
    known = [Choice("p", one, 5, "test", identity=CHECKED, id=str(n)) for n, one in enumerate([rule, *more])]
    blind = msgspec.structs.replace(use, commercial=None, categories=None, classes=None)
    if effective(known, blind):
        assert effective(known, use)


@given(rules, uses)
def test_an_exception_that_denies_never_permits_more(rule: Rule, use: ConsentUse) -> None:
    stricter = msgspec.structs.replace(rule, exceptions=(*rule.exceptions, Rule("deny")))
    if outcomes(stricter, use) == {"permit"}:
        assert outcomes(rule, use) == {"permit"}


json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.sampled_from(["deny", "permit", "active", "2024", "Patient/1", ""]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "type",
                    "period",
                    "start",
                    "end",
                    "provision",
                    "purpose",
                    "code",
                    "system",
                    "coding",
                    "actor",
                    "reference",
                    "data",
                    "class",
                    "extra",
                ]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)


@given(
    st.dictionaries(
        st.sampled_from(
            [
                "id",
                "status",
                "scope",
                "category",
                "dateTime",
                "date",
                "policyRule",
                "policy",
                "decision",
                "provision",
                "verification",
                "period",
                "meta",
                "performer",
                "grantor",
                "subject",
                "identifier",
                "modifierExtension",
            ]
        ),
        json,
    ),
    uses,
)
def test_no_resource_breaks_the_reader(parts: dict[str, Any], use: ConsentUse) -> None:
    """Whatever comes: a choice, or nothing about research, or nobody's; what was not understood never permits."""
    try:
        found = read_fhir_consent({"resourceType": "Consent", "patient": {"reference": "Patient/1"}, **parts})
    except NobodysConsent:
        return
    for choice in found:
        if choice.flags:
            assert not effective(found, msgspec.structs.replace(use, cutoff=None))


@given(rules, uses, st.sampled_from(["R4", "R5"]))
def test_written_and_read_again_a_choice_never_permits_more(rule: Rule, use: ConsentUse, release: Any) -> None:
    choice = Choice("Patient/1", rule, 5, "desk", identity=CHECKED)
    try:
        written = write_fhir_consent(choice, release)
    except NotWritable:
        return
    again = read_fhir_consent(written)
    if effective(again, use):
        assert effective([choice], use)
