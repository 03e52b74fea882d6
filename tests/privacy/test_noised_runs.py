"""Noised answers among four real nodes: what leaves, what it costs, and what nobody gets by asking again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest
from tests.privacy.conftest import COHORT, SQL, VARIABLES, until

from xinglin.evidence.entry import decode_entry
from xinglin.gate import Use
from xinglin.hub.runs import Coordinator, Patience
from xinglin.kernel.verdict import Denied
from xinglin.node.budgets import NodeBudgets
from xinglin.node.evidence import NodeEvidence
from xinglin.terms.policy import Constraint, Permission, Policy
from xinglin.testing.asker import Asker
from xinglin.testing.hostile_hub import Hospital, HostileHub
from xinglin.wire.channel import Order, Report, RunMessage, RunOrder, RunRelay, RunReleases

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]
RHO = 5 * 10**9
NOISE = {"rho_units": RHO, "minimum": 3, "colluders": 1}
HISTOGRAM = {"column": "age", "bins": 5}
DATA_SET = "cardiology"


def codes(run: Coordinator) -> set[str]:
    return {reason.code for reason in run.view().reasons}


def plan(asker: Asker, **noise: Any) -> Any:
    return asker.plan(SQL, "dp_histogram", {**HISTOGRAM, "noise": NOISE | noise})


def budgets(hospital: Hospital) -> NodeBudgets:
    return hospital.node.desk.budgets


def spent(hub: HostileHub, study: str) -> dict[str, int]:
    return {name: budgets(one).scopes(DATA_SET, study)[0].spent for name, one in hub.hospitals.items()}


@contextmanager
def hears(hub: HostileHub) -> Iterator[dict[str, set[bytes]]]:
    """The uploads that each hospital says, by hospital."""
    said: dict[str, set[bytes]] = {name: set() for name in hub.names}

    def listen(did: str, report: Report) -> bool:
        if isinstance(report, RunMessage) and report.kind == "Upload":
            said[hub.by_did[did].name].add(report.payload)
        return True

    hub.reports = listen
    yield said


async def test_what_leaves_is_noised_paid_for_and_in_evidence(hub: HostileHub, asker: Asker) -> None:
    exact = asker.opened(await asker.ask(asker.plan(SQL, "histogram", HISTOGRAM)))["payload"]
    run = await asker.ask(plan(asker))
    found = asker.opened(run)["payload"]
    assert found["noise"]["rho_units"] == RHO and found["noise"]["shares"] == 4
    for count, noised in zip(exact["counts"], found["counts"], strict=True):
        assert count is None or noised is None or abs(count - noised) < 8 * found["sd"]
    assert found["counts"] != exact["counts"]
    assert spent(hub, asker.study) == dict.fromkeys(hub.names, RHO)
    leaves = [decode_entry(one) for one in hub.log.entries()]
    authorised = [one for one in leaves if (one.kind, one.subject) == ("release-authorised", run.run_id)]
    assert len(authorised) == 4 and all(one.commitments["budget"].startswith("salted-sha256:") for one in authorised)
    assert len({one.commitments["budget"] for one in authorised}) == 4  # under salts of their own


async def test_the_same_question_is_answered_once_and_costs_once(hub: HostileHub, asker: Asker) -> None:
    first = await asker.ask(plan(asker))
    again = await asker.ask(plan(asker))
    assert again.state == "refused" and codes(again) == {"privacy.answered_before"}
    assert first.run_id in again.view().reasons[0].words
    assert spent(hub, asker.study) == dict.fromkeys(hub.names, RHO)
    fresh = await asker.ask(plan(asker, fresh=True))
    assert asker.opened(fresh)["payload"]["counts"] != asker.opened(first)["payload"]["counts"]
    assert spent(hub, asker.study) == dict.fromkeys(hub.names, 2 * RHO)


async def test_an_answer_counts_as_given_before_its_delivery_stands_in_the_log(
    hub: HostileHub, asker: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever holds the answer asks again at once, while every hospital still waits for its leaf `delivered`."""
    logged = asyncio.Event()
    append = NodeEvidence.append

    async def slow(self: NodeEvidence, use: Use, kind: str, *rest: Any) -> Any:
        if kind == "delivered":
            await logged.wait()
        return await append(self, use, kind, *rest)

    monkeypatch.setattr(NodeEvidence, "append", slow)
    first = await asker.ask(plan(asker))
    again = await asker.ask(plan(asker))
    logged.set()
    assert first.state == "done"
    assert again.state == "refused" and codes(again) == {"privacy.answered_before"}
    assert spent(hub, asker.study) == dict.fromkeys(hub.names, RHO)


