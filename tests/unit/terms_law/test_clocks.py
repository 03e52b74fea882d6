"""Clocks of permits: calendar months, prolongation, the accelerated form, and time that does not count."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from xinglin.kernel.instants import from_text, to_text
from xinglin.terms.law.clocks import clock, due
from xinglin.terms.law.errors import LawError
from xinglin.terms.law.loading import load_pack

EHDS = load_pack("ehds")
DECISION = clock(EHDS, "permit-decision")
DAY = 86_400_000
BEGUN = from_text("2029-11-30T10:00:00Z")


def text(**how: object) -> str:
    found = due(DECISION, BEGUN, **how)  # type: ignore[arg-type]
    assert found is not None
    return to_text(found)[:16]


def test_months_end_on_the_same_day_or_the_last() -> None:
    assert text() == "2030-02-28T10:00"
    assert text(prolonged=True) == "2030-05-30T10:00"
    assert text(accelerated=True) == "2030-01-30T10:00"
    assert text(accelerated=True, prolonged=True) == "2030-02-28T10:00"
    assert due(clock(EHDS, "applicant-completes"), BEGUN) == BEGUN + 28 * DAY


def test_a_due_date_is_void_while_waiting_and_moves_by_the_wait() -> None:
    assert due(DECISION, BEGUN, waits=[(BEGUN + DAY, None)]) is None
    plain = due(DECISION, BEGUN)
    assert plain is not None
    assert due(DECISION, BEGUN, waits=[(BEGUN + DAY, BEGUN + 3 * DAY)]) == plain + 2 * DAY
    twice = [(BEGUN + 2 * DAY, BEGUN + 4 * DAY), (BEGUN + DAY, BEGUN + 3 * DAY), (BEGUN - DAY, BEGUN)]
    assert due(DECISION, BEGUN, waits=twice) == plain + 3 * DAY
    answer = clock(EHDS, "request-answer")
    assert due(answer, BEGUN, waits=[(BEGUN, None)]) == due(answer, BEGUN)


def test_months_are_those_of_the_office() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    begun = from_text("2030-01-15T09:00:00+01:00")
    found = due(DECISION, begun, zone=berlin)
    assert found == from_text("2030-04-15T09:00:00+02:00"), "nine o'clock stays nine o'clock over the clock change"


def test_what_a_clock_does_not_have() -> None:
    with pytest.raises(LawError, match="not prolonged"):
        due(clock(EHDS, "deletion"), BEGUN, prolonged=True)
    with pytest.raises(LawError, match="no accelerated"):
        due(clock(EHDS, "deletion"), BEGUN, accelerated=True)
    with pytest.raises(LawError) as raised:
        clock(EHDS, "permit-decison")
    assert "permit-decision" in raised.value.remedy


def test_the_clocks_of_the_reference() -> None:
    months = {one.id: (one.months, one.weeks) for one in EHDS.clocks}
    assert months == {
        "applicant-completes": (0, 4),
        "permit-decision": (3, 0),
        "holder-assessment": (2, 0),
        "decision-after-assessment": (2, 0),
        "request-decision": (3, 0),
        "request-answer": (3, 0),
        "deletion": (6, 0),
        "results-published": (18, 0),
        "extension-notice": (1, 0),
    }
