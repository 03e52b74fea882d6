"""Choices of persons: which one holds for a use, what may be recorded, and which withdrawals bind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from xinglin.terms.consent import (
    EVERYTHING,
    Choice,
    ConsentUse,
    Delegate,
    IdentityCheck,
    Rule,
    Where,
    check_choice,
    effective,
    outcomes,
    person_filter,
    withdrawn,
)
from xinglin.terms.consent_use import StudyWord, check_study_word, cutoff_of, policy_words, use_of
from xinglin.terms.law.withdrawals import withdrawal
from xinglin.terms.policy import Constraint, Permission, Policy

CHECKED = IdentityCheck("identity card at the desk", "Nurse Li", 1)


def use(**changes: Any) -> ConsentUse:
    values: dict[str, Any] = {
        "study": "heart",
        "purpose": "health-research",
        "institutions": ("did:web:a", "Institute A"),
        "at": 1_000,
        "commercial": False,
        "categories": (),
        "classes": ("observation", "patient"),
        "regime": "opt-out",
    }
    return ConsentUse(**{**values, **changes})


def deny(at: int = 10, where: Where = EVERYTHING, person: str = "p", **more: Any) -> Choice:
    return Choice(person, Rule("deny", where), at, "paper", **more)


def permit(at: int = 10, where: Where = EVERYTHING, person: str = "p", **more: Any) -> Choice:
    return Choice(person, Rule("permit", where), at, "paper", **{"identity": CHECKED, **more})


def test_regimes_where_nobody_chose() -> None:
    assert effective([], use())
    assert effective([], use(regime="opt-in")).codes == ("consent.none",)


def test_the_newest_holds_and_at_one_instant_the_stricter() -> None:
    assert not effective([permit(1), deny(2)], use())
    assert effective([permit(2), deny(1)], use())
    assert not effective([permit(2), deny(2)], use())
    assert not effective([permit(2, at_latest=9), deny(5)], use())
    said = effective([deny(86_400_000)], use()).reasons[0]
    assert "1970-01-02T00:00:00.000Z" in said.words and said.remedy


@pytest.mark.parametrize(
    ("where", "about"),
    [
        (Where(purposes=("health-research",)), True),
        (Where(purposes=("general-research",)), True),
        (Where(purposes=("product-development",)), True),  # a part of what is asked
        (Where(purposes=("education",)), False),
        (Where(institutions=("Institute A",)), True),
        (Where(institutions=("Somebody else",)), True),  # nobody can tell that this is not A
        (Where(studies=("heart",)), True),
        (Where(studies=("lung",)), False),
        (Where(commercial=True), False),
        (Where(categories=("genetic",)), False),
        (Where(classes=("Observation",)), True),
        (Where(classes=("Condition",)), False),
        (Where(classes=("FooBar",)), True),
        (Where(since=1_001), False),
        (Where(until=1_000), False),
        (Where(since=1_000, until=1_001), True),
        (Where(unclear=("provision.code",)), True),
        (Where(studies=("lung",), unclear=("provision.code",)), False),
        (Where(purposes=("health-research",), studies=("lung",)), False),
    ],
)
def test_what_a_denial_is_about(where: Where, about: bool) -> None:
    assert bool(effective([deny(where=where)], use())) is not about


@pytest.mark.parametrize(
    ("where", "covered"),
    [
        (Where(purposes=("general-research",)), True),
        (Where(purposes=("product-development",)), False),
        (Where(institutions=("Institute A",)), True),
        (Where(institutions=("Somebody else",)), False),
        (Where(classes=("Observation",)), False),  # the use touches more
        (Where(classes=("Observation", "Patient")), True),
        (Where(categories=("genetic",)), False),
        (Where(unclear=("provision.code",)), False),
    ],
)
def test_what_a_permission_covers(where: Where, covered: bool) -> None:
    assert bool(effective([permit(where=where)], use(regime="opt-in"))) is covered


def test_what_is_unknown_counts_against_the_use() -> None:
    for changes, where in (
        ({"commercial": None}, Where(commercial=True)),
        ({"categories": None}, Where(categories=("hiv",))),
        ({"classes": None}, Where(classes=("Condition",))),
    ):
        assert not effective([deny(where=where)], use(**changes))
        assert not effective([permit(where=where)], use(regime="opt-in", **changes))


def test_strangers_by_did_are_told_apart() -> None:
    mine, other = "did:xinglin:" + "a" * 26, "did:xinglin:" + "b" * 25 + "a"
    asked = use(institutions=(mine,))
    assert effective([deny(where=Where(institutions=(other,)))], asked)
    assert not effective([deny(where=Where(institutions=(mine,)))], asked)


def test_exceptions_have_exceptions() -> None:
    study = Rule("permit", Where(studies=("heart",)), (Rule("deny", Where(commercial=True)),))
    choice = Choice("p", Rule("deny", Where(), (study,)), 1, "paper", identity=CHECKED)
    assert effective([choice], use())
    assert not effective([choice], use(commercial=True))
    assert not effective([choice], use(study="lung"))
    both = Rule("silent", Where(), (Rule("permit"), Rule("deny")))
    assert outcomes(both, use()) == {"deny"}


def test_care_is_never_touched() -> None:
    assert effective([deny()], use(lane="care"))
    assert person_filter([deny()], use(lane="care", regime="opt-in")).lets_everybody


def test_a_permission_counts_only_after_an_identity_check() -> None:
    unchecked = permit(5, identity=None)
    assert not effective([unchecked], use(regime="opt-in"))
    assert not effective([deny(1), unchecked], use())
    assert check_choice(unchecked).codes == ("consent.identity",)
    assert check_choice(permit(5)) and check_choice(deny(5))


def test_a_guardian_speaks_while_he_is_one() -> None:
    guardian = Delegate("parent", "RelatedPerson/1", since=0, until=500)
    chosen = permit(10, delegate=guardian)
    assert effective([chosen], use(regime="opt-in", at=400))
    assert not effective([chosen], use(regime="opt-in", at=500))  # the person is of age now
    assert not effective([permit(600, delegate=guardian)], use(regime="opt-in"))
    assert not effective([permit(10, delegate=Delegate("parent"))], use(regime="opt-in"))
    assert not effective([deny(10, delegate=guardian)], use())  # a denial stays until somebody changes it


def test_a_reversal_takes_back_what_was_said_before_it() -> None:
    said = deny(5, id="one")
    back = Choice("p", None, 9, "desk", "reversal", identity=CHECKED, undoes=("one",))
    assert effective([said, back], use())
    assert not effective([said, msgspec.structs.replace(back, identity=None)], use())
    assert not effective([said, msgspec.structs.replace(back, at=5)], use())
    assert not effective([said, back, deny(7, id="two")], use())
    assert effective([msgspec.structs.replace(said, at_latest=10**15), back], use())  # of an instant that nobody knows
    assert not check_choice(msgspec.structs.replace(back, undoes=()))
    assert not check_choice(msgspec.structs.replace(back, identity=None))


def test_versions_of_one_document_replace_each_other() -> None:
    first = deny(5, document="Consent/1", version_at=5)
    ended = Choice("p", None, 9, "fhir", document="Consent/1", version_at=9)
    assert not effective([first, ended], use())  # nobody checked who ended it
    assert effective([first, msgspec.structs.replace(ended, identity=CHECKED)], use())
    given = permit(5, document="Consent/1", version_at=5)
    assert not effective([given, ended], use(regime="opt-in"))


def test_withdrawals_bind_by_pack_and_basis() -> None:
    at_once = withdrawal("gdpr", "consent")
    assert cutoff_of(at_once, agreed_at=100, frozen_at=50) is None or at_once.frozen == "stays"
    duty = withdrawal("gdpr", "statutory-duty")
    assert cutoff_of(duty, agreed_at=100, frozen_at=None) == -1
    assert effective([deny(10)], use(cutoff=-1))
    later = msgspec.structs.replace(at_once, reach="later permits")
    assert cutoff_of(later, agreed_at=100, frozen_at=None) == 100
    assert effective([deny(100)], use(cutoff=100)) and not effective([deny(99)], use(cutoff=100))
    frozen = msgspec.structs.replace(at_once, frozen="stays")
    assert cutoff_of(frozen, agreed_at=100, frozen_at=50) == 50
    assert cutoff_of(frozen, agreed_at=100, frozen_at=None) is None
    both = msgspec.structs.replace(frozen, reach="later permits")
    assert cutoff_of(both, agreed_at=100, frozen_at=150) == 100


def test_a_frozen_cohort_still_needs_consent() -> None:
    assert effective([permit(1), deny(60)], use(cutoff=50, regime="opt-in"))
    assert not effective([deny(60)], use(cutoff=50, regime="opt-in"))


def study_use(word: StudyWord | None, policy: Any = msgspec.UNSET, **changes: Any) -> ConsentUse:
    given: dict[str, Any] = {
        "study": "heart",
        "purpose": "health-research",
        "consumer": "did:web:a",
        "classes": ("observation",),
        "agreed_at": 100,
        "at": 1_000,
    }
    return use_of(word, policy, **{**given, **changes})


def test_the_hospitals_word_on_a_study_and_what_holds_without_one() -> None:
    plain = study_use(None)
    assert (plain.regime, plain.cutoff, plain.commercial, plain.categories) == ("opt-out", None, None, None)
    assert study_use(None, purpose="product-development").commercial is True
    word = StudyWord("heart", "consent", ("gdpr",), "Dr Wang", 1, ("A",), False, ("genetic",))
    told = study_use(word)
    assert (told.regime, told.institutions, told.categories) == ("opt-in", ("did:web:a", "A"), ("genetic",))
    duty = study_use(msgspec.structs.replace(word, basis="statutory-duty"))
    assert duty.cutoff == -1


def test_the_policy_may_name_basis_and_packs() -> None:
    rule = Constraint("consentBasis", "eq", "consent")
    pack = Constraint("lawPack", "eq", "gdpr")
    policy = Policy((Permission("statistics", (rule, pack)), Permission("training", (rule, pack))))
    assert policy_words(policy) == ("consent", ("gdpr",))
    assert study_use(None, policy).regime == "opt-in"
    unlike = Policy((Permission("statistics", (rule, pack)), Permission("training")))
    assert policy_words(unlike) == ("", ()) and policy_words(msgspec.UNSET) == ("", ())


@pytest.mark.parametrize(
    "changes",
    [
        {"basis": "because"},
        {"packs": ("nolaw",)},
        {"categories": ("hats",)},
        {"by": " "},
        {"study": ""},
        {"version": 2},
    ],
)
def test_refused_words_on_a_study(changes: dict[str, Any]) -> None:
    word = StudyWord("heart", "consent", ("gdpr",), "Dr Wang", 1)
    assert check_study_word(word)
    assert check_study_word(msgspec.structs.replace(word, **changes)).codes[0] == "consent.bad_study_word"


@dataclass
class Bad:
    changes: dict[str, Any]
    code: str = "consent.bad_choice"


def nested(levels: int) -> Rule:
    rule = Rule("deny")
    for _ in range(levels - 1):
        rule = Rule("deny", Where(), (rule,))
    return rule


@pytest.mark.parametrize(
    "bad",
    [
        Bad({"person": " "}),
        Bad({"source": ""}),
        Bad({"at": -1}),
        Bad({"rule": None}),
        Bad({"version": 2}),
        Bad({"kind": "reversal"}),
        Bad({"delegate": Delegate("")}),
        Bad({"delegate": Delegate("parent", since=5, until=5)}),
        Bad({"rule": Rule("deny", Where(purposes=("fun",)))}, "terms.purpose_unknown"),
        Bad({"rule": Rule("deny", Where(categories=("hats",)))}),
        Bad({"rule": Rule("deny", Where(studies=("no name",)))}),
        Bad({"rule": Rule("deny", Where(institutions=tuple(map(str, range(257)))))}),
        Bad({"rule": nested(9)}),
        Bad({"rule": Rule("deny", Where(), (Rule("deny"),) * 256)}),
    ],
)
def test_refused_choices(bad: Bad) -> None:
    assert bad.code in check_choice(msgspec.structs.replace(deny(), **bad.changes)).codes


def test_the_limits_themselves_are_allowed() -> None:
    assert check_choice(msgspec.structs.replace(deny(), rule=nested(8)))
    assert check_choice(msgspec.structs.replace(deny(), rule=Rule("deny", Where(), (Rule("deny"),) * 255)))
    assert check_choice(deny(where=Where(purposes=("advertising",))))  # one may object to what is prohibited anyway


def test_the_filter_of_many() -> None:
    said = [deny(person="b"), deny(person="a"), permit(person="c"), deny(1, person="d"), permit(2, person="d")]
    assert withdrawn(said, use()) == ("a", "b")
    found = person_filter(said, use(regime="opt-in"))
    assert (found.without, found.only, found.lets_everybody) == (("a", "b"), ("c", "d"), False)
    assert person_filter([], use()).lets_everybody
