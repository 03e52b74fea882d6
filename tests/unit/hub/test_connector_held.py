"""What the hub holds for a hospital: answered by that hospital's signature over just this offer, by nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from xinglin.catalogue import ColumnDescription, DataSetDescription, TableDescription
from xinglin.catalogue.entry import Listing
from xinglin.connector.entry_offers import offer_of
from xinglin.hub import connector_held
from xinglin.hub.connector_held import HeldOffers
from xinglin.hub.mailbox import _weight
from xinglin.hub.settings import HubSettings
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.limits import Limit
from xinglin.terms.policy import Constraint, Duty, Permission, Policy
from xinglin.testing.open_hub import OpenHub
from xinglin.trust import PrivateKeys
from xinglin.trust.envelope import sign
from xinglin.wire.dsp.ports import ProcessRow, Step
from xinglin.wire.errors import Refused
from xinglin.wire.held_offers import ANSWER_CONTEXT, HeldAnswer, HeldOffer, HeldOrder, HospitalAnswer

POLICY = Policy(
    (Permission("read", (Constraint("purpose", "isA", "health-research"),), (Duty("obtainEthicsApproval"),)),)
)
FACTS = {"purpose": ("health-research",)}


class Scene:
    """A hub with a held negotiation about a hospital's data set, and another hospital beside."""

    def __init__(self, hub: OpenHub) -> None:
        self.hub = hub

    async def set(self) -> None:
        self.hospital, self.other = await self.hub.member("provider"), await self.hub.member("provider")
        table = TableDescription("incidence", (ColumnDescription("region", "text", "person"),), "region", grade="L1")
        one = DataSetDescription("heart", self.hospital.did, "Heart", (table,), grade="L1")
        said = (Listing("heart", policy=POLICY),)
        await self.hub.hub.publish(self.hospital.did, msgspec.json.encode((one,)), msgspec.json.encode(said))
        assert self.hub.parts.connector is not None and self.hub.hub.held is not None
        self.desk, self.held = self.hub.parts.connector.connector.desk, self.hub.hub.held
        entry = self.hub.hub.catalogue.visible(self.hospital.did)[0]
        offer = {**(offer_of(entry) or {}), "target": entry.entry_id}
        row = ProcessRow("urn:p", "negotiation", "provider", "did:web:x.example", "REQUESTED", peer_pid="urn:c")
        row = replace(row, address="https://x.example/cb", trail="REQUESTED", data_set=entry.entry_id)
        self.row = replace(row, offer=msgspec.json.encode(offer), trouble="Held.", opening="o", created=1, changed=1)
        self.desk.world.store.add(Step(self.row))

    def orders(self, keys: PrivateKeys) -> list[HeldOrder]:
        """What waits in a hospital's mailbox."""
        box = self.hub.hub.mailboxes.of(keys.did)
        return [one for one in box._orders if isinstance(one, HeldOrder)]

    def question(self) -> HeldOffer:
        (order,) = self.orders(self.hospital)
        return msgspec.json.decode(order.question, type=HeldOffer)

    async def answer(self, by: PrivateKeys, said: HospitalAnswer, context: str = ANSWER_CONTEXT, **how: Any) -> None:
        signed = sign(by, context, msgspec.json.encode(said), pq=True)
        report = HeldAnswer(how.get("pid", "urn:p"), signed.to_bytes())
        await self.held.answered(how.get("node", by.did), report)

    @property
    def state(self) -> tuple[str, str]:
        """The negotiation's state, and what is owed in it."""
        store = self.desk.world.store
        row, owed = store.process("urn:p"), store.owed("urn:p")
        return row.state if row is not None else "", owed.event if owed is not None else ""


@pytest.fixture
async def scene(tmp_path: Path) -> Any:
    async with OpenHub(tmp_path, HubSettings(dsp_address="https://hub.example", dsp_trial=False)) as hub:
        made = Scene(hub)
        await made.set()
        yield made


