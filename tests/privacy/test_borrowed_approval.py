"""Real nodes: another's approval, or one's own for another use, opens nothing, spends nothing, and is told as such."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from tests.privacy.conftest import VARIABLES
from tests.privacy.one_hospital import Committee, One, charged, codes

from xinglin.access.approval import approved_policy
from xinglin.node.desk import answer_at_desk
from xinglin.testing.asker import PURPOSE
from xinglin.testing.hostile_hub import Hospital, HostileHub
from xinglin.wire.desk import DeskCall
from xinglin.wire.errors import Refused

pytestmark = pytest.mark.asyncio(loop_scope="module")
PEOPLE = "access.other_people"


@pytest_asyncio.fixture(loop_scope="module")
async def one(hub: HostileHub, request: pytest.FixtureRequest) -> AsyncIterator[One]:
    """A researcher whose committee approved statistics on the agreed columns."""
    found = One(hub, "study-" + request.node.name.replace("[", ".").replace("]", "")[-60:])
    await found.agree_all()
    await approve(found)
    assert (await found.question()).state == "done"
    yield found


async def approve(one: One, committee: str = "") -> str:
    """An approval that every hospital was handed; its name."""
    order = Committee(one, committee).approved()
    await one.hub.checkpoint()
    for hospital in one.hub.hospitals.values():
        hospital.node.approvals.given(order)
    return order.approval_id


async def desk(hospital: Hospital, verb: str, **given: str) -> Any:
    call = DeskCall(verb, given)
    return (await answer_at_desk(hospital.node, hospital.channel, call, asyncio.Event())).value  # type: ignore[arg-type]


async def test_another_institution_names_a_study_that_is_not_its_own(hub: HostileHub, one: One) -> None:
    """All it takes is the public register: the study's id, and the agreement's data set, cohort and columns."""
    stranger = One(hub, one.study)
    await stranger.agree_all()
    before = charged(one, "b")
    run = await stranger.question()
    assert (run.state, codes(run)) == ("refused", {PEOPLE})
    assert charged(one, "b") == before  # nothing of the study's was spent
    assert (await one.question()).state == "done"


async def test_an_agreement_that_asks_for_the_approval_is_not_met_by_the_name_of_the_study(
    hub: HostileHub, one: One
) -> None:
    stranger = One(hub, one.study)
    await stranger.agree_all()
    approval = await approve(stranger, f"{one.study}-elsewhere")  # for the stranger, who chose the same name
    await stranger.agree_all({"policy": approved_policy("statistics", approval)})
    assert (await stranger.question()).state == "done"
    (of_others, *_) = [name for name in one.b.node.approvals.record.known(one.study) if name != approval]
    await stranger.agree_all({"policy": approved_policy("statistics", of_others)})
    assert codes(await stranger.question()) == {"terms.not_met_ethics_approval"}


async def test_what_the_committee_did_not_see_is_refused_whoever_countersigned_it(one: One) -> None:
    for terms, code in (
        ({"operations": ("extract", "statistics")}, "access.other_operation"),
        ({"purposes": ("education", PURPOSE)}, "access.other_purpose"),
        ({"variables": tuple(sorted(VARIABLES)[:-1])}, "access.other_variables"),
    ):
        await one.agree_again(**terms)
        assert code in codes(await one.question()), terms
    await one.agree_again()
    assert (await one.question()).state == "done"


async def test_a_matching_rests_on_the_approval_as_a_run_does(hub: HostileHub, one: One) -> None:
    other = One(hub, one.study + "-matched")
    approval = await approve_for_matching(other)
    assert (await desk(other.b, "match-decide", study=other.study))["agreement"] == other.agreements[other.b.did]
    stranger = One(hub, other.study + "-s")
    await stranger.agree_all({"policy": approved_policy("statistics", approval)})
    with pytest.raises(Refused) as refused:
        await desk(stranger.b, "match-decide", study=stranger.study)
    assert refused.value.codes == ("terms.not_met_ethics_approval",)
    lapsed = One(hub, other.study + "-l")
    await lapsed.agree_all({"purposes": ("education", PURPOSE)})
    await approve(lapsed)
    with pytest.raises(Refused) as refused:
        await desk(lapsed.b, "match-decide", study=lapsed.study)
    assert refused.value.codes == ("access.other_purpose",)


async def approve_for_matching(one: One) -> str:
    await one.agree_all()
    approval = await approve(one)
    await one.agree_again(policy=approved_policy("statistics", approval))
    for earlier in one.b.node.agreements.active():
        if earlier.study == one.study and earlier.digest() != one.agreements[one.b.did]:
            await one.b.node.agreements.end(earlier.digest())
    return approval


async def test_an_officer_sees_at_the_desk_whose_study_an_offer_names(hub: HostileHub, one: One) -> None:
    stranger = One(hub, one.study)
    await stranger.agree_all()
    rows = {each["id"]: each for each in await desk(one.b, "agreements", brief="yes") if each["study"] == one.study}
    assert rows[one.agreements[one.b.did]]["approval"] == {"theirs": True, "uncovered": ()}
    told = rows[stranger.agreements[one.b.did]]["approval"]
    assert not told["theirs"] and [reason["code"] for reason in told["uncovered"]] == [PEOPLE]
    assert (await desk(one.b, "agreement", id=stranger.agreements[one.b.did]))["approval"] == told
    plain = One(hub, one.study + "-plain")
    await plain.agree_all()
    assert "approval" not in await desk(one.b, "agreement", id=plain.agreements[one.b.did])
