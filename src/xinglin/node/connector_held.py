"""What the hub holds for this hospital: shown to its people, answered under its key, judged by its own terms first."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import msgspec

from xinglin.connector.answers import VOUCHED, check_said
from xinglin.connector.entry_terms import CatalogueTerms
from xinglin.evidence.commitments import commit, new_salt
from xinglin.kernel.codec import decode_json
from xinglin.kernel.instants import Clock
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Denied, deny
from xinglin.node.channel import Channel
from xinglin.node.evidence import NodeEvidence
from xinglin.trust.envelope import sign
from xinglin.trust.keys import PrivateKeys
from xinglin.wire.dsp.ports import Caller
from xinglin.wire.errors import Refused
from xinglin.wire.held_offers import ANSWER_CONTEXT, HeldAnswer, HeldOffer, HeldOrder, HospitalAnswer

log = logging.getLogger("xinglin.node.connector")
QUESTIONS = Limit("held offers that wait at a node", 10_000, "offers")


class NodeHeld:
    """Open questions are the hub's to keep: it carries them again to a node that starts. An answer is a leaf first."""

    def __init__(self, keys: PrivateKeys, terms: CatalogueTerms, evidence: NodeEvidence, clock: Clock) -> None:
        self._keys, self._terms, self._evidence, self._clock = keys, terms, evidence, clock
        self._open: OrderedDict[str, HeldOffer] = OrderedDict()
        self._answered: dict[str, tuple[str, HeldAnswer]] = {}
        self.channel: Channel | None = None

    def take(self, order: HeldOrder) -> None:
        """Keep a question, or forget one that is over; one that was answered already is answered again."""
        question = decode_json(order.question, HeldOffer)
        if question.version != 1 or order.over:
            self._open.pop(question.pid, None)
            self._answered.pop(question.pid, None)
            return
        digest, answer = self._answered.get(question.pid, ("", None))
        if answer is not None and digest == question.digest():
            self._report(answer)
            return
        self._open[question.pid] = question
        while len(self._open) > QUESTIONS.value:
            self._open.popitem(last=False)

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
        self, pid: str, accepted: bool, by: str, ground: str, facts: Mapping[str, tuple[str, ...]]
    ) -> dict[str, Any]:
        """Sign and send the answer; a yes is first judged by this hospital's own terms, with these facts alone."""
        question = self._question(pid)
        check_said(accepted, by, ground, facts)
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
        report = HeldAnswer(pid, signed.to_bytes())
        self._answered[pid] = question.digest(), report
        self._open.pop(pid, None)
        self._report(report)
        return {"pid": pid, "accepted": accepted, "question": question.digest(), "data_set": question.data_set}

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
