"""Overdue breaches at a real node: an entry for its people by default, a suspension where a rule says so; once."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio
from tests.unit.node.test_breaches import COHORT, VARIABLES, logged, noticed, order
from tests.unit.node.three_hospitals import three_hospitals

from xinglin.contract import KIND_OF, Change
from xinglin.contract.breach import ANSWER_KIND, NOTICE_KIND, BreachAnswer, Case
from xinglin.node.agreement_desk import answer_about_agreements
from xinglin.node.autopilot import AUTOPILOT_FILE
from xinglin.node.desk import answer_at_desk
from xinglin.testing.asker import Asker
from xinglin.testing.hostile_hub import Hospital, HostileHub
from xinglin.wire.desk import DeskCall

pytestmark = pytest.mark.asyncio(loop_scope="module")

DAY_MS = 86_400_000
SUSPEND = """
[[rule]]
on = "breach-overdue"
do = "suspend"
data_sets = ["%s"]
reason = "What is not answered in time is stopped first."
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hub(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[HostileHub]:
    async with three_hospitals(tmp_path_factory.mktemp("space")) as space:
        yield space


@pytest_asyncio.fixture(loop_scope="module")
async def asker(hub: HostileHub, request: pytest.FixtureRequest) -> AsyncIterator[Asker]:
    one = Asker(hub, "study-" + re.sub(r"\W", "-", request.node.name)[-60:].strip("-"))
    await one.agree(COHORT, VARIABLES)
    yield one


@pytest.fixture
def at(hub: HostileHub) -> Iterator[Hospital]:
    found = hub.hospitals["a"]
    yield found
    found.clock.off_ms = 0
    (found.folder / AUTOPILOT_FILE).unlink(missing_ok=True)


def rules(at: Hospital, text: str) -> None:
    (at.folder / AUTOPILOT_FILE).write_text(text, encoding="utf-8")


async def late(at: Hospital, asker: Asker) -> Case:
    """A notice of this hospital's whose answer is overdue."""
    by = at.clock() + 30
    case = await at.node.breaches.notice(asker.agreements[at.did], "not-deleted", "Still there.", answer_by=by)
    await asyncio.sleep(0.05)
    await asker.hub.checkpoint()
    return case


def entries(at: Hospital, asker: Asker) -> list[dict[str, Any]]:
    return [one for one in at.node.overdue.entries() if one["agreement"] == asker.agreements[at.did]]


def state(at: Hospital, asker: Asker) -> object:
    return at.node.agreements.shown(asker.agreements[at.did])["state"]


def suspensions(at: Hospital, asker: Asker) -> int:
    leaves = (at.node.view.entry(index) for index in range(at.node.view.size))
    subject = asker.agreements[at.did]
    return sum(one.kind == KIND_OF["suspend"] and one.subject == subject for one in leaves)


async def test_without_a_rule_it_is_an_entry_for_the_hospitals_people(asker: Asker, at: Hospital) -> None:
    assert entries(at, asker) == []
    case = await late(at, asker)
    await at.node.overdue.look()
    (entry,) = entries(at, asker)
    assert (entry["notice"], entry["due"], entry["whose"]) == (case.notice, case.due, "theirs")
    assert (entry["state"], entry["rule"], entry["what"]) == ("held", 0, "not-deleted")
    assert state(at, asker) == "active"
    told = await answer_at_desk(at.node, at.channel, DeskCall("status"), asyncio.Event())  # type: ignore[arg-type]
    assert entry in told.value["overdue"]
    await at.node.breaches.close(case.agreement, case.notice)
    assert entries(at, asker) == []


async def test_a_rule_suspends_once_as_by_hand(asker: Asker, at: Hospital) -> None:
    rules(at, SUSPEND % "*")
    case = await late(at, asker)
    await asyncio.gather(at.node.overdue.look(), at.node.overdue.look())
    (entry,) = entries(at, asker)
    assert (entry["state"], entry["rule"]) == ("suspended", 1)
    assert (state(at, asker), suspensions(at, asker)) == ("suspended", 1)
    await at.node.agreements.resume(case.agreement)  # a person decides otherwise: the rule has had its turn
    await at.node.overdue.look()
    assert (state(at, asker), suspensions(at, asker)) == ("active", 1)


async def test_a_stop_between_the_suspension_and_its_note_suspends_once(
    asker: Asker, at: Hospital, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules(at, SUSPEND % "*")
    await late(at, asker)
    with monkeypatch.context() as patched:
        patched.setattr(at.node.overdue, "_move", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            await at.node.overdue.look()
    assert [one["state"] for one in entries(at, asker)] == ["missed"]
    await at.node.overdue.look()
    assert [one["state"] for one in entries(at, asker)] == ["suspended"]
    assert suspensions(at, asker) == 1


@pytest.mark.parametrize(
    "text",
    [SUSPEND % "other-*", '[[rule]]\non = "offered"\ndo = "hold"\n'],
    ids=["another data set", "another event"],
)
async def test_a_rule_for_something_else_holds_for_nothing(asker: Asker, at: Hospital, text: str) -> None:
    rules(at, text)
    await late(at, asker)
    await at.node.overdue.look()
    assert [(one["state"], one["rule"]) for one in entries(at, asker)] == [("held", 0)]
    assert state(at, asker) == "active"


async def test_rules_that_cannot_be_meant_do_nothing_and_hide_nothing(asker: Asker, at: Hospital) -> None:
    rules(at, "[[rule]]\non = 'breach-overdue'\ndo = 'accept'\n")
    await late(at, asker)
    await at.node.overdue.look()
    assert [one["state"] for one in entries(at, asker)] == ["missed"] and state(at, asker) == "active"
    rules(at, SUSPEND % "*")
    await at.node.overdue.look()
    assert state(at, asker) == "suspended"


async def test_a_clock_that_is_set_back_undoes_nothing(asker: Asker, at: Hospital) -> None:
    case = await late(at, asker)
    await at.node.overdue.look()
    (before,) = entries(at, asker)
    at.clock.off_ms = -DAY_MS
    await at.node.overdue.look()
    assert not at.node.breaches.case(case.agreement, case.notice).overdue
    assert entries(at, asker) == [before]
    (shown,) = await answer_about_agreements(at.node, DeskCall("breaches", {"id": case.agreement}))  # type: ignore[misc]
    assert shown["overdue"]
    at.clock.off_ms = 0
    await at.node.overdue.look()
    assert entries(at, asker) == [before]


async def test_a_clock_that_runs_ahead_of_the_log_triggers_nothing(asker: Asker, at: Hospital) -> None:
    rules(at, SUSPEND % "*")
    await at.node.breaches.notice(asker.agreements[at.did], "not-paid", "Nothing came.")
    at.clock.off_ms = 40 * DAY_MS
    await at.node.overdue.look()
    assert entries(at, asker) == []
    at.clock.off_ms = 0
    assert state(at, asker) == "active"


async def test_an_answer_that_the_log_names_and_nobody_carried_suspends_nothing(asker: Asker, at: Hospital) -> None:
    rules(at, SUSPEND % "*")
    case = await late(at, asker)
    made = at.clock()
    paper = BreachAnswer(case.agreement, case.notice, asker.did, at.did, "contested", "It is not so.", made)
    change = Change("breach", case.agreement, made, document=paper.digest(), step="answer", about=case.notice)
    await logged(asker, change)
    await at.node.overdue.look()
    assert [one["state"] for one in entries(at, asker)] == ["missed"] and state(at, asker) == "active"
    at.dispatch.take(order(asker, ANSWER_KIND, paper))
    await at.node.overdue.look()
    assert entries(at, asker) == [] and state(at, asker) == "active"


async def test_a_second_date_that_is_missed_is_a_second_event(asker: Asker, at: Hospital) -> None:
    case = await late(at, asker)
    await at.node.overdue.look()
    made = at.clock()
    paper = BreachAnswer(case.agreement, case.notice, asker.did, at.did, "accepted", "So it is.", made, made + 300)
    at.dispatch.take(order(asker, ANSWER_KIND, paper))
    change = Change("breach", case.agreement, made, document=paper.digest(), step="answer", about=case.notice)
    await logged(asker, change)
    assert entries(at, asker) == []
    rules(at, SUSPEND % "*")
    await asyncio.sleep(0.4)
    await asker.hub.checkpoint()
    await at.node.overdue.look()
    assert [(one["due"], one["state"]) for one in entries(at, asker)] == [(paper.remedy_by, "suspended")]


async def test_this_hospitals_own_missed_date_is_shown_and_suspends_nothing(asker: Asker, at: Hospital) -> None:
    rules(at, SUSPEND % "*")
    paper = noticed(asker, at, answer_by=asker.hub.clock() + 30)
    at.dispatch.take(order(asker, NOTICE_KIND, paper))
    await logged(asker, Change("breach", paper.agreement, paper.made, document=paper.digest(), step="notice"))
    await asyncio.sleep(0.05)
    await asker.hub.checkpoint()
    await at.node.overdue.look()
    assert [(one["whose"], one["state"]) for one in entries(at, asker)] == [("ours", "held")]
    assert state(at, asker) == "active"


async def test_an_ended_agreement_is_held(asker: Asker, at: Hospital) -> None:
    rules(at, SUSPEND % "*")
    await late(at, asker)
    await at.node.agreements.end(asker.agreements[at.did])
    await at.node.overdue.look()
    (entry,) = entries(at, asker)
    assert (entry["state"], entry["rule"]) == ("held", 1) and "terminated" in str(entry["reason"])
