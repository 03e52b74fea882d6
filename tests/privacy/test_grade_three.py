"""A data set of grade L3 from end to end: what each missing condition refuses, and what no hospital can show yet."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import pytest_asyncio
from msgspec.structs import replace
from tests.privacy.conftest import quiet, until
from tests.privacy.one_hospital import Committee, One, codes, kinds, sited, where
from tests.privacy.test_admitted_runs import held, state

from xinglin.evidence.entry import Entry
from xinglin.kernel.instants import system_clock, to_text
from xinglin.node import assessments, decider
from xinglin.node.consent import say_of_study
from xinglin.terms.consent_use import StudyWord
from xinglin.terms.policy import Constraint
from xinglin.terms.policy_facts import asked_of
from xinglin.terms.supplied import AT_THE_NODE
from xinglin.testing.hostile_hub import Hospital, HostileHub
from xinglin.trust.keys import PrivateKeys
from xinglin.wire.endings import sign_ending
from xinglin.wire.errors import Refused

pytestmark = pytest.mark.asyncio(loop_scope="module")

DATA_SET, NAME, DAY_MS = "genomes", "mlps-3", 86_400_000
PROTECTED = "terms.requires_protected_computation"
REPORT = b"%PDF-1.7 the report of a testing centre"


def statement(days: int = 30, name: str = NAME) -> str:
    made, ends = (to_text(system_clock() + DAY_MS * one) for one in (days - 31, days))
    said = 'assessor = "Testing Centre"\nscheme = "GB/T 22239-2019, level 3"\n'
    return f'name = "{name}"\n{said}made = {made}\nexpires = {ends}\n'


def assessed(hospital: Hospital) -> None:
    assessments.add(hospital.folder, hospital.node.keys, statement(), REPORT)


@contextmanager
def protected() -> Iterator[None]:
    """As it will be once nodes compute under encryption: nothing here does, so only a test says so."""
    before = decider.PROTECTIONS
    decider.PROTECTIONS = before | {"protected_computation"}  # type: ignore[misc]
    try:
        yield
    finally:
        decider.PROTECTIONS = before  # type: ignore[misc]


@pytest_asyncio.fixture(loop_scope="module")
async def one(hub: HostileHub, request: pytest.FixtureRequest) -> AsyncIterator[One]:
    """A researcher whose agreements, approval and assessments are all there, on columns of grade L3."""
    for hospital in hub.hospitals.values():
        plain = hospital.node.tables.published["cardiology"]
        tables = tuple(replace(table, grade="L3") for table in plain.tables)
        hospital.node.tables.publish(replace(plain, name=DATA_SET, tables=tables, grade="L3"))
        assessed(hospital)
    found = One(hub, "study-" + request.node.name.replace("[", ".").replace("]", "")[-60:])
    found.data_set = DATA_SET
    await found.agree_all({"policy": where(Constraint("securityAssessment", "hasPart", (NAME,)))}, grade="L3")
    await approve(found)
    yield found
    for hospital in hub.hospitals.values():
        for name in {name for name, signed in assessments.registered(hospital.folder) if signed is not None}:
            assessments.end(hospital.folder, name)


async def approve(one: One) -> None:
    order = Committee(one).approved()
    await one.hub.checkpoint()
    for hospital in one.hub.hospitals.values():
        hospital.node.approvals.given(order)


async def test_with_everything_there_what_no_hardware_here_shows_is_the_only_reason(one: One) -> None:
    run = await one.question()
    assert (run.state, codes(run)) == ("refused", {PROTECTED})
    assert {reason.remedy for reason in run.view().reasons} == {
        "Agree on data of grade L2: no node computes under encryption or in an attested enclave."
    }
    with protected():
        assert (await one.question()).state == "done"


NONE = {"terms.requires_security_assessment", "terms.not_met_security_assessment"}
"""Grade L3 asks for an assessment, and so does the agreement's policy, by its name."""


def ends_it(b: Hospital) -> None:
    assessments.end(b.folder, NAME)


def is_another(b: Hospital) -> None:
    assessments.end(b.folder, NAME)
    assessments.add(b.folder, b.node.keys, statement(name="iso-27001"), REPORT)


