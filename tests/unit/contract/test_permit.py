"""A data permit's statuses follow the chain and the clock; what is due, and what waits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.unit.contract.papers import DAY, HOSPITAL, NOW, PAPER, TERMS, amended
from tests.unit.terms.uses import digest

from xinglin.contract.errors import NotThisFace
from xinglin.contract.faces.clocks import STEPS, Due, add_months
from xinglin.contract.faces.permit import PERMIT_STATES, check_extension, from_permit, to_permit
from xinglin.contract.faces.permit import status_of as permit_status
from xinglin.contract.negotiation import Standing
from xinglin.kernel.instants import from_text

ACTIVE = Standing(PAPER.digest(), "active", NOW)


def test_a_permits_statuses_follow_the_chain_and_the_clock() -> None:
    assert set(PERMIT_STATES.states) == {"GRANTED", "AMENDED", "RENEWED", "REVOKED", "EXPIRED"}
    assert to_permit(PAPER, ACTIVE, NOW).status == "GRANTED"
    new = amended(allowance=3)
    assert to_permit(new, replace(ACTIVE, agreement=new.digest()), NOW, (PAPER.digest(),)).status == "AMENDED"
    renewed = amended(days=30)
    permit = to_permit(renewed, Standing(renewed.digest(), "active", NOW, renewed=True), NOW, (PAPER.digest(),))
    assert (permit.status, permit.id != PAPER.digest()) == ("RENEWED", True)
    assert to_permit(PAPER, ACTIVE, TERMS.expires).status == "EXPIRED"
    assert to_permit(PAPER, replace(ACTIVE, state="terminated", since=NOW), NOW).status == "REVOKED"
    assert to_permit(PAPER, replace(ACTIVE, state="suspended"), NOW).suspended
    with pytest.raises(NotThisFace):
        to_permit(new, ACTIVE, NOW)
    with pytest.raises(NotThisFace):
        permit_status(Standing("", "offered", 0), follows=False)


def test_what_is_due_after_a_permit() -> None:
    permit = to_permit(PAPER, ACTIVE, NOW)
    assert from_text(permit.delete_by) == add_months(TERMS.expires, 6)
    assert from_text(permit.publish_by) == add_months(TERMS.expires, 18)
    ended = to_permit(PAPER, replace(ACTIVE, state="terminated", since=NOW), NOW)
    assert from_text(ended.delete_by) == add_months(NOW, 6)
    assert permit.purposes == ("53(1)(e)",)
    aside = replace(PAPER, terms=replace(TERMS, purposes=("general-research",)))
    assert [one.where for one in to_permit(aside, ACTIVE, NOW).losses] == ["purpose"]


def test_nobody_changes_a_permit_and_keeps_its_name() -> None:
    permit = to_permit(PAPER, ACTIVE, NOW)
    for changes in (
        {"status": "RENEWED"},
        {"user": HOSPITAL.did},
        {"delete_by": permit.publish_by},
        {"id": digest("x")},
    ):
        with pytest.raises(NotThisFace):
            from_permit(replace(permit, **changes), ACTIVE, NOW)


def test_an_extension_is_asked_for_once_and_a_month_before_the_end() -> None:
    long = replace(PAPER, terms=replace(TERMS, expires=NOW + 300 * DAY))
    permit = to_permit(long, ACTIVE, NOW)
    latest = add_months(long.terms.expires, -1)
    assert check_extension(permit, long, latest)
    assert check_extension(permit, long, latest + 1).codes == ("permit.too_late",)
    for status in ("RENEWED", "REVOKED", "EXPIRED"):
        assert check_extension(replace(permit, status=status), long, NOW).codes == ("permit.not_extended",)
    assert check_extension(replace(permit, status="AMENDED"), long, NOW)


@pytest.mark.parametrize(
    ("step", "months", "weeks", "more"),
    [
        ("completion", 0, 4, 0),
        ("decision", 3, 0, 3),
        ("decision-accelerated", 2, 0, 1),
        ("holder-assessment", 2, 0, 0),
        ("holder-decision", 2, 0, 0),
        ("request-decision", 3, 0, 0),
        ("request-answer", 3, 0, 0),
        ("deletion", 6, 0, 0),
        ("publication", 18, 0, 0),
    ],
)
def test_the_clocks_of_the_procedure(step: str, months: int, weeks: int, more: int) -> None:
    found = STEPS[step]
    assert (found.months, found.weeks, found.more) == (months, weeks, more)
    due = Due(step, NOW)
    assert due.date == add_months(NOW, months) + weeks * 7 * DAY
    if more:
        assert due.extended("many applications").date == add_months(NOW, months + more)
        with pytest.raises(NotThisFace):
            due.extended("once").extended("twice")
    for refused in ("", " ") if more else ("a reason",):
        with pytest.raises(NotThisFace):
            due.extended(refused)


def test_every_step_is_checked_above() -> None:
    assert len(STEPS) == 9


@given(st.lists(st.tuples(st.integers(1, 30 * DAY), st.integers(0, 30 * DAY)), max_size=5))
def test_a_date_is_void_while_waiting_and_later_by_as_long(waits: list[tuple[int, int]]) -> None:
    due, at, waited = Due("decision", NOW), NOW, 0
    first = due.date
    assert first is not None
    for runs, waits_ms in waits:
        at += runs
        due = due.wait(at)
        assert due.date is None
        assert not due.missed(at + 10_000 * DAY)
        assert due.wait(at + 1) == due
        at += waits_ms
        due, waited = due.go_on(at), waited + waits_ms
        assert due.date == first + waited
    assert due.missed(first + waited + 1)
    assert not due.missed(first + waited)
    with pytest.raises(NotThisFace):
        due.wait(NOW - 1)
