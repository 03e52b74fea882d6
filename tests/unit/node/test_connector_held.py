"""What a hub holds for a hospital, at its node: a hostile hub's questions, two people at once, a stop in between."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from xinglin.catalogue.entry import CatalogueEntry
from xinglin.connector.entry_offers import offer_of
from xinglin.connector.entry_terms import CatalogueTerms
from xinglin.connector.leaves import NoProducts
from xinglin.evidence.entry import Entry
from xinglin.kernel.errors import LimitExceeded, MalformedMessage
from xinglin.kernel.limits import Limit
from xinglin.node import connector_held
from xinglin.node.connector_desk import NodeDspDesk
from xinglin.node.connector_held import QUESTION, NodeHeld
from xinglin.terms.policy import Duty, Permission, Policy
from xinglin.trust import PrivateKeys
from xinglin.wire.desk import DeskCall
from xinglin.wire.dsp.ports import Caller
from xinglin.wire.errors import Refused
from xinglin.wire.held_offers import HeldAnswer, HeldOffer, HeldOrder

POLICY = Policy((Permission("read", (), (Duty("obtainEthicsApproval"),)),))
SAID: Any = ("Li", "Resolution 1", {})


def _entry(kind: str, what: str, who: tuple[str, ...]) -> Entry:
    return Entry(kind=kind, at=1, submitter=who[0], parties=who, subject=what)


class Hospital:
    """A node's people, its log, and what it sends to its hub."""

    def __init__(self, folder: Path) -> None:
        self.keys, self.leaves, self.sent = PrivateKeys.generate(), list[Entry](), list[HeldAnswer]()
        self.entry = CatalogueEntry("a#heart", "heart", "a", "Heart", grade="L1", policy=POLICY)
        self.file, self.log_answers = folder / "held.json", asyncio.Event()
        self.log_answers.set()
        self.held = self.start()

    def start(self) -> NodeHeld:
        """The node, or the node after a stop."""
        terms = CatalogueTerms(lambda name, _who: self.entry, Caller, NoProducts(), lambda: 1)
        evidence: Any = SimpleNamespace(record=self._record, entry=_entry)
        made = NodeHeld(self.keys, terms, evidence, lambda: 1, self.file)
        made.channel = SimpleNamespace(report=self.sent.append)  # type: ignore[assignment]
        return made

    async def _record(self, entry: Entry) -> int:
        await self.log_answers.wait()
        self.leaves.append(entry)
        return len(self.leaves)

    def question(self, **changes: Any) -> HeldOffer:
        offer = msgspec.json.encode({**(offer_of(self.entry) or {}), "target": "a#heart"})
        return replace(HeldOffer("did:web:hub", "urn:p", "did:web:x", "a#heart", offer), **changes)

    def asks(self, question: HeldOffer, over: bool = False) -> None:
        self.held.take(HeldOrder(msgspec.json.encode(question), over))


@pytest.fixture
def hospital(tmp_path: Path) -> Hospital:
    return Hospital(tmp_path)


async def test_an_answer_survives_a_stop_and_is_given_once(hospital: Hospital) -> None:
    hospital.asks(hospital.question())
    await hospital.held.answer("urn:p", True, *SAID)
    (given,) = hospital.sent
    hospital.held = hospital.start()
    hospital.asks(hospital.question())
    assert hospital.sent == [given, given] and hospital.held.shown() == [] and len(hospital.leaves) == 1
    hospital.asks(hospital.question(), over=True)
    hospital.asks(hospital.question(participant="did:web:y"))  # another question is asked
    assert len(hospital.held.shown()) == 1
    hospital.file.write_text("damaged")
    hospital.held = hospital.start()
    hospital.asks(hospital.question())
    assert len(hospital.held.shown()) == 1


async def test_a_question_that_the_hub_changed_is_not_the_one_that_was_looked_at(hospital: Hospital) -> None:
    hospital.asks(hospital.question())
    desk = NodeDspDesk(hospital.held, None)
    seen = (await desk.answer(DeskCall("dsp-show", {"pid": "urn:p"})))["question"]
    hospital.asks(hospital.question(participant="did:web:another"))
    given = {"pid": "urn:p", "by": "Li", "ground": "Resolution 1", "question": seen}
    with pytest.raises(Refused) as refused:
        await desk.answer(DeskCall("dsp-accept", given))
    assert [one.code for one in refused.value.reasons] == ["node.other_question"]
    assert hospital.sent == [] and hospital.leaves == []
    await desk.answer(DeskCall("dsp-refuse", given | {"question": hospital.held.shown()[0]["question"]}))
    assert len(hospital.sent) == 1


async def test_two_people_give_one_answer_and_a_question_that_comes_meanwhile_stays(hospital: Hospital) -> None:
    hospital.asks(hospital.question())
    hospital.log_answers.clear()
    first = asyncio.create_task(hospital.held.answer("urn:p", True, *SAID))
    await asyncio.sleep(0.01)
    with pytest.raises(Refused):
        await hospital.held.answer("urn:p", False, *SAID)
    hospital.asks(hospital.question(data_set="a#other"))
    hospital.log_answers.set()
    await first
    assert len(hospital.leaves) == len(hospital.sent) == 1
    assert [one["data_set"] for one in hospital.held.shown()] == ["a#other"]


async def test_what_cannot_be_read_or_is_too_much_is_not_taken(
    hospital: Hospital, monkeypatch: pytest.MonkeyPatch
) -> None:
    for offer in (b"", b"{", b"[]", b"1", b"\xff"):
        with pytest.raises(MalformedMessage):
            hospital.asks(hospital.question(offer=offer))
    with pytest.raises(LimitExceeded):
        hospital.asks(hospital.question(trouble="x" * QUESTION.value))
    with pytest.raises(MalformedMessage):
        hospital.held.take(HeldOrder(b"\x00"))
    assert hospital.held.shown() == []
    size = len(hospital.question().offer)
    monkeypatch.setattr(connector_held, "ALL_QUESTIONS", Limit("size of all", 3 * size, "bytes"))
    for number in range(5):
        hospital.asks(hospital.question(pid=f"urn:{number}"))
    assert [one["pid"] for one in hospital.held.shown()] == ["urn:2", "urn:3", "urn:4"]
    for number in range(6):
        hospital.asks(hospital.question(pid=f"urn:{number}"), over=True)
    assert not hospital.file.exists()


async def test_a_process_of_its_own_comes_before_a_held_one_of_the_same_id(hospital: Hospital) -> None:
    hospital.asks(hospital.question())
    store = SimpleNamespace(process=lambda pid: object() if pid == "urn:p" else None)
    world = SimpleNamespace(assembled=SimpleNamespace(connector=SimpleNamespace(world=SimpleNamespace(store=store))))
    desk = NodeDspDesk(hospital.held, world)  # type: ignore[arg-type]
    assert not desk._is_held("urn:p")
    assert NodeDspDesk(hospital.held, None)._is_held("urn:p")
