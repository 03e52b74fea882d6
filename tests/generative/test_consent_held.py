"""What is held of the register of choices against reading all of it: the same filter, whatever came in between."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from tests.generative.terms.test_consent import CHECKED, choices, decisions, instants, rules, uses, wheres

from xinglin.kernel.limits import Limit
from xinglin.node import consent_held
from xinglin.node.consent_columns import columns_of
from xinglin.node.consent_held import HELD_BYTES, HeldChoices
from xinglin.stores import consent_register
from xinglin.stores.consent_register import ConsentRegister
from xinglin.stores.intake_ledger import IntakeLedger
from xinglin.terms.consent import Choice, ConsentUse, Delegate, Rule, person_filter
from xinglin.terms.consent_standing import EARLIEST, FOREVER, pattern_of
from xinglin.terms.consent_use import StudyWord, use_of
from xinglin.terms.law import PACKS
from xinglin.terms.purposes import BASES

PERSONS = st.sampled_from(["p", "q", "r", "Patient/1", "病人/2", ""]).map(lambda one: one or "o")


def delegates(far: st.SearchStrategy[int]) -> st.SearchStrategy[Delegate]:
    office = st.none() | instants | far
    return st.builds(Delegate, st.just("parent"), since=office, until=office)


def said_with(who: st.SearchStrategy[Delegate]) -> st.SearchStrategy[Any]:
    flags, undone = st.sampled_from([(), (), ("not understood",)]), st.sets(st.integers(0, 12), min_size=1, max_size=3)
    return st.tuples(choices, PERSONS, st.none() | who, flags, st.none() | undone)


SAID = said_with(delegates(st.sampled_from([-1, 2**53 - 1])))
"""Instants as far as the register takes them."""
SAID_FAR = said_with(delegates(st.sampled_from([EARLIEST, -1, FOREVER, 2**63, 2**64 - 1])))
WORDS = st.builds(
    StudyWord,
    study=st.sampled_from(["heart", "lung"]),
    basis=st.sampled_from(list(BASES)),
    packs=st.lists(st.sampled_from(sorted(PACKS)), max_size=2, unique=True).map(tuple),
    by=st.just("Wang"),
    at=st.just(1),
    commercial=st.sampled_from([None, True, False]),
    categories=st.sampled_from([None, (), ("hiv",)]),
    frozen_at=st.none() | instants,
)
STUDIES = st.builds(
    lambda word, study, purpose, agreed_at, at: use_of(
        word,
        msgspec.UNSET,
        study=study,
        purpose=purpose,
        consumer="did:web:a",
        classes=("observation",),
        agreed_at=agreed_at,
        at=at,
    ),
    st.none() | WORDS,
    st.sampled_from(["heart", "lung"]),
    st.sampled_from(["health-research", "education"]),
    instants,
    st.integers(0, 40),
)
USES = STUDIES | uses
STEPS = st.lists(
    st.tuples(st.just("said"), st.lists(SAID, min_size=1, max_size=5))
    | st.tuples(st.just("asked"), st.tuples(USES, st.none() | st.integers(0, 30)))
    | st.tuples(st.just("stopped"), st.none())
    | st.tuples(st.just("restored"), st.integers(0, 10)),
    max_size=10,
)
ANY_AT_ALL = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], max_examples=40)


class Home:
    """A register, and what is held of it, that go through anything."""

    def __init__(self, folder: Path, limit: Limit) -> None:
        self.register, self.limit = ConsentRegister(IntakeLedger.in_folder(folder)), limit
        self.held = HeldChoices(self.register, limit)
        self.said: list[str] = []

    def keep(self, many: list[tuple[Choice, str, Delegate | None, tuple[str, ...], set[int] | None]]) -> None:
        named = []
        for choice, person, delegate, flags, undoes in many:
            own = f"{len(self.said):032x}"
            self.said.append(own)
            one = msgspec.structs.replace(choice, person=person, delegate=delegate, flags=flags, id=own)
            if undoes is not None:
                taken = tuple(self.said[number] for number in sorted(undoes) if number < len(self.said))
                one = msgspec.structs.replace(one, rule=None, kind="reversal", undoes=taken, document="")
            named.append(one)
        self.register.keep(named, 1)

    def restore(self, number: int) -> None:
        """The register as it was; numbers are given again."""
        with self.register._database.alone() as work:
            work.write(text("DELETE FROM consent_choice WHERE number > :number"), number=number)

    def check(self, use: ConsentUse, number: int | None) -> None:
        last = self.register.last()
        as_of = last if number is None else min(number, last)
        assert self.held.persons(as_of, use) == person_filter(self.register.choices(as_of), use)


@pytest.mark.parametrize("limit", [HELD_BYTES, Limit("held", 3_000, "bytes")], ids=["held", "too much"])
@given(steps=STEPS, few=st.sampled_from([0, 1, 1_000]), at_once=st.sampled_from([0, 1, 20_000]))
@ANY_AT_ALL
def test_what_is_held_says_what_the_register_says(limit: Limit, steps: list[Any], few: int, at_once: int) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(consent_register, "FEW", few)
        patch.setattr(consent_held, "AT_ONCE", at_once)
        home = Home(Path(folder), limit)
        for step, given_ in steps:
            if step == "said":
                home.keep(given_)
            elif step == "asked":
                home.check(*given_)
            elif step == "stopped":
                home.held = HeldChoices(home.register, limit)
            else:
                home.restore(given_)
        home.check(ConsentUse(study="heart", purpose="any", institutions=(), at=15), None)
        home.register.close()


def batches(count: int) -> Iterator[slice]:
    yield from (slice(first, first + 3) for first in range(0, count, 3))


@given(st.lists(SAID_FAR, max_size=12), st.lists(USES, min_size=1, max_size=4))
@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], max_examples=150)
def test_columns_of_some_and_then_more_are_those_of_all(said: list[Any], asked: list[ConsentUse]) -> None:
    """Without a database in between: many more cases."""
    named = [
        msgspec.structs.replace(choice, person=person, delegate=delegate, flags=flags, id=f"{number:032x}")
        for number, (choice, person, delegate, flags, _) in enumerate(said)
    ]
    columns = columns_of((), ())
    for batch in batches(len(named)):
        until = named[: batch.stop]
        changed = {one.person: [c for c in until if c.person == one.person] for one in named[batch]}
        columns = columns.replaced(changed)
    several = {one.person for one in named if sum(c.person == one.person for c in named) > 1}
    whole = columns_of(named, several)
    assert columns.persons == whole.persons == sorted({one.person for one in named})
    for use in asked:
        assert columns.filter(use) == whole.filter(use) == person_filter(named, use)
        others = {one.person for one in named[::2]}
        rest = [one for one in named if one.person not in others]
        assert columns.filter_without(use, others) == person_filter(rest, use)


PERIODS = st.builds(
    lambda rule, inner, since, until: Rule(
        rule, msgspec.structs.replace(inner.where, since=since, until=until), (inner, *inner.exceptions)
    ),
    decisions,
    st.builds(Rule, decisions, wheres) | rules,
    st.none() | instants,
    st.none() | instants,
)


@given(PERIODS, uses, st.integers(-1, 25))
def test_a_pattern_means_what_its_rule_means_at_any_instant(rule: Rule, use: ConsentUse, at: int) -> None:
    choice = Choice("p", rule, 1, "test", identity=CHECKED, id="a")
    asked = msgspec.structs.replace(use, at=at)
    assert columns_of([choice], ()).filter(asked) == person_filter([choice], asked)
    pattern, found = pattern_of(rule)
    again, _ = pattern_of(pattern.rule)
    assert again == pattern and len(found) == pattern.instants
