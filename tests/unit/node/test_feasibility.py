"""Real nodes: how many persons match, before any study; what is refused, rounded, locked and withheld."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from msgspec.structs import replace

from xinglin.contract.agreement import Agreement, sign_agreement
from xinglin.hub.runs import Coordinator
from xinglin.kernel.errors import MalformedMessage
from xinglin.node.feasibility import FEASIBILITY_FILE
from xinglin.terms.agreed import AgreedTerms, CohortView, Peer
from xinglin.terms.thresholds import DisclosureRules
from xinglin.testing.asker import Asker, furnish
from xinglin.testing.hostile_hub import HostileHub
from xinglin.wire.channel import AgreementOrder
from xinglin.wire.feasibility import ALGORITHM, DAY_MS, VIEW, question_policy, read_rules, study_of

pytestmark = pytest.mark.asyncio(loop_scope="module")
RULES = """
data_sets = ["cardio*"]
participants = ["did:*"]
variables = ["cardiac.*"]
questions_a_day = 12
"""
SELECT = "SELECT age, sex FROM cardiac WHERE age >= {}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hub(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[HostileHub]:
    async with HostileHub(tmp_path_factory.mktemp("space"), names=("a", "b", "c")) as space:
        furnish(space)
        for hospital in space.hospitals.values():
            (hospital.folder / FEASIBILITY_FILE).write_text(RULES, encoding="utf-8")
        yield space


@pytest.fixture
def member(hub: HostileHub, request: pytest.FixtureRequest) -> Asker:
    return Asker(hub, "m-" + str(abs(hash(request.node.name))))


async def offer(asker: Asker, select: str, **changes: Any) -> dict[str, str]:
    """Offer a question to every hospital; the state of each agreement once it is answered."""
    hub = asker.hub
    await hub.checkpoint()
    await asyncio.sleep(0.2)
    cohort, now, step = (CohortView(VIEW, select),), hub.clock(), changes.pop("round_to", 10)
    asker.study = changes.pop("study", study_of("cardiology", cohort, step))
    hospitals, directory = list(hub.hospitals.values()), hub.record.directory
    papers = {}
    for one in hospitals:
        peers = sorted((Peer(o.did, directory.keys(o.did).digest()) for o in hospitals if o is not one),
                       key=lambda peer: peer.did)  # fmt: skip
        terms = AgreedTerms(
            "L2", cohort, ("cardiac.age", "cardiac.sex"), ("health-research",), ("statistics",), now - 1, now + DAY_MS,
            1, (asker.did,), tuple(peers), DisclosureRules(), question_policy(step),
        )  # fmt: skip
        terms = replace(terms, **changes)
        paper = Agreement(one.did, directory.keys(one.did).digest(), asker.did, asker.keys.public.digest(),
                          asker.study, "cardiology", terms, now, version=2)  # fmt: skip
        papers[one.did] = paper.digest()
        one.dispatch.take(AgreementOrder(paper.digest(), sign_agreement(asker.keys, paper).to_bytes()))
    states: dict[str, str] = {}
    for _ in range(200):
        states = {one.did: one.node.agreements.row_of(papers[one.did]).state for one in hospitals}
        if not set(states.values()) & {"offered", "countersigned"}:
            break
        await asyncio.sleep(0.05)
    asker.agreements = papers
    return states


async def count(asker: Asker, round_to: int = 10) -> Coordinator:
    await asker.hub.checkpoint()
    return await asker.ask(asker.plan(f"SELECT * FROM {VIEW}", ALGORITHM, {"round_to": round_to}))


def everybody(states: dict[str, str], state: str) -> bool:
    return set(states.values()) == {state}


async def test_a_count_is_rounded_and_given_once(hub: HostileHub, member: Asker) -> None:
    assert everybody(await offer(member, SELECT.format(50)), "active")
    answer = member.opened(await count(member))
    assert answer["payload"]["persons"] % 10 == 0 and answer["payload"]["persons"] >= 10
    assert set(answer["payload"]) == {"persons", "round_to", "min_cell"}
    again = await count(member)
    assert again.state != "done"
    assert everybody(
        await offer(member, " select AGE,  sex from cardiac where age >= 50 ".replace(",  ", ", ")), "refused"
    )


async def test_a_question_near_one_that_was_answered_gets_no_answer(hub: HostileHub, member: Asker) -> None:
    assert everybody(await offer(member, "SELECT age, sex FROM cardiac WHERE age >= 40"), "active")
    assert (await count(member)).state == "done"
    other = Asker(hub, "another-member")
    near = "SELECT age, sex FROM cardiac WHERE age >= 40 AND age <= 88"  # six persons of the sample are older
    assert everybody(await offer(other, near), "active")
    run = await count(other)
    assert run.state == "withheld"
    far = Asker(hub, "third-member")
    assert everybody(await offer(far, "SELECT age, sex FROM cardiac WHERE age >= 40 AND age <= 60"), "active")
    assert (await count(far)).state == "done"


async def test_questions_are_not_stored_up_for_years(hub: HostileHub, member: Asker) -> None:
    begins = hub.clock() + 3_650 * DAY_MS
    later = {"not_before": begins, "expires": begins + DAY_MS}
    assert everybody(await offer(member, SELECT.format(47), **later), "refused")


async def test_fewer_than_the_minimum_is_all_that_is_said(hub: HostileHub, member: Asker) -> None:
    assert everybody(await offer(member, "SELECT age, sex FROM cardiac WHERE age >= 90"), "active")
    run = await count(member)
    assert run.state == "withheld"


@pytest.mark.parametrize(
    "changes",
    [
        {"allowance": 2},
        {"rules": DisclosureRules(min_cell=5)},
        {"purposes": ("education",)},
        {"policy": question_policy(1)},
        {"study": "feasibility-of-my-own"},
        {"operations": ("statistics", "training")},
    ],
    ids=lambda one: next(iter(one)),
)
async def test_anything_beyond_what_was_agreed_beforehand_is_refused(
    hub: HostileHub, member: Asker, changes: dict[str, Any]
) -> None:
    assert everybody(await offer(member, SELECT.format(45), **changes), "refused")


async def test_the_agreement_allows_this_count_and_nothing_else(hub: HostileHub, member: Asker) -> None:
    assert everybody(await offer(member, SELECT.format(35)), "active")
    for algorithm, params in (("describe", {"columns": ["age"]}), (ALGORITHM, {"round_to": 1})):
        run = await member.ask(member.plan(f"SELECT * FROM {VIEW}", algorithm, params))
        assert run.state == "refused"


async def test_questions_a_day_have_a_limit(hub: HostileHub, member: Asker) -> None:
    for hospital in hub.hospitals.values():
        (hospital.folder / FEASIBILITY_FILE).write_text(RULES.replace("12", "2"), encoding="utf-8")
    states = [await offer(member, SELECT.format(age)) for age in (20, 21, 22)]
    assert [everybody(one, "active") for one in states] == [True, True, False] and everybody(states[2], "refused")
    for hospital in hub.hospitals.values():
        (hospital.folder / FEASIBILITY_FILE).unlink()
    stranger = Asker(hub, "stranger")
    assert everybody(await offer(stranger, SELECT.format(30)), "refused")


@pytest.mark.parametrize("text", ["minimum = 5", "round_to = 1", "nonsense", "who = 1"])
async def test_a_file_that_loosens_or_cannot_be_meant_answers_nobody(text: str) -> None:
    with pytest.raises(MalformedMessage):
        read_rules(RULES + text)
