"""What does a hub get that asks in somebody's name, with invented hospitals, or twice? Each test tries it."""

from __future__ import annotations

import msgspec
import pytest
from tests.privacy.conftest import GLM, SQL, quiet, said, until

from xinglin.kernel.canonical import canonical_bytes
from xinglin.terms.request import Plan, UseRequest
from xinglin.testing.asker import Asker
from xinglin.testing.hostile_hub import Hospital, HostileHub
from xinglin.trust.doors import grant_door_token, request_door_token
from xinglin.trust.dpop import DoorKey
from xinglin.trust.envelope import Signed
from xinglin.trust.keys import PrivateKeys
from xinglin.trust.leaves import register
from xinglin.wire.channel import RunAdmitted, RunMessage, RunOrder, RunRefused, RunReleased
from xinglin.wire.runs import run_id_of

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]
replace = msgspec.structs.replace


async def refusal(hospital: Hospital, run_id: str) -> set[str]:
    """The codes with which the node refuses a run."""

    def found() -> list[RunRefused]:
        return [one for one in hospital.channel.of(RunRefused) if one.run_id == run_id]

    await until(found)
    await quiet(hospital, run_id)
    return {reason.code for reason in found()[-1].reasons}


async def ordered(hub: HostileHub, signed: Signed, plan: Plan, name: str = "a", **order: object) -> set[str]:
    """Hand an order to one node alone; the codes of its refusal. Nothing else leaves it."""
    hospital = hub.hospitals[name]
    made = RunOrder(run_id_of(signed), signed.to_bytes(), canonical_bytes(plan))
    made = replace(made, **order)
    hospital.dispatch.take(made)
    codes = await refusal(hospital, made.run_id)
    assert not hospital.channel.of(RunAdmitted)
    assert not hospital.channel.of(RunMessage)
    return codes


# --- a roster of invented hospitals -----------------------------------------------------------------------


async def test_invented_hospitals_are_not_summed_with(hub: HostileHub, asker: Asker) -> None:
    """The hub admits hospitals of its making, and a colluding researcher names them beside one real one."""
    fakes = [PrivateKeys.generate() for _ in range(3)]
    for number, keys in enumerate(fakes):
        hub.enter(register(keys, f"invented {number}", ("provider", "witness")))
    await hub.checkpoint()
    real = hub.hospitals["a"].did
    digests = {real: asker.agreements[real]} | {keys.did: "sha256:" + "0" * 64 for keys in fakes}
    plan = asker.plan(SQL, "glm", GLM, roster=tuple(sorted(digests)), agreements=digests)
    codes = await ordered(hub, asker.signed(asker.request(plan)), plan)
    assert {"terms.peer_not_agreed", "terms.few_hospitals"} <= codes


async def test_a_roster_with_one_invented_hospital_is_refused_by_all(hub: HostileHub, asker: Asker) -> None:
    fake = PrivateKeys.generate()
    hub.enter(register(fake, "invented", ("provider", "witness")))
    await hub.checkpoint()
    digests = {**asker.agreements, fake.did: "sha256:" + "1" * 64}
    del digests[hub.hospitals["d"].did]
    plan = asker.plan(SQL, "glm", GLM, roster=tuple(sorted(digests)), agreements=digests)
    signed = asker.signed(asker.request(plan))
    for name in ("a", "b", "c"):
        assert "terms.peer_not_agreed" in await ordered(hub, signed, plan, name)


async def test_a_roster_of_two_is_refused(hub: HostileHub, asker: Asker) -> None:
    roster = tuple(sorted(asker.agreements))[:2]
    plan = asker.plan(SQL, "glm", GLM, roster=roster)
    signed = asker.signed(asker.request(plan))
    name = hub.by_did[roster[0]].name
    assert "terms.few_hospitals" in await ordered(hub, signed, plan, name)


# --- work that nobody signed for ---------------------------------------------------------------------------


async def test_work_signed_by_the_hub_is_refused(hub: HostileHub, asker: Asker) -> None:
    plan = asker.plan(SQL, "glm", GLM)
    signed = asker.signed(asker.request(plan), by=hub.operator)
    assert await ordered(hub, signed, plan) == {"node.other_run"}
    renamed = replace(signed, signer=asker.did)
    assert "terms.not_signed" in await ordered(hub, renamed, plan)
    own = asker.signed(asker.request(plan, requester=hub.operator.did), by=hub.operator)
    codes = await ordered(hub, own, plan)
    assert {"terms.other_consumer", "terms.requires_authorised_institution"} <= codes


async def test_unsigned_work_is_refused(hub: HostileHub, asker: Asker) -> None:
    plan = asker.plan(SQL, "glm", GLM)
    signed = asker.signed(asker.request(plan))
    for signature in (b"", bytes(64), signed.signature[:-1]):
        assert "terms.not_signed" in await ordered(hub, replace(signed, signature=signature), plan, "b")


async def test_a_signature_of_another_purpose_is_refused(hub: HostileHub, asker: Asker) -> None:
    from xinglin.trust.envelope import sign

    plan = asker.plan(SQL, "glm", GLM)
    other = sign(asker.keys, "agreement/1", asker.request(plan))
    assert "terms.not_signed" in await ordered(hub, other, plan)
    assert "terms.not_signed" in await ordered(hub, replace(other, context="use-request/1"), plan)