def is_for_other_data(b: Hospital) -> None:
    assessments.add(b.folder, b.node.keys, statement() + 'data_sets = ["another"]\n', REPORT)


def is_signed_by_a_stranger(b: Hospital) -> None:
    assessments.add(b.folder, PrivateKeys.generate(), statement(), REPORT, node=b.did)


@pytest.mark.parametrize(
    ("spoils", "expected"),
    [
        (ends_it, NONE),
        (is_another, {"terms.not_met_security_assessment"}),
        (is_for_other_data, NONE),
        (is_signed_by_a_stranger, NONE),
    ],
)
async def test_without_an_assessment_that_stands(
    one: One, spoils: Callable[[Hospital], None], expected: set[str]
) -> None:
    spoils(one.b)
    with protected():
        run = await one.question()
        assert (run.state, codes(run)) == ("refused", expected)
        assessed(one.b)
        assert (await one.question()).state == "done"


async def test_one_that_has_expired_or_is_frozen_does_not_stand(one: One) -> None:
    standing: Any = one.b.node.runs.gate._ports.decider._assessments  # type: ignore[union-attr]
    standing._clock = lambda: system_clock() + 31 * DAY_MS
    with protected():
        run = await one.question()
        standing._clock = one.b.clock
        assert codes(run) == NONE
        (found,) = standing.standing(DATA_SET)
        hub = one.hub
        body = sign_ending("freeze", found.digest(), hub.regulator)
        hub.append(Entry(kind="freeze", at=hub.clock(), submitter=hub.regulator.did, body=body))
        await hub.checkpoint()
        assert codes(await one.question()) == NONE


async def test_without_approval_allowance_or_grade(hub: HostileHub, one: One) -> None:
    with protected():
        await one.agree_again(grade="L3", allowance=1)
        assert (await one.question()).state == "done"
        assert codes(await one.question()) == {"terms.no_allowance"}
        with pytest.raises(Refused, match="is graded above the agreement"):
            await one.agree_again(grade="L2")
        other = One(hub, one.study + "-other")
        other.data_set = DATA_SET
        await other.agree_all(grade="L3")
        assert codes(await other.question()) == {"terms.requires_ethics_approval"}


async def test_an_assessment_that_ends_in_the_middle_ends_the_run(one: One) -> None:
    with protected():
        run = await held(one)
        assessments.end(one.b.folder, NAME)
        await quiet(one.b, run.run_id)
    assert {reason.code for reason in state(one, run).reasons} == NONE
    assert kinds(one.hub, run.run_id)["b"] == {"admitted": 1, "ended": 1}


async def test_extracts_and_reading_are_never_offered_on_it(one: One) -> None:
    plan = one.plan("SELECT age FROM cardiac", "describe", {"columns": ["age"]})
    for operation in ("extract", "read"):
        run = await one.ask(plan, one.request(plan, operation=operation))
        assert "terms.not_offered" in codes(run)


async def test_every_fact_of_the_table_is_supplied_by_a_real_node(one: One) -> None:
    """A hospital that says where it computes, applies a pack and spoke of the study: nothing stays unknown."""
    say_of_study(one.b.folder, StudyWord(one.study, "ethics-waiver", ("gdpr",), "officer", system_clock()))
    gate: Any = one.b.node.runs.gate
    seen: list[Any] = []
    really = gate._ports.decider.decided

    def decided(use: Any, facts: Any, verdict: Any, stage: str) -> None:
        seen.append(asked_of(use.request, use.plan, facts).values)
        really(use, facts, verdict, stage)

    gate._ports.decider.decided = decided
    try:
        with sited(one.b, place="CN-SH", network="10.1.0.0/16"):
            plan = one.plan("SELECT sex, exang FROM cardiac", "crosstab", {"rows": "sex", "columns": "exang"})
            recipients = (one.b.did,)
            await one.ask(plan, one.request(plan, recipients=recipients))
            await until(lambda: seen)
    finally:
        del gate._ports.decider.decided
    values = seen[0]
    assert set(values) | {"openingHours"} == set(AT_THE_NODE)
    assert values["securityAssessment"] == (NAME,) and values["onwardTransfer"] == "true"
