"""What the hub holds for this hospital: shown to its people, answered under its key, judged by its own terms first."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from xinglin.connector.answers import VOUCHED, check_said
from xinglin.connector.entry_terms import CatalogueTerms
from xinglin.evidence.commitments import commit, new_salt
from xinglin.kernel.codec import decode_json
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Clock
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Denied, deny
from xinglin.node.channel import Channel
from xinglin.node.evidence import NodeEvidence
from xinglin.stores.tls import write_private
from xinglin.trust.envelope import sign
from xinglin.trust.keys import PrivateKeys
from xinglin.wire.dsp.ports import Caller
from xinglin.wire.errors import Refused
from xinglin.wire.held_offers import ANSWER_CONTEXT, HeldAnswer, HeldOffer, HeldOrder, HospitalAnswer

log = logging.getLogger("xinglin.node.connector")
QUESTIONS = Limit("held offers that wait at a node", 10_000, "offers")
QUESTION = Limit("size of a held offer", 256 * 1024, "bytes")
ALL_QUESTIONS = Limit("size of all held offers together", 64 * 1024 * 1024, "bytes")
ANSWERS = Limit("answers that wait at a node for the hub to take them", 1_000, "answers")
ANSWERS_FILE = "held-answers.json"


class KeptAnswer(msgspec.Struct, frozen=True):
    """An answer that was given and logged, until the hub says that it needs none any more."""

    pid: str
    question: str
    signed: bytes


class NodeHeld:
    """Open questions are the hub's to keep: it carries them again to a node that starts. An answer is a leaf first.

    ``file``: where answers lie until the hub has taken them, so that nobody is asked twice after a stop.
    """

    def __init__(
        self, keys: PrivateKeys, terms: CatalogueTerms, evidence: NodeEvidence, clock: Clock, file: Path
    ) -> None:
        self._keys, self._terms, self._evidence, self._clock = keys, terms, evidence, clock
        self._open: OrderedDict[str, HeldOffer] = OrderedDict()
        self._file, self._answered = file, _kept_in(file)
        self._being_answered: set[str] = set()
        self.channel: Channel | None = None

    def take(self, order: HeldOrder) -> None:
        """Keep a question, or forget one that is over; one that was answered already is answered again."""
        question = decode_json(order.question, HeldOffer)
        if question.version != 1 or order.over:
            self._open.pop(question.pid, None)
            self._answered.pop(question.pid, None)  # in the file until the next answer, and no harm there
            return
        known = self._answered.get(question.pid)
        if known is not None and known.question == question.digest():
            self._report(HeldAnswer(known.pid, known.signed))
            return
        QUESTION.check(len(order.question))
        decode_json(question.offer, dict)  # who is asked must be able to read it
        self._open[question.pid] = question
        size = sum(len(one.offer) for one in self._open.values())
        while len(self._open) > QUESTIONS.value or size > ALL_QUESTIONS.value:
            size -= len(self._open.popitem(last=False)[1].offer)

    def __contains__(self, pid: object) -> bool:
        return pid in self._open

    def shown(self) -> list[dict[str, Any]]:
        """Every open question, as ``dsp-list`` shows a process."""
        return [
            {
                "pid": one.pid,
                "kind": "negotiation",
                "side": "provider",
                "participant": one.participant,
                "state": "HELD",
                "data_set": one.data_set,
                "trouble": one.trouble,
                "held_by": one.hub,
                "created": one.at,
                "question": one.digest(),
            }
            for one in self._open.values()
        ]

    def one(self, pid: str) -> dict[str, Any]:
        """One open question with its offer, and what the hub says is proven."""
        question = self._question(pid)
        shown = next(one for one in self.shown() if one["pid"] == pid)
        claims = [f"{name}={text}" for name, text in question.claims]
        return shown | {"offer": msgspec.json.decode(question.offer), "proven_to_the_hub": claims}

    async def answer(
        self,
        pid: str,
        accepted: bool,
        by: str,
        ground: str,
        facts: Mapping[str, tuple[str, ...]],
        seen: str = "",
    ) -> dict[str, Any]:
        """Sign and send the answer; a yes is first judged by this hospital's own terms, with these facts alone.

        ``seen``: the question that the person looked at (``question``); another one under this id is not answered.
        """
        question = self._question(pid)
        if seen not in ("", question.digest()):
            words = "What is asked under this id is not what was looked at: the hub carries another question now."
            raise Refused(deny("node.other_question", words, f"Look again: xinglin dsp show {pid}.").reasons)
        check_said(accepted, by, ground, facts)
        if pid in self._being_answered:
            words = "Somebody is just answering it, and the log has not taken that answer yet."
            raise Refused(deny("node.being_answered", words, "See later what is open: xinglin dsp list.").reasons)
        self._being_answered.add(pid)
        try:
            report = await self._answer(question, accepted, by, ground, facts)
        finally:
            self._being_answered.discard(pid)
        self._answered.pop(pid, None)
        self._answered[pid] = KeptAnswer(pid, question.digest(), report.signed)
        while len(self._answered) > ANSWERS.value:
            del self._answered[next(iter(self._answered))]
        await asyncio.to_thread(write_private, self._file, msgspec.json.encode(list(self._answered.values())))
        if self._open.get(pid) == question:
            del self._open[pid]
        self._report(report)
        return {"pid": pid, "accepted": accepted, "question": question.digest(), "data_set": question.data_set}

    async def _answer(
        self, question: HeldOffer, accepted: bool, by: str, ground: str, facts: Mapping[str, tuple[str, ...]]
    ) -> HeldAnswer:
        """The signed answer, once its leaf is in."""
        if accepted:
            claims = tuple((VOUCHED + name, text) for name, said in sorted(facts.items()) for text in said)
            offer = msgspec.json.decode(question.offer)
            caller = Caller(question.participant, claims)
            verdict = await self._terms("accept", caller, question.data_set, offer)
            if isinstance(verdict, Denied):
                raise Refused(verdict.reasons)
        said = HospitalAnswer(question.digest(), accepted, by, ground, dict(facts), self._clock())
        signed = sign(self._keys, ANSWER_CONTEXT, msgspec.json.encode(said), pq=True)
        entry = self._evidence.entry("decision", question.digest(), (self._keys.did,))
        commitments = {
            "what": commit(new_salt(), "dsp-held-answer"),
            "answer": commit(new_salt(), signed.to_bytes().hex()),
        }
        await self._evidence.record(msgspec.structs.replace(entry, commitments=commitments))
        return HeldAnswer(question.pid, signed.to_bytes())

    def _question(self, pid: str) -> HeldOffer:
        found = self._open.get(pid)
        if found is None:
            words = "Nothing is held under this id for this hospital."
            raise Refused(
                deny("node.not_held", words, "See what is: xinglin dsp list --folder FOLDER.").reasons, status=404
            )
        return found

    def _report(self, answer: HeldAnswer) -> None:
        if self.channel is not None:
            self.channel.report(answer)


def _kept_in(file: Path) -> dict[str, KeptAnswer]:
    """What a stop left; a file that cannot be read costs a second question, and stops nothing."""
    try:
        found = decode_json(file.read_bytes(), tuple[KeptAnswer, ...]) if file.exists() else ()  # type: ignore[arg-type]
    except XinglinError as error:
        log.error("kept answers cannot be read, their questions are asked again: %s", error.code)
        return {}
    return {one.pid: one for one in found}
