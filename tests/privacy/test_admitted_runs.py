"""A run that was admitted and is held back: it has its time, and a withdrawal that binds it ends it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.privacy.conftest import SQL, quiet, until
from tests.privacy.one_hospital import One, codes, kinds

from xinglin.evidence.submission import decode_batch, open_batch
from xinglin.hub.run_states import HALTED
from xinglin.hub.runs import Coordinator
from xinglin.kernel.errors import LimitExceeded
from xinglin.kernel.instants import system_clock
from xinglin.lake.delta import Lake
from xinglin.node.consent import record, say_of_study, withdraw
from xinglin.node.settings import NodeSettings
from xinglin.node.wiring import build_node
from xinglin.terms.consent import Choice, IdentityCheck, Rule, Where
from xinglin.terms.consent_use import StudyWord
from xinglin.terms.facts import RUN_TIME
from xinglin.testing.hostile_hub import Hospital, HostileHub
from xinglin.trust.keys import verify
from xinglin.wire.channel import LogSubmission, RunRelay

pytestmark = pytest.mark.asyncio(loop_scope="module")


@contextmanager
def has(hospital: Hospital, limit_ms: int) -> Iterator[None]:
    """The hospital gives runs so long."""
    runs: Any = hospital.node.runs
    decider = runs.gate._ports.decider
    before = runs._run_limit_ms
    runs._run_limit_ms = decider._run_limit_ms = limit_ms
    try:
        yield
    finally:
        runs._run_limit_ms = decider._run_limit_ms = before


def persons(hospital: Hospital) -> list[str]:
    rows: Any = Lake(hospital.folder / "lake")
    found = rows.datasets(rows.current(["cardiac"]))["cardiac"].to_table()
    return sorted(set(map(str, found.column("person").to_pylist())))


async def begun(hub: HostileHub, request: pytest.FixtureRequest, basis: str = "", *packs: str) -> One:
    one = One(hub, "study-" + request.node.name.replace("[", ".").replace("]", "")[-80:])
    await one.agree_all()
    if basis:
        for hospital in hub.hospitals.values():
            say_of_study(hospital.folder, StudyWord(one.study, basis, packs, "officer", system_clock()))
    return one


async def held(one: One) -> Coordinator:
    """A run whose rounds the hub holds back at ``b``, once ``b`` computes."""
    one.hub.orders = lambda did, order: () if did == one.b.did and isinstance(order, RunRelay) else (order,)
    plan = one.plan(SQL, "describe", {"columns": ["age"]})
    run = one.begin(plan)
    await until(lambda: kinds(one.hub, run.run_id)["b"]["admitted"] and run.state != "deciding")
    await until(lambda: one.b.node.runs._computations)
    return run


def state(one: One, run: Coordinator) -> Any:
    found = one.b.node.database.record(run.run_id)
    assert found is not None
    return found


async def test_a_hub_that_holds_the_rounds_back_outlives_no_reading(
    hub: HostileHub, request: pytest.FixtureRequest
) -> None:
    one = await begun(hub, request)
    with has(one.b, 700):
        run = await held(one)
        assert one.b.node.runs.open
        await quiet(one.b, run.run_id)
    assert [reason.code for reason in state(one, run).reasons] == ["terms.run_too_long"]
    assert kinds(hub, run.run_id)["b"] == {"admitted": 1, "ended": 1}
    await hub.finish(run)
    view = run.view()
    assert run.state == "withheld" and view.words == HALTED and "longer" in view.reasons[0].words
    hub.honest()
    assert (await one.question()).state == "done"


async def test_a_hub_that_holds_back_anothers_authorisation_neither(
    hub: HostileHub, request: pytest.FixtureRequest
) -> None:
    """``b`` has authorised and waits for ``c``, whose leaf comes to nobody."""
    one = await begun(hub, request)
    c = hub.hospitals["c"]

    def lets(did: str, report: Any) -> bool:
        if did != c.did or not isinstance(report, LogSubmission):
            return True
        directory = hub.record.directory
        found = open_batch(
            decode_batch(report.batch), hub.space.origin, lambda did, *rest: verify(directory.keys(did), *rest)
        )
        return all(entry.kind != "release-authorised" for entry in found)

    hub.reports = lets
    with has(one.b, 2500):
        run = one.begin(one.plan(SQL, "describe", {"columns": ["age"]}))
        await until(lambda: kinds(hub, run.run_id)["b"]["release-authorised"])
        await quiet(one.b, run.run_id)
    assert [reason.code for reason in state(one, run).reasons] == ["terms.run_too_long"]
    assert kinds(hub, run.run_id)["b"] == {"admitted": 1, "release-authorised": 1, "ended": 1}
    hub.honest()
    hub.hospitals["c"].node.evidence.resubmit()
    for hospital in hub.hospitals.values():
        await quiet(hospital, run.run_id)
    assert all("delivered" not in found for found in kinds(hub, run.run_id).values()), "nobody released b's part"
    assert run.state != "done"


async def test_a_withdrawal_in_the_middle_ends_the_run(hub: HostileHub, request: pytest.FixtureRequest) -> None:
    one = await begun(hub, request, "ethics-waiver", "gdpr")
    run = await held(one)
    await asyncio.sleep(0.6)
    assert not state(one, run).reasons, "nobody chose anything"
    withdraw(one.b.folder, persons(one.b)[0], "desk", Where(purposes=("education",)))
    await asyncio.sleep(0.6)
    assert not state(one, run).reasons, "it is about another purpose"
    withdraw(one.b.folder, persons(one.b)[0], "desk")
    await quiet(one.b, run.run_id)
    assert [reason.code for reason in state(one, run).reasons] == ["terms.withdrawn_since"]
    assert kinds(hub, run.run_id)["b"] == {"admitted": 1, "ended": 1}
    hub.honest()
    for hospital in hub.hospitals.values():
        await quiet(hospital, run.run_id)
    assert not any("release-authorised" in found for found in kinds(hub, run.run_id).values())


async def test_a_withdrawal_that_does_not_bind_ends_nothing(hub: HostileHub, request: pytest.FixtureRequest) -> None:
    """EHDS, Article 71: an objection reaches permits that are given later."""
    one = await begun(hub, request, "permit", "ehds")
    run = await held(one)
    withdraw(one.b.folder, persons(one.b)[1], "desk")
    await asyncio.sleep(0.8)
    assert not state(one, run).reasons
    hub.honest()
    run.arrived(one.b.did)
    await hub.finish(run)
    await quiet(one.b, run.run_id)
    # Who left before this agreement was made is out, and a few persons' difference to an earlier release is withheld.
    assert (run.state, codes(run)) in (("done", set()), ("withheld", {"privacy.differencing"}))


async def test_a_permission_in_the_middle_ends_nothing_and_a_new_basis_does(
    hub: HostileHub, request: pytest.FixtureRequest
) -> None:
    one = await begun(hub, request, "ethics-waiver", "gdpr")
    run = await held(one)
    checked = IdentityCheck("card", "Li", system_clock())
    record(one.b.folder, [Choice(persons(one.b)[2], Rule("permit"), system_clock(), "desk", identity=checked)])
    await asyncio.sleep(0.6)
    assert not state(one, run).reasons
    say_of_study(one.b.folder, StudyWord(one.study, "consent", ("gdpr",), "officer", system_clock()))
    await quiet(one.b, run.run_id)
    assert [reason.code for reason in state(one, run).reasons] == ["terms.withdrawn_since"]


async def test_a_hospital_allows_less_and_never_more(hub: HostileHub, tmp_path: Path) -> None:
    folder = hub.hospitals["a"].folder
    with pytest.raises(LimitExceeded, match="time from a run's admission"):
        build_node(folder, NodeSettings(run_limit_s=RUN_TIME.value / 1000 + 1))
