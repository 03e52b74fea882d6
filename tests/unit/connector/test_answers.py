"""What is held is answered by people: judged with their facts, noted for the log, bound to the offer on the table."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from tests.unit.connector.assembled_parties import Parties, desk

from xinglin.catalogue.entry import CatalogueEntry
from xinglin.connector.answers import FACTS, GROUND_LENGTH
from xinglin.connector.assembly import Assembled
from xinglin.connector.dcp_door import _claims
from xinglin.connector.errors import NotPossible
from xinglin.connector.opening import negotiate
from xinglin.kernel.errors import LimitExceeded, MalformedMessage
from xinglin.terms.odrl import to_odrl
from xinglin.terms.policy import Constraint, Duty, Permission, Policy
from xinglin.wire.dsp.errors import NotAllowed, TooMany
from xinglin.wire.dsp.ports import ProcessRow
from xinglin.wire.errors import Refused

PURPOSE = Constraint("purpose", "isA", "health-research")


def entry(name: str, policy: Policy, grade: str = "L1") -> CatalogueEntry:
    return CatalogueEntry(
        f"did:web:clinic.example#{name}", name, "did:web:clinic.example", name, grade=grade, policy=policy
    )


APPROVAL = Policy((Permission("read", (PURPOSE,), (Duty("obtainEthicsApproval"),)),))
ENTRIES = (
    entry("place", Policy((Permission("read", (PURPOSE, Constraint("place", "isPartOf", ("CN",)))),))),
    entry("ethics", APPROVAL),
    entry("count", Policy((Permission("read", (PURPOSE, Constraint("count", "lteq", "3"))),))),
    entry("records", APPROVAL, "L2"),
)


@pytest.fixture
async def parties(tmp_path: Path) -> AsyncIterator[Parties]:
    made = Parties(tmp_path)
    made.make("issuer", ("issuer",), issues=("Membership",))
    made.make("clinic", ("issuer",), ENTRIES, begun_most=6)
    made.make("asker", ("issuer",), rules="")
    issuer, *members = made.made
    for one in members:
        await desk(one, "ask", issuer=issuer.did, ids="Membership")
    for request in await desk(issuer, "requests"):
        await desk(issuer, "grant", request=request["request_id"], claims='{"purpose":"health-research"}')
    yield made
    await made.close()


async def until(found: Assembled, pid: str, *states: str) -> ProcessRow:
    end = time.monotonic() + 60
    while True:
        row = found.connector.world.store.process(pid)
        if row is not None and row.state in states:
            return row
        assert time.monotonic() < end, row
        await asyncio.sleep(0.01)


async def held(parties: Parties, name: str, rules: dict[str, Any] | None = None) -> tuple[ProcessRow, str]:
    """The asker's process, and the clinic's id of it, once it is held there."""
    _, clinic, asker = parties.made
    one = next(one for one in ENTRIES if one.name == name)
    assert one.policy is not None
    offer = to_odrl(one.policy, "Offer", f"urn:xinglin:offer:{one.policy.digest()[7:39]}:{name}", one.entry_id)
    said = rules or {key: value for key, value in offer.items() if key not in ("@id", "@type")}
    address = "https://clinic.example/dsp/2025-1"
    row = await negotiate(asker.connector.desk, clinic.did, address, one.entry_id, offer["@id"], said)
    row = await until(asker, row.pid, "REQUESTED")
    return row, row.peer_pid


async def test_a_yes_is_judged_with_the_persons_facts_and_noted(parties: Parties) -> None:
    _, clinic, asker = parties.made
    row, pid = await held(parties, "place")
    for facts in ("{}", '{"place":["DE"]}'):
        with pytest.raises(NotAllowed):
            await desk(clinic, "accept", pid=pid, by="Li", ground="seen", facts=facts)
    shown = await desk(clinic, "show", pid=pid)
    assert shown["state"] == "REQUESTED"
    said = {"pid": pid, "by": "Li", "ground": "seen", "facts": '{"place":["CN-SH"]}'}
    for verb in ("accept", "refuse"):  # not what was looked at
        with pytest.raises(Refused):
            await desk(clinic, verb, **said, question="sha256:" + "0" * 64)
    await desk(clinic, "accept", **said, question=shown["question"])
    agreed = await until(asker, row.pid, "FINALIZED")
    await until(clinic, pid, "FINALIZED")
    await clinic.connector.hand_over()
    (note,) = [one for one in parties.notes["clinic"].notes if one.kind == "negotiation-accepted"]
    said = msgspec.json.decode(note.values)
    assert (said["by"], said["ground"], said["facts"]) == ("Li", "seen", '{"place":["CN-SH"]}')
    # The person's fact goes on counting at the transfer; what is missing there is the product alone.
    contract = clinic.connector.world.store.contract(agreed.agreement, "provider")
    assert contract is not None
    await desk(asker, "transfer", agreement=agreed.agreement)
    end = time.monotonic() + 60
    while not (found := await desk(asker, "list", kind="transfer"))[0]["trouble"]:
        assert time.monotonic() < end
        await asyncio.sleep(0.01)
    assert "403" in found[0]["trouble"]


async def test_nobodys_yes_opens_records_or_a_count_that_nobody_keeps(parties: Parties) -> None:
    clinic = parties.made[1]
    for name, facts, error in (
        ("records", "{}", NotAllowed),
        ("count", "{}", NotAllowed),
        ("count", '{"count":["1"]}', NotPossible),
        ("count", '{"recipient":["did:web:asker.example"]}', NotPossible),
        ("count", '{"plaice":["CN"]}', NotPossible),
        ("count", "[]", MalformedMessage),
    ):
        _, pid = await held(parties, name)
        with pytest.raises(error):
            await desk(clinic, "accept", pid=pid, by="Li", ground="seen", facts=facts)


async def test_an_answer_says_who_and_why_and_has_limits(parties: Parties) -> None:
    clinic = parties.made[1]
    _, pid = await held(parties, "ethics")
    for by, ground in (("", "seen"), (" ", "seen"), ("Li", ""), ("Li", " ")):
        for verb in ("accept", "refuse"):
            with pytest.raises(NotPossible):
                await desk(clinic, verb, pid=pid, by=by, ground=ground)
    with pytest.raises(LimitExceeded):
        await desk(clinic, "accept", pid=pid, by="Li", ground="x" * (GROUND_LENGTH.value + 1))
    many = msgspec.json.encode({"place": [f"CN-{n}" for n in range(FACTS.value + 1)]}).decode()
    with pytest.raises(LimitExceeded):
        await desk(clinic, "accept", pid=pid, by="Li", ground="seen", facts=many)
    with pytest.raises(Refused):  # nobody answers in the name of the hospital
        await desk(clinic, "accept", hospital=False, pid=pid, by="Li", ground="seen")
    await desk(clinic, "refuse", pid=pid, by="Li", ground="The committee said no.")
    await until(clinic, pid, "TERMINATED")
    for verb in ("accept", "refuse"):
        with pytest.raises(Refused):  # it waits for nobody any more
            await desk(clinic, verb, pid=pid, by="Li", ground="seen")
    await clinic.connector.hand_over()
    kinds = [one.kind for one in parties.notes["clinic"].notes]
    assert kinds == ["negotiation-refused", "negotiation-terminated"]


async def test_a_looser_counter_offer_is_not_agreed_past_the_published_terms(parties: Parties) -> None:
    _, clinic, asker = parties.made
    looser = {"permission": [{"action": "read"}]}
    _, pid = await held(parties, "place", looser)
    with pytest.raises(NotAllowed):  # by its own terms it holds; the published ones ask for a place
        await desk(clinic, "accept", pid=pid, by="Li", ground="seen")
    await desk(clinic, "accept", pid=pid, by="Li", ground="seen", facts='{"place":["CN"]}')
    row = await until(clinic, pid, "FINALIZED")
    # An answer is to one offer: to another on the same table it is none.
    answer = clinic.connector.world.store.answer(pid)
    assert answer is not None
    with pytest.raises(NotPossible):
        other, other_pid = await held(parties, "ethics")
        await clinic.connector.desk.do(other_pid, "agree", answer=replace(answer, pid=other_pid))
    assert row.agreement and other.state == "REQUESTED" and asker.did == row.participant


async def test_what_was_begun_within_the_hour_counts_though_it_has_ended(parties: Parties) -> None:
    _, clinic, asker = parties.made
    for _ in range(6):
        _, pid = await held(parties, "ethics")
        await desk(clinic, "refuse", pid=pid, by="Li", ground="no")
        await until(clinic, pid, "TERMINATED")
    store = clinic.connector.world.store
    assert store.open_processes(asker.did) == 0
    known = store.processes("negotiation")[0]
    another = replace(known, pid="urn:new", peer_pid="urn:theirs", state="REQUESTED", trail="REQUESTED")
    with pytest.raises(TooMany, match="within the hour") as found:
        await clinic.connector.desk.admit(another)
    assert found.value.status == 429
    parties.now_ms += 3_600_001
    assert await clinic.connector.desk.admit(another) is not None


def test_no_credential_brings_a_persons_word_along() -> None:
    found: Any = SimpleNamespace(
        types=("Membership", "vouched", "vouched.place"), issuer="did:web:i.example", claims={"purpose": "audit"}
    )
    assert _claims((found,)) == (("Membership", "did:web:i.example"), ("Membership.purpose", "audit"))