@pytest.mark.parametrize(
    "change",
    [
        {"sql": "SELECT age, sex, trestbps, disease FROM cardiac WHERE age > 90"},
        {"params": {"formula": "disease ~ age", "family": "binomial"}},
        {"rounds": 49},
        {"as_of": 5},
    ],
)
async def test_an_altered_plan_is_refused(hub: HostileHub, asker: Asker, change: dict[str, object]) -> None:
    plan = asker.plan(SQL, "glm", GLM)
    signed = asker.signed(asker.request(plan))
    assert await ordered(hub, signed, replace(plan, **change)) == {"node.other_plan"}


async def test_an_altered_request_is_refused(hub: HostileHub, asker: Asker) -> None:
    plan, other = asker.plan(SQL, "glm", GLM), asker.plan("SELECT age FROM cardiac", "describe", {"columns": ["age"]})
    request: UseRequest = asker.request(plan)
    signed = asker.signed(request)
    altered = replace(signed, payload=canonical_bytes(replace(request, plan=other.digest())))
    assert "terms.not_signed" in await ordered(hub, altered, other)
    spaced = replace(signed, payload=signed.payload.replace(b'{"', b'{ "', 1))
    assert await ordered(hub, spaced, plan) == {"node.other_plan"}


async def test_an_order_under_another_runs_name_is_refused(hub: HostileHub, asker: Asker) -> None:
    plan = asker.plan(SQL, "glm", GLM)
    signed = asker.signed(asker.request(plan))
    assert await ordered(hub, signed, plan, run_id="run-" + "a" * 26) == {"node.other_run"}


async def test_a_door_token_that_the_hub_mints_moves_no_node(hub: HostileHub, asker: Asker) -> None:
    """A token opens the hub's door and nothing else: in a request's place it is not one."""
    door_key = DoorKey.generate()
    ask = request_door_token(
        hub.operator,
        door_key,
        issuer=hub.operator.did,
        audience=(hub.operator.did,),
        scope=frozenset({"runs"}),
        now=hub.clock(),
    )
    token = grant_door_token(
        hub.operator,
        ask,
        directory=hub.record.directory,
        audiences=frozenset({hub.operator.did}),
        allowed=frozenset({"runs"}),
        replay=hub.store,
        now=hub.clock(),
    )
    assert isinstance(token, str)
    plan = asker.plan(SQL, "glm", GLM)
    hospital = hub.hospitals["a"]
    run_id = "run-" + "b" * 26
    hospital.dispatch.take(RunOrder(run_id, token.encode(), canonical_bytes(plan)))
    assert await refusal(hospital, run_id) == {"kernel.malformed"}
    carried = asker.signed(asker.request(plan), by=hub.operator)
    assert await ordered(hub, replace(carried, signature=token.encode()[:64]), plan) == {"node.other_run"}


# --- again ------------------------------------------------------------------------------------------------


async def test_a_replayed_run_is_not_taken_up_again(hub: HostileHub, asker: Asker) -> None:
    plan = asker.plan(SQL, "glm", GLM)
    request = asker.request(plan)
    run = await asker.ask(plan, request)
    assert run.state == "done"
    charged = {n: h.node.database.allowance("cardiology").left for n, h in hub.hospitals.items()}
    for name, hospital in hub.hospitals.items():
        hospital.channel.sent.clear()
        order = RunOrder(run.run_id, asker.signed(request).to_bytes(), canonical_bytes(plan))
        hospital.dispatch.take(order)
        hospital.dispatch.take(order)
        await quiet(hospital, run.run_id)
        kinds = {type(report) for report in hospital.channel.sent}
        assert not kinds & {RunAdmitted, RunMessage, RunReleased}
        assert hospital.node.database.allowance("cardiology").left == charged[name]


async def test_a_nonce_opens_one_run_only(hub: HostileHub, asker: Asker) -> None:
    plan = asker.plan(SQL, "glm", GLM)
    request = asker.request(plan)
    assert (await asker.ask(plan, request)).state == "done"
    other = asker.plan(SQL, "describe", {"columns": ["age"]})
    for hospital in hub.hospitals.values():
        hospital.channel.sent.clear()
    again = asker.signed(asker.request(other, nonce=request.nonce))
    for name in hub.names:
        assert await ordered(hub, again, other, name) <= {"gate.replayed", "terms.replayed"}


async def test_an_expired_or_future_request_is_refused(hub: HostileHub, asker: Asker) -> None:
    plan, now = asker.plan(SQL, "glm", GLM), hub.clock()
    late = asker.request(plan, issued=now - 600_000, expires=now - 1)
    assert await ordered(hub, asker.signed(late), plan) == {"terms.expired"}
    early = asker.request(plan, issued=now + 300_000, expires=now + 400_000)
    assert await ordered(hub, asker.signed(early), plan) == {"terms.from_the_future"}
    lasting = asker.request(plan, issued=now, expires=now + 48 * 3600 * 1000)
    assert await ordered(hub, asker.signed(lasting), plan) == {"terms.malformed"}


async def test_refusals_reach_the_hub_and_change_nothing_else(hub: HostileHub, asker: Asker) -> None:
    """A refused run is not charged, and the right request afterwards is answered."""
    plan = asker.plan(SQL, "glm", GLM)
    signed = asker.signed(asker.request(plan))
    before = {n: h.node.database.allowance("cardiology").left for n, h in hub.hospitals.items()}
    for name in hub.names:
        await ordered(hub, replace(signed, signature=bytes(64)), plan, name)
    assert {n: h.node.database.allowance("cardiology").left for n, h in hub.hospitals.items()} == before
    assert not any(said(hub, RunAdmitted).values())
    assert (await asker.ask(plan)).state == "done"