async def test_asking_again_and_again_to_average_noise_ends_with_the_budget(hub: HostileHub, asker: Asker) -> None:
    for one in hub.hospitals.values():
        budgets(one).set_cap(DATA_SET, asker.study, 2 * RHO + RHO // 2)
    done = [await asker.ask(plan(asker, fresh=True)) for _ in range(4)]
    assert [run.state for run in done] == ["done", "done", "refused", "refused"]
    assert codes(done[2]) == {"privacy.study_spent"}
    assert "0.0025 rho left" in done[2].view().reasons[0].words
    assert spent(hub, asker.study) == dict.fromkeys(hub.names, 2 * RHO)
    smaller = await asker.ask(plan(asker, rho_units=RHO // 4))
    assert smaller.state == "done"
    assert (await asker.ask(asker.plan(SQL, "histogram", HISTOGRAM))).state == "done"  # exact answers are others


def held(hub: HostileHub, study: str) -> dict[str, int]:
    return {name: budgets(one).scopes(DATA_SET, study)[0].reserved for name, one in hub.hospitals.items()}


async def test_runs_that_race_for_the_last_of_a_budget_pay_everywhere_or_nowhere(hub: HostileHub, asker: Asker) -> None:
    for one in hub.hospitals.values():
        budgets(one).set_cap(DATA_SET, asker.study, 2 * RHO)
    runs = [asker.begin(plan(asker, fresh=True)) for _ in range(5)]
    await asyncio.gather(*(hub.finish(run) for run in runs))
    done = [run for run in runs if run.state == "done"]
    assert done and {run.state for run in runs} == {"done", "refused"}, "nobody is withheld after having paid"
    assert spent(hub, asker.study) == dict.fromkeys(hub.names, RHO * len(done)) and len(done) <= 2
    await until(lambda: held(hub, asker.study) == dict.fromkeys(hub.names, 0))
    lost = {code for run in runs if run not in done for code in codes(run)}
    assert lost <= {"privacy.reserved", "privacy.study_spent"}
    for one in hub.hospitals.values():
        budgets(one).entries(DATA_SET)  # the chain holds


async def test_two_that_each_hold_half_of_the_hospitals_do_not_both_lose(hub: HostileHub, asker: Asker) -> None:
    """Every order of arrival: the run with the smaller id waits where the other holds the budget, and is answered."""
    for one in hub.hospitals.values():
        budgets(one).set_cap(DATA_SET, asker.study, RHO)
    first_at, ids, everywhere = {"a": 0, "b": 1, "c": 0, "d": 1}, [], False

    def one_first(did: str, sent: Order) -> tuple[Order, ...]:
        if not isinstance(sent, RunOrder):
            return (sent,)
        ids.extend({sent.run_id} - set(ids))
        mine = ids.index(sent.run_id) == first_at[hub.by_did[did].name]
        return (sent,) if mine or everywhere else ()

    hub.orders = one_first
    runs = [asker.begin(plan(asker, fresh=True)) for _ in range(2)]
    await until(lambda: all(held(hub, asker.study).values()))
    everywhere = True
    for run in runs:
        for one in hub.hospitals.values():
            run.arrived(one.did)  # the orders that were kept back
    await asyncio.gather(*(hub.finish(run) for run in runs))
    first, second = sorted(runs, key=lambda run: run.run_id)
    assert (first.state, second.state) == ("done", "refused") and codes(second) == {"privacy.reserved"}
    assert spent(hub, asker.study) == dict.fromkeys(hub.names, RHO)


async def test_a_hub_that_lets_no_run_go_on_holds_no_budget(hub: HostileHub, asker: Asker) -> None:
    """It asks in a study's name again and again: others' budgets are untouched, and what is held ends with the runs."""
    for one in hub.hospitals.values():
        budgets(one).set_cap(DATA_SET, asker.study, 2 * RHO)
    other = Asker(hub, f"{asker.study}-beside")
    await other.agree(COHORT, VARIABLES)
    stuck: set[str] = set()
    hub.orders = lambda _did, order: () if isinstance(order, RunReleases) and order.run_id in stuck else (order,)
    runs = [asker.begin(plan(asker, fresh=True)) for _ in range(2)]
    stuck.update(run.run_id for run in runs)
    await until(lambda: held(hub, asker.study) == dict.fromkeys(hub.names, 2 * RHO))
    assert (await other.ask(plan(other))).state == "done"
    for run in runs:
        await run.cancel()
    await until(lambda: held(hub, asker.study) == dict.fromkeys(hub.names, 0))
    assert spent(hub, asker.study) == dict.fromkeys(hub.names, 0)
    hub.honest()
    assert (await asker.ask(plan(asker))).state == "done", "nothing was lost but time"


async def test_an_order_that_is_replayed_after_the_end_holds_nothing(hub: HostileHub, asker: Asker) -> None:
    orders: list[tuple[str, Order]] = []

    def keep(did: str, order: Order) -> tuple[Order, ...]:
        orders.extend([(did, order)] if isinstance(order, RunOrder) else [])
        return (order,)

    hub.orders = keep
    run = asker.begin(plan(asker, fresh=True))
    await until(lambda: any(held(hub, asker.study).values()))
    await run.cancel()
    await until(lambda: held(hub, asker.study) == dict.fromkeys(hub.names, 0))
    done = await asker.ask(plan(asker, fresh=True))
    paid = spent(hub, asker.study)
    for did, order in orders:
        hub.by_did[did].dispatch.take(order)
    await asyncio.sleep(0.5)
    assert done.state == "done" and spent(hub, asker.study) == paid == dict.fromkeys(hub.names, RHO)
    assert held(hub, asker.study) == dict.fromkeys(hub.names, 0)


async def test_past_the_last_exact_answer_noise_is_still_answered(hub: HostileHub) -> None:
    asker = Asker(hub, "study-past-the-last")
    await asker.agree(COHORT, VARIABLES, allowance=1)
    assert (await asker.ask(asker.plan(SQL, "histogram", HISTOGRAM))).state == "done"
    refused = await asker.ask(asker.plan(SQL, "describe", {"columns": ["age"]}))
    assert codes(refused) == {"terms.no_allowance"}
    assert "epsilon" in refused.view().reasons[0].remedy
    assert (await asker.ask(plan(asker))).state == "done"


async def test_a_policy_that_names_a_budget_is_held(hub: HostileHub) -> None:
    asker = Asker(hub, "study-budget-policy")
    bound = Constraint("privacyBudget", "lteq", "0.6")
    policy = Policy(permissions=(Permission("statistics", (bound,)),))
    await asker.agree(COHORT, VARIABLES, policy=policy)
    exact = await asker.ask(asker.plan(SQL, "histogram", HISTOGRAM))
    assert codes(exact) == {"terms.unknown_privacy_budget"}
    assert (await asker.ask(plan(asker))).state == "done"  # 0.43
    over = await asker.ask(plan(asker, fresh=True))  # 0.62 in all
    assert codes(over) == {"terms.not_met_privacy_budget"}


async def test_a_hub_that_says_everything_twice_hears_one_upload(hub: HostileHub, asker: Asker) -> None:
    hub.orders = lambda _did, order: (order, order) if isinstance(order, RunRelay) else (order,)
    with hears(hub) as said:
        run = await asker.ask(plan(asker))
    assert run.state == "done"
    assert {name: len(uploads) for name, uploads in said.items()} == dict.fromkeys(hub.names, 1)
    assert spent(hub, asker.study) == dict.fromkeys(hub.names, RHO)


async def test_a_node_that_starts_anew_says_the_same_noise(hub: HostileHub, asker: Asker) -> None:
    said: list[bytes] = []
    one = hub.hospitals["a"]

    def lose_the_first(did: str, report: Report) -> bool:
        if did == one.did and isinstance(report, RunMessage) and report.kind == "Upload":
            said.append(report.payload)
            return len(said) > 1
        return True

    hub.reports = lose_the_first
    run = asker.begin(plan(asker))
    await until(lambda: said)
    await one.stop()
    one.start()
    await hub.checkpoint()
    run.arrived(one.did)
    await hub.finish(run)
    assert run.state == "done" and len(set(said)) == 1 and len(said) > 1
    assert spent(hub, asker.study) == dict.fromkeys(hub.names, RHO)


async def test_without_a_hospital_the_noise_is_not_less_than_stated(hub: HostileHub, asker: Asker) -> None:
    gone = hub.hospitals["d"].did
    hub.reports = lambda did, report: not (did == gone and isinstance(report, RunMessage) and report.kind == "Upload")
    run = asker.begin(plan(asker), patience=Patience(step_s=0.5))
    await until(lambda: run.state == "computing")
    while not run.over:
        await run.watch()
        await asyncio.sleep(0.2)
    found = asker.opened(run)["payload"]
    assert run.state == "done" and found["noise"]["shares"] == 3
    # Two shares, without the one that may collude, are the stated variance 1 / (2 rho); three are half as much again.
    assert found["sd"] ** 2 * 2 / 3 >= 1 / (2 * RHO / 10**12) * (1 - 1e-9)
    assert spent(hub, asker.study)["d"] == RHO  # it had paid before its upload was lost
    hub.honest()


async def test_below_the_minimum_of_the_plan_nothing_is_opened(hub: HostileHub, asker: Asker) -> None:
    gone = hub.hospitals["d"].did
    hub.reports = lambda did, report: not (did == gone and isinstance(report, RunMessage) and report.kind == "Upload")
    run = asker.begin(plan(asker, minimum=4), patience=Patience(step_s=0.5, return_s=1.0))
    await until(lambda: run.state == "computing")
    while not run.over:
        await run.watch()
        await asyncio.sleep(0.2)
    assert run.state == "too_few"
    hub.honest()


async def test_noise_that_is_not_well_formed_is_refused(hub: HostileHub, asker: Asker) -> None:
    for wrong in ({"rho_units": 0}, {"rho_units": 10**15}, {"colluders": 2}, {"delta": "1"}):
        done = await asker.ask(plan(asker, **wrong))
        assert codes(done) & {"terms.noise"}, wrong
    assert spent(hub, asker.study) == dict.fromkeys(hub.names, 0)


async def test_a_looked_up_scope_is_the_default_until_the_hospital_says_otherwise(space: HostileHub) -> None:
    one = budgets(space.hospitals["b"])
    study, everybody = one.scopes("another", "study-new")
    assert (study.cap, everybody.cap) == (10**11, 5 * 10**11)
    assert isinstance(one.set_cap(DATA_SET, "", -1), Denied)
    assert [scope.study for scope in one.known("another")] == ["*"]


async def test_a_new_name_over_the_same_tables_is_no_fresh_budget(hub: HostileHub, asker: Asker) -> None:
    for one in hub.hospitals.values():
        budgets(one).set_cap(DATA_SET, asker.study, RHO)
        one.node.tables.publish(msgspec.structs.replace(one.node.tables.described(DATA_SET), name="cardiology-v2"))
    assert (await asker.ask(plan(asker))).state == "done"
    again = Asker(hub, asker.study, "cardiology-v2")
    await again.agree(COHORT, VARIABLES)
    refused = await again.ask(plan(again))
    assert refused.state == "refused" and codes(refused) == {"privacy.study_spent"}
    assert spent(hub, asker.study) == dict.fromkeys(hub.names, RHO)
