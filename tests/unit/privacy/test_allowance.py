"""Answers are charged once a run, capped over all studies, and given back only from 'reserved'."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinglin.kernel.states import IllegalMove
from xinglin.kernel.verdict import Denied
from xinglin.privacy.allowance import CHARGE_STATES, Allowance


def taken(allowance: Allowance, run: str, agreement: str = "a", given: int = 5) -> Allowance:
    after = allowance.reserve(run, agreement, given, at=0)
    assert isinstance(after, Allowance)
    return after


def test_the_cap_holds_over_all_studies() -> None:
    book = Allowance("heart", cap=2)
    book = taken(taken(book, "r1", "a"), "r2", "b")
    refused = book.reserve("r3", "c", 5, at=0)
    assert isinstance(refused, Denied) and refused.codes == ("privacy.no_answers",)


def test_an_agreements_allowance_is_its_own() -> None:
    book = taken(Allowance("heart"), "r1", "a", given=1)
    refused = book.reserve("r2", "a", 1, at=0)
    assert isinstance(refused, Denied) and refused.codes == ("privacy.no_allowance",)
    assert taken(book, "r2", "b", given=1).left == 198


def test_both_reasons_at_once() -> None:
    refused = taken(Allowance("heart", cap=1), "r1", "a", 1).reserve("r2", "a", 1, at=0)
    assert isinstance(refused, Denied) and refused.codes == ("privacy.no_answers", "privacy.no_allowance")


def test_twice_is_once() -> None:
    book = taken(Allowance("heart", cap=1), "r1")
    assert taken(book, "r1") == book
    assert book.spend("r1").spend("r1") == book.spend("r1")
    assert book.give_back("r1").give_back("r1").left == 1


def test_what_was_spent_does_not_come_back() -> None:
    book = taken(Allowance("heart", cap=1), "r1")
    with pytest.raises(IllegalMove):
        book.spend("r1").give_back("r1")
    with pytest.raises(IllegalMove):
        book.give_back("r1").spend("r1")
    with pytest.raises(IllegalMove):
        book.spend("r2")


def test_a_run_that_was_given_back_or_charged_elsewhere_is_over() -> None:
    book = taken(Allowance("heart"), "r1").give_back("r1")
    assert isinstance(book.reserve("r1", "a", 5, at=1), Denied)
    assert isinstance(taken(Allowance("heart"), "r1").reserve("r1", "b", 5, at=1), Denied)


@given(
    st.lists(st.tuples(st.sampled_from(["reserve", "spend", "give_back"]), st.integers(0, 5), st.sampled_from("ab")))
)
def test_never_more_than_the_cap(steps: list[tuple[str, int, str]]) -> None:
    book = Allowance("heart", cap=3)
    for step, number, agreement in steps:
        try:
            after = (
                book.reserve(f"r{number}", agreement, 2, 0) if step == "reserve" else getattr(book, step)(f"r{number}")
            )
        except IllegalMove:
            continue
        book = book if isinstance(after, Denied) else after
        live = [charge for charge in book.charges if charge.counts]
        assert len(live) <= 3 and all(sum(c.agreement == a for c in live) <= 2 for a in "ab")
        assert book.left == 3 - len(live)


def test_a_chain_of_three_counts_as_one() -> None:
    chain = ("a", "b", "c")
    book = taken(taken(Allowance("heart"), "r1", "a", 2), "r2", "a", 2)
    assert book.left_of("b", 3, chain) == 1 and book.left_of("b", 2, chain) == 0 and book.left_of("other", 2) == 2
    after = book.reserve("r3", "b", 3, 0, chain)
    assert isinstance(after, Allowance)
    refused = after.reserve("r4", "c", 3, 0, chain)
    assert isinstance(refused, Denied) and refused.codes == ("privacy.no_allowance",)
    assert isinstance(after.reserve("r4", "c", 4, 0, chain), Allowance)
    assert after.give_back("r3").left_of("c", 3, chain) == 1


@given(
    st.lists(st.integers(0, 6), min_size=1, max_size=4),
    st.lists(st.tuples(st.sampled_from(["amend", "reserve", "late", "spend", "give_back"]), st.integers(0, 9))),
)
def test_over_a_chain_never_more_than_the_largest_allowance_in_force(
    allowances: list[int], steps: list[tuple[str, int]]
) -> None:
    """Amendments one after another; ``late``: charged to one that was replaced between decision and charge."""
    names = [f"agreement-{number}" for number in range(len(allowances))]
    book, current = Allowance("heart", cap=50), 0
    for step, number in steps:
        run, chain = f"r{number}", names[: current + 1]
        if step == "amend":
            current = min(current + 1, len(allowances) - 1)
        elif step in ("reserve", "late"):
            at = current if step == "reserve" else number % (current + 1)
            after = book.reserve(run, names[at], allowances[at], 0, chain)
            book = book if isinstance(after, Denied) else after
        else:
            try:
                book = book.spend(run) if step == "spend" else book.give_back(run)
            except IllegalMove:
                continue
        assert book.used_of(names[0], names) <= max(allowances[: current + 1])


def test_the_diagram_shows_every_state() -> None:
    assert all(state in CHARGE_STATES.diagram() for state in ("reserved", "spent", "returned"))
