"""An agreement's policy at real nodes: its facts are the node's own, and what the node does not know is denied."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.privacy.conftest import COHORT, GLM, SQL, VARIABLES

from xinglin.contract.errors import NotThisAgreement
from xinglin.hub.runs import Coordinator
from xinglin.terms.policy import Constraint, Duty, Permission, Policy, Prohibition
from xinglin.testing.asker import Asker
from xinglin.testing.hostile_hub import HostileHub

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]


def permitted(*constraints: Constraint, **rules: Any) -> Policy:
    """Statistics are permitted where all of these hold."""
    return Policy(permissions=(Permission("statistics", constraints),), **rules)


async def run(hub: HostileHub, name: str, policy: Policy, algorithm: str = "glm") -> Coordinator:
    """One run under fresh agreements with this policy."""
    one = Asker(hub, "study-" + name)
    await one.agree(COHORT, VARIABLES, policy=policy)
    params = GLM if algorithm == "glm" else {"columns": ["age"]}
    return await one.ask(one.plan(SQL, algorithm, params))


def codes(done: Coordinator) -> set[str]:
    """Why a run was refused."""
    return {reason.code for reason in done.view().reasons}


async def test_a_use_that_the_policy_permits_is_released(hub: HostileHub) -> None:
    policy = permitted(
        Constraint("purpose", "isAnyOf", ("general-research",)),
        Constraint("study", "eq", "study-permitted"),
        Constraint("count", "lteq", "1"),
        Constraint("minimumCell", "gteq", "10"),
        Constraint("elapsedTime", "lteq", "P1D"),
        Constraint("algorithm", "isAnyOf", ("glm",)),
        Constraint("environment", "eq", "node"),
        Constraint("variable", "isPartOf", ("cardiac.*",)),
        Constraint("grade", "lteq", "L2"),
        Constraint("outputType", "isAnyOf", ("model", "statistic")),
        duties=(Duty("log"),),
    )
    one = Asker(hub, "study-permitted")
    await one.agree(COHORT, VARIABLES, policy=policy)
    done = await one.ask(one.plan(SQL, "glm", GLM))
    assert done.state == "done", done.view()
    again = await one.ask(one.plan(SQL, "glm", GLM))
    assert again.state == "refused"
    assert codes(again) == {"terms.not_met_count"}


@pytest.mark.parametrize(
    ("constraint", "code"),
    [
        (Constraint("place", "isPartOf", ("CN",)), "terms.unknown_place"),
        (Constraint("network", "isPartOf", ("10.0.0.0/8",)), "terms.unknown_network"),
        (Constraint("ethicsApproval", "isAnyOf", ("approval-1",)), "terms.not_met_ethics_approval"),
        (Constraint("recipientClass", "isAnyOf", ("university",)), "terms.unknown_recipient_class"),
        (Constraint("environment", "eq", "attested-enclave"), "terms.not_met_environment"),
        (Constraint("minimumCell", "gteq", "11"), "terms.not_met_minimum_cell"),
        (Constraint("purpose", "isAnyOf", ("education",)), "terms.not_met_purpose"),
        (Constraint("dateTime", "lt", "2020-01-01T00:00:00Z"), "terms.not_met_date_time"),
        (Constraint("algorithm", "isAnyOf", ("describe",)), "terms.not_met_algorithm"),
    ],
)
async def test_what_fails_or_is_unknown_stops_every_hospital(
    hub: HostileHub, constraint: Constraint, code: str
) -> None:
    done = await run(hub, constraint.operand, permitted(constraint))
    assert done.state == "refused"
    assert codes(done) == {code}


async def test_a_prohibition_wins(hub: HostileHub) -> None:
    policy = permitted(prohibitions=(Prohibition("use", (Constraint("variable", "isAnyOf", ("cardiac.age",)),)),))
    done = await run(hub, "prohibited", policy, "describe")
    assert done.state == "refused"
    assert codes(done) <= {"terms.prohibited_use", "terms.not_ruled_out_use"}


async def test_a_policy_with_an_unknown_word_is_never_signed(hub: HostileHub) -> None:
    one = Asker(hub, "study-unknown")
    with pytest.raises(NotThisAgreement) as caught:
        await one.agree(COHORT, VARIABLES, policy=permitted(Constraint("purpos", "isAnyOf", ("education",))))
    assert "Did you mean 'purpose'?" in str(caught.value)


async def test_the_node_says_where_it_computes(hub: HostileHub) -> None:
    policy = permitted(Constraint("place", "isPartOf", ("CN",)))
    deciders = [hospital.node.runs.gate._ports.decider for hospital in hub.hospitals.values()]
    before = [one._site for one in deciders]
    for one in deciders:
        one._site = msgspec.structs.replace(one._site, place="CN-SH")
    try:
        assert (await run(hub, "placed", policy)).state == "done"
        deciders[0]._site = msgspec.structs.replace(before[0], place="DE")
        assert codes(await run(hub, "abroad", policy)) == {"terms.not_met_place"}
    finally:
        for one, site in zip(deciders, before, strict=True):
            one._site = site
