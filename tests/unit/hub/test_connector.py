"""The hub's connector by its parts: what the terms say at each step, who is let in, what stands in the log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from xinglin.catalogue.entry import CatalogueEntry
from xinglin.connector.assembly import BadSettings
from xinglin.connector.dcp_door import ClaimsPolicy
from xinglin.connector.entry_offers import offer_of
from xinglin.connector.entry_terms import CatalogueTerms
from xinglin.connector.leaves import KINDS, Leaves, NoProducts
from xinglin.connector.member_door import PROVEN_MS, MemberDoor
from xinglin.evidence.commitments import derive_salt, open_commitment
from xinglin.evidence.entry import decode_entry
from xinglin.hub.connector import make_connector
from xinglin.hub.connector_evidence import LogEvidence
from xinglin.hub.desk import answer_at_desk
from xinglin.hub.settings import HubSettings, hub_settings
from xinglin.kernel.errors import MalformedMessage
from xinglin.kernel.instants import to_text
from xinglin.kernel.verdict import Allowed, Denied, Verdict
from xinglin.terms.odrl import to_odrl
from xinglin.terms.policy import Constraint, Duty, Permission, Policy
from xinglin.testing.open_hub import OpenHub
from xinglin.trust import PrivateKeys
from xinglin.trust.dcp_tokens import Signer, issue_id_token
from xinglin.wire.desk import DeskCall
from xinglin.wire.dsp.errors import Unreachable
from xinglin.wire.dsp.policies import agreement_of
from xinglin.wire.dsp.ports import Answer, Caller, ContractRow, Item, NoteRow
from xinglin.wire.errors import Refused

NOW = 1_800_000_000_000
DAY_MS = 86_400_000
PURPOSE = Constraint("purpose", "isA", "health-research")
POLICY = Policy(permissions=(Permission("read", (PURPOSE,)),))
ENTRY = CatalogueEntry("did:web:a.example#heart", "heart", "did:web:a.example", "Heart", grade="L1", policy=POLICY)
CALLER = Caller("did:web:b.example", (("Membership.purpose", "health-research"), ("Membership.name", "B")))


class OneProduct:
    """A released product of every data set."""

    async def find(self, contract: ContractRow) -> Item | None:
        return Item("one", 1, "0" * 64, "L1")

    async def read(self, item: Item, start: int, end: int) -> AsyncIterator[bytes]:
        yield b"1"


def terms(entry: CatalogueEntry | None = ENTRY, released: Any = None, proven: Caller | None = None) -> CatalogueTerms:
    return CatalogueTerms(
        lambda _id, asker: entry if entry is not None and entry.visible_to(asker) else None,
        lambda did: proven or Caller(did),
        released or NoProducts(),
        lambda: NOW,
    )


def offer(entry: CatalogueEntry = ENTRY) -> dict[str, Any]:
    made = offer_of(entry)
    assert made is not None
    return {**made, "target": entry.entry_id}


async def judged(step: str, entry: CatalogueEntry = ENTRY, caller: Caller = CALLER, **how: Any) -> Verdict:
    return await terms(entry, **how)(step, caller, ENTRY.entry_id, offer(entry))


def codes(verdict: Verdict) -> set[str]:
    return set(verdict.codes) if isinstance(verdict, Denied) else set()


async def test_what_is_proven_and_published_is_agreed() -> None:
    assert isinstance(await judged("negotiate"), Allowed)
    assert isinstance(await judged("agree"), Allowed)


async def test_a_purpose_that_nobody_proved_may_be_negotiated_and_is_not_agreed() -> None:
    nobody = Caller(CALLER.participant)
    assert await judged("negotiate", caller=nobody) == Allowed(("open:purpose",))
    assert isinstance(await judged("agree", caller=nobody), Denied)
    assert isinstance(await judged("agree", caller=nobody, proven=CALLER), Allowed)
    # Two purposes are proven: both have to be within; a name is no fact of a policy, whoever signed it.
    two = Caller(CALLER.participant, (*CALLER.claims, ("Membership.purpose", "marketing")))
    assert isinstance(await judged("agree", caller=two), Denied)


async def test_another_purpose_is_refused_at_once() -> None:
    other = Caller(CALLER.participant, (("Membership.purpose", "education"),))
    assert isinstance(await judged("negotiate", caller=other), Denied)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"grade": "L2"}, "grade L2"),
        ({"grade": "L3"}, "grade L3"),
        ({"grade": ""}, "grade unknown"),
        (
            {"policy": Policy((Permission("read", (PURPOSE,), (Duty("obtainEthicsApproval"),)),))},
            "obtainEthicsApproval",
        ),
        ({"policy": Policy((Permission("read", (PURPOSE,)),), (), (Duty("pay"),))}, "pay"),
        ({"policy": Policy((Permission("read", (PURPOSE, Constraint("ethicsApproval", "hasPart", "e-1"))),))}, ""),
        ({"policy": Policy((Permission("read", (PURPOSE, Constraint("network", "isPartOf", "10.0.0.0/8"))),))}, ""),
    ],
)
async def test_what_needs_a_person_is_held(changes: dict[str, Any], words: str) -> None:
    entry = replace(ENTRY, **changes)
    assert isinstance(await judged("negotiate", entry), Allowed)
    verdict = await judged("agree", entry)
    assert isinstance(verdict, Denied) and words in " ".join(one.words for one in verdict.reasons)
    assert isinstance(await judged("fetch", replace(entry, policy=POLICY), released=OneProduct()), Denied) is (
        "grade" in changes
    )


async def test_a_counter_offer_is_held_even_where_it_would_be_allowed() -> None:
    looser = to_odrl(Policy(permissions=(Permission("read"),)), "Offer", "urn:x", ENTRY.entry_id)
    assert isinstance(await terms()("negotiate", CALLER, ENTRY.entry_id, looser), Allowed)
    assert codes(await terms()("agree", CALLER, ENTRY.entry_id, looser)) == {"dsp.held"}


async def test_unknown_steps_terms_and_entries_are_refused() -> None:
    assert codes(await judged("sell")) == {"dsp.unknown_step"}
    odd = offer() | {"permission": [{"action": "devour"}]}
    assert isinstance(await terms()("negotiate", CALLER, ENTRY.entry_id, odd), Denied)
    hidden = replace(ENTRY, restricted=True, audience=("did:web:c.example",))
    for step in ("negotiate", "agree", "transfer", "fetch"):
        seen = [await terms(one)(step, CALLER, ENTRY.entry_id, offer()) for one in (None, hidden)]
        assert seen[0] == seen[1] and codes(seen[0]) == {"dsp.not_offered"}
        bare = replace(ENTRY, policy=None)
        assert codes(await terms(bare)(step, CALLER, ENTRY.entry_id, offer())) == {"dsp.not_offered"}


async def test_data_leave_while_the_agreement_allows_and_only_where_there_are_some() -> None:
    policy = Policy(permissions=(Permission("read", (PURPOSE, Constraint("elapsedTime", "lteq", "P30D"))),))
    entry = replace(ENTRY, policy=policy)

    async def asked(step: str, days: int, released: Any = None) -> Verdict:
        names = {"id_": "urn:a", "assigner": "did:web:h.example", "assignee": CALLER.participant}
        agreement = agreement_of(offer(entry), timestamp=to_text(NOW - days * DAY_MS), **names)
        return await terms(entry, released)(step, CALLER, ENTRY.entry_id, agreement)

    for step in ("transfer", "fetch"):
        assert isinstance(await asked(step, 29, OneProduct()), Allowed)
        assert isinstance(await asked(step, 31, OneProduct()), Denied)
        assert codes(await asked(step, 29)) == {"dsp.no_product"}


class Silent:
    """Nobody answers."""

    async def post(self, url: str, body: bytes, authorization: str) -> Answer:
        raise Unreachable("Nobody.")

    async def get(self, url: str, authorization: str) -> Answer:
        raise Unreachable("Nobody.")


def door_of(hub: OpenHub, *issuers: str) -> tuple[MemberDoor, Signer]:
    signer = Signer.of(hub.hub.keys, "did:web:hub.example")
    policy = ClaimsPolicy(("Membership",), frozenset(issuers))
    members, clock = hub.hub.members, hub.clock
    return MemberDoor(
        lambda: members.directory, signer, Silent(), policy, hub.hub.store, scheme="https", clock=clock
    ), signer


async def test_members_are_let_in_by_the_key_in_the_log(tmp_path: Path) -> None:
    async with OpenHub(tmp_path) as hub:
        (door, signer), member = door_of(hub), Signer.of(await hub.member())
        header = f"Bearer {issue_id_token(member, signer.did, hub.clock())}"
        caller = await door(header)
        assert caller == Caller(member.did, (("Membership.roles", "consumer"),))
        assert await door(header) is None  # once
        assert door.proven(member.did) == caller
        hub.clock.off_ms = PROVEN_MS
        assert door.proven(member.did) == Caller(member.did)
        other = Signer.of(PrivateKeys.generate(), member.did)
        for wrong in (
            f"Bearer {issue_id_token(other, signer.did, hub.clock())}",  # another's key
            f"Bearer {issue_id_token(member, 'did:web:other.example', hub.clock())}",  # for somebody else
            f"Bearer {issue_id_token(Signer.of(PrivateKeys.generate()), signer.did, hub.clock())}",  # no member
            f"Bearer {issue_id_token(Signer.of(PrivateKeys.generate(), 'did:web:x.example'), signer.did, hub.clock())}",
            "Bearer ",
            "",
            "Basic eDp5",
        ):
            assert await door(wrong) is None, wrong


async def test_a_note_is_one_leaf_that_only_the_hub_can_open(tmp_path: Path) -> None:
    async with OpenHub(tmp_path) as hub:
        evidence = LogEvidence(hub.hub.log, hub.hub.members, hub.hub.keys.did, bytes(32))
        values = {"state": "FINALIZED", "side": "provider", "participant": CALLER.participant, "agreement": ""}
        note = NoteRow("negotiation-finalized", "urn:uuid:1", NOW, msgspec.json.encode(values), 7)
        size = hub.hub.log.size()
        await evidence(note)
        await evidence(note)
        assert hub.hub.log.size() == size + 1
        await evidence(replace(note, number=8))
        first, second = (decode_entry(one) for one in hub.hub.log.entries(size, size + 2))
        assert first.kind == "decision" and first.parties == (hub.hub.keys.did,) and not first.body
        assert set(first.commitments) == {"what", "state", "side", "participant"}
        assert not set(first.commitments.values()) & set(second.commitments.values())
        salt = derive_salt(bytes(32), f"urn:uuid:1 {note.kind} {NOW} 7 participant")
        open_commitment(first.commitments["participant"], salt, CALLER.participant)
        leaves = Leaves(hub.hub.keys.did, lambda _did: False, bytes(32))
        for kind in KINDS:
            assert leaves.leaf(replace(note, kind=kind)).kind == KINDS[kind]


@pytest.mark.parametrize(
    "told",
    [
        {"dsp_address": "http://hub.example"},
        {"dsp_address": "https://hub.example/path"},
        {"dsp_address": "https://hub.example", "dsp_credentials": ()},
        {"dsp_address": "https://hub.example", "dsp_open_most": 0},
        {"dsp_address": "https://hub.example", "dsp_begun_most": 0},
    ],
)
def test_settings_that_are_not_to_be_trusted_are_refused(told: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(BadSettings):
        make_connector(tmp_path, HubSettings(**told), None, None)  # type: ignore[arg-type]


def test_the_connector_is_off_and_closed_unless_somebody_opens_it(tmp_path: Path) -> None:
    found = hub_settings(tmp_path, environ={}).settings
    assert (found.dsp_address, found.dsp_issuers, found.dsp_trial) == ("", (), False)


def settings_of_a_trial(**more: Any) -> HubSettings:
    return HubSettings(dsp_address="https://hub.example", **more)


async def test_a_hub_without_a_connector_says_so(tmp_path: Path) -> None:
    async with OpenHub(tmp_path) as hub:
        assert (await hub.http.get("/.well-known/dspace-version")).status_code == 404
        assert (await hub.http.post("/dsp/2025-1/catalog/request")).status_code == 404
        with pytest.raises(Refused) as found:
            await answer_at_desk(hub.hub, DeskCall("dsp-list"), asyncio.Event(), hub.parts.connector)
        assert found.value.reasons[0].code == "dsp.no_connector"


async def test_the_hubs_own_calls_stay_what_they_are_beside_the_connector(tmp_path: Path) -> None:
    async with OpenHub(tmp_path, settings_of_a_trial()) as hub:
        assert (await hub.http.get("/v1/healthz")).json()["state"] == "ready"
        document = (await hub.http.get("/.well-known/did.json")).json()
        assert (document["id"], document["alsoKnownAs"]) == ("did:web:hub.example", [hub.space.operator])
        for path in ("negotiations/urn:uuid:1", "transfers/urn:uuid:1", "catalog/datasets/x", "data/urn:uuid:1"):
            assert (await hub.http.get(f"/dsp/2025-1/{path}")).status_code == 401
        assert (await hub.http.post("/dsp/2025-1/catalog/request", content=b"x" * (1 << 20))).status_code == 401
        assert (await hub.http.post("/tck/negotiation.initiate", content=b"{}")).status_code == 404
        desk = partial(answer_at_desk, hub.hub, stop=asyncio.Event(), connector=hub.parts.connector)
        assert (await desk(DeskCall("dsp-list"))).value == []
        for wrong in (DeskCall("dsp-list", {"kind": "sale"}), DeskCall("dsp-show"), DeskCall("dsp-negotiate")):
            with pytest.raises(MalformedMessage):
                await desk(wrong)
        for verb, name in (("dsp-show", "pid"), ("dsp-terminate", "pid"), ("dsp-transfer", "agreement")):
            with pytest.raises(Refused):
                await desk(DeskCall(verb, {name: "urn:uuid:1"}))
        with pytest.raises(Unreachable):  # not https: not called
            given = {"participant": "did:web:x.example", "address": "http://x.example/dsp", "data_set": "d"}
            await desk(DeskCall("dsp-negotiate", given))


async def test_the_salts_are_made_once(tmp_path: Path) -> None:
    async with OpenHub(tmp_path, settings_of_a_trial()):
        path = tmp_path / "hub" / "dsp.salt"
        assert len(path.read_bytes()) == 32 and path.stat().st_mode & 0o077 == 0