async def test_the_hospital_alone_is_asked_and_answers(scene: Scene) -> None:
    scene.held.carry(scene.row)
    scene.held.arrived(scene.other.did)
    assert scene.orders(scene.other) == []
    question = scene.question()
    assert question.pid == "urn:p" and question.trouble == "Held."
    yes = HospitalAnswer(question.digest(), True, "Li", "Resolution 1", FACTS, scene.hub.clock())
    wrong: list[tuple[PrivateKeys, HospitalAnswer, dict[str, Any]]] = [
        (scene.other, yes, {}),  # another hospital
        (scene.other, yes, {"node": scene.hospital.did}),  # another's signature in this one's name
        (scene.hub.hub.keys, yes, {"node": scene.hospital.did}),  # the operator's own
        (scene.hospital, replace(yes, question="sha256:" + "0" * 64), {}),  # another offer
        (scene.hospital, replace(yes, version=2), {}),
        (scene.hospital, yes, {"context": "agreement/1"}),  # signed for something else
        (scene.hospital, yes, {"pid": "urn:other"}),
        (scene.hospital, replace(yes, by=""), {}),  # nobody
        (scene.hospital, replace(yes, ground=""), {}),
        (scene.hospital, replace(yes, facts={}), {}),  # the terms still deny
        (scene.hospital, replace(yes, facts={"purpose": ("marketing",)}), {}),
        (scene.hospital, replace(yes, facts=FACTS | {"grade": ("L1",)}), {}),
    ]
    for by, said, how in wrong:
        with pytest.raises(XinglinError):
            await scene.answer(by, said, how.pop("context", ANSWER_CONTEXT), **how)
        assert scene.state == ("REQUESTED", ""), said
    await scene.answer(scene.hospital, yes)
    assert scene.state == ("REQUESTED", "agree")
    kept = scene.desk.world.store.answer("urn:p")
    assert kept is not None and kept.accepted and kept.signed and (kept.by, kept.ground) == ("Li", "Resolution 1")
    orders = scene.orders(scene.hospital)
    assert [one.over for one in orders] == [False, True]
    await scene.answer(scene.hospital, replace(yes, accepted=False))  # answered already: nothing changes
    assert scene.state == ("REQUESTED", "agree") and scene.desk.world.store.answer("urn:p") == kept


async def test_an_answer_to_an_offer_that_was_changed_meanwhile_is_none(scene: Scene) -> None:
    scene.held.carry(scene.row)
    question = scene.question()
    looser = {**msgspec.json.decode(scene.row.offer), "permission": [{"action": "read"}]}
    changed = replace(scene.row, offer=msgspec.json.encode(looser), version=2)
    assert scene.desk.world.store.put(Step(changed))
    with pytest.raises(Refused):
        await scene.answer(scene.hospital, HospitalAnswer(question.digest(), True, "Li", "Resolution 1", FACTS))
    assert scene.state == ("REQUESTED", "")


async def test_a_no_ends_it_and_a_node_that_comes_back_is_asked_again(scene: Scene) -> None:
    scene.held.arrived(scene.hospital.did)
    scene.held.arrived(scene.hospital.did)
    assert len(scene.orders(scene.hospital)) == 2
    digest = scene.held._question(scene.row).digest()
    await scene.answer(scene.hospital, HospitalAnswer(digest, False, "Li", "The committee said no."))
    assert scene.state == ("REQUESTED", "terminate")
    assert isinstance(scene.held, HeldOffers)


async def test_strangers_fill_no_mailbox_and_what_is_too_long_is_not_carried(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connector_held, "CARRIED", Limit("orders", 3, "orders"))
    store, box = scene.desk.world.store, scene.hub.hub.mailboxes.of(scene.hospital.did)
    for number in range(5):
        store.add(Step(replace(scene.row, pid=f"urn:{number}", peer_pid=f"urn:c{number}")))
    scene.held.arrived(scene.hospital.did)
    scene.held.carry(scene.row)
    assert box.waiting == 3
    monkeypatch.setattr(connector_held, "CARRIED", Limit("orders", 100, "orders"))
    box.drop()
    scene.held.carry(scene.row)  # the node has caught up: the rest comes too
    assert box.waiting == 7
    box.drop()
    offer = {**msgspec.json.decode(scene.row.offer), "xl:note": "x" * connector_held.QUESTION.value}
    scene.held.carry(replace(scene.row, offer=msgspec.json.encode(offer)))
    assert box.waiting == 0
    assert _weight(HeldOrder(b"x" * 1_000)) > 1_000
