"""What comes between authorisation and delivery, or to one hospital alone: each run ends, and says why."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from tests.privacy.conftest import SQL, quiet
from tests.privacy.one_hospital import One, codes, kinds

from xinglin.contract import Change, sign_change
from xinglin.evidence.entry import Entry
from xinglin.testing.hostile_hub import HostileHub
from xinglin.trust.keys import PrivateKeys
from xinglin.trust.leaves import leaf_body, register, revoke
from xinglin.wire.channel import RunReleased

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def one(hub: HostileHub, request: pytest.FixtureRequest) -> AsyncIterator[One]:
    """A researcher, with a colleague as the other recipient."""
    found = One(hub, "study-" + request.node.name.replace("[", ".").replace("]", "")[-60:])
    found.colleague = PrivateKeys.generate()  # type: ignore[attr-defined]
    hub.enter(register(found.colleague, found.study + " colleague", ("consumer",)))  # type: ignore[attr-defined]
    found.recipients = tuple(sorted((found.did, found.colleague.did)))  # type: ignore[attr-defined]
    await found.agree_all(recipients=found.recipients)
    before = {name: hospital.node.evidence for name, hospital in hub.hospitals.items()}
    yield found
    for name, hospital in hub.hospitals.items():
        for patched in ("checkpoint_age_ms", "append"):
            vars(before[name]).pop(patched, None)
        assert hospital.node.evidence is before[name]


def revoked_before_delivery(hub: HostileHub, *dids: str) -> None:
    """Between its authorisation and its delivery every node learns that these keys are revoked."""
    for hospital in hub.hospitals.values():
        evidence: Any = hospital.node.evidence
        really = evidence.checkpoint_age_ms

        async def age_ms(really: Any = really) -> Any:
            for did in dids:
                if hub.record.directory.status(did) == "active":
                    body = leaf_body(revoke(did, "compromised", hub.regulator))
                    known = {"at": hub.clock(), "submitter": hub.regulator.did}
                    hub.append(Entry(kind="key-revocation", subject=did, body=body, **known))
            await hub.checkpoint()
            return await really()

        evidence.checkpoint_age_ms = age_ms


async def test_a_recipient_revoked_after_the_authorisation_is_left_out(hub: HostileHub, one: One) -> None:
    colleague = one.colleague.did  # type: ignore[attr-defined]
    revoked_before_delivery(hub, colleague)
    run = await one.question()
    assert run.state == "done" and one.opened(run)
    for name, hospital in hub.hospitals.items():
        assert kinds(hub, run.run_id)[name] == {"admitted": 1, "release-authorised": 1, "delivered": 1}
        sealed = [said.sealed for said in hospital.channel.of(RunReleased) if said.run_id == run.run_id]
        assert sealed and all(set(one_) == {one.did} for one_ in sealed)


async def test_where_every_recipient_is_revoked_the_run_ends(hub: HostileHub, one: One) -> None:
    revoked_before_delivery(hub, *one.recipients)
    run = await one.question()
    assert (run.state, codes(run)) == ("withheld", {"node.recipients_revoked"})
    for name, hospital in hub.hospitals.items():
        assert kinds(hub, run.run_id)[name] == {"admitted": 1, "release-authorised": 1, "ended": 1}
        assert not any(said.sealed for said in hospital.channel.of(RunReleased) if said.run_id == run.run_id)
        row = hospital.node.database.run(run.run_id)
        assert row is not None and row.state == "ended"


async def test_a_partys_end_at_one_hospital_is_withheld_and_no_failure(hub: HostileHub, one: One) -> None:
    """The asker ends its agreement with ``b`` before ``b`` has authorised; the others' agreements stand."""
    evidence: Any = one.b.node.evidence
    really, agreement = evidence.append, one.agreements[one.b.did]

    async def append(use: Any, kind: str, marked: Any) -> Any:
        if kind == "release-authorised":
            change = Change("terminate", agreement, hub.clock())
            known = {"at": hub.clock(), "submitter": one.did}
            hub.append(Entry(kind="agreement-end", subject=agreement, body=sign_change(one.keys, change), **known))
        return await really(use, kind, marked)

    evidence.append = append
    run = one.begin(one.plan(SQL, "describe", {"columns": ["age"]}))
    await hub.finish(run)
    for hospital in hub.hospitals.values():
        await quiet(hospital, run.run_id)
    assert run.state == "withheld", run.view().words
    assert "terms.agreement_not_active" in codes(run)
    assert run.result is not None and not run.result.sealed
    for found in kinds(hub, run.run_id).values():
        assert found["delivered"] == 0 and found["ended"] == 1
