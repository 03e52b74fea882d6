"""Agreements at the hospital: offers come in, the officer answers, the node keeps its own signed copy."""

from __future__ import annotations

import logging

import msgspec

from xinglin.catalogue import DataSetDescription, study_view
from xinglin.contract import (
    Agreement,
    SignedAgreement,
    Standing,
    agreement_facts,
    open_agreement,
    open_offer,
    sign_agreement,
    standing_at,
)
from xinglin.gate import NotNow
from xinglin.kernel.instants import Clock
from xinglin.kernel.verdict import Denied, Reason, deny
from xinglin.node.channel import Channel
from xinglin.node.evidence import NodeEvidence
from xinglin.node.logview import LogView
from xinglin.stores.node_database import NodeDatabase
from xinglin.stores.node_rows import AgreementRow
from xinglin.terms.facts import AgreementFacts
from xinglin.trust.envelope import Signed
from xinglin.trust.keys import PrivateKeys
from xinglin.wire.channel import AgreementAnswer, AgreementOrder
from xinglin.wire.endings import sign_ending
from xinglin.wire.errors import Refused

log = logging.getLogger("xinglin.node.agreements")


class NodeAgreements:
    """This hospital's agreements. Only what both signed and what lies in the cosigned log is *active*."""

    def __init__(
        self, keys: PrivateKeys, view: LogView, evidence: NodeEvidence, database: NodeDatabase, clock: Clock
    ) -> None:
        self._keys, self._view, self._evidence, self._database, self._clock = keys, view, evidence, database, clock
        self.channel: Channel | None = None
        self._verified: dict[tuple[object, ...], Agreement] = {}

    def offered(self, order: AgreementOrder) -> None:
        """Keep an offer for the officer; a known one changes nothing but is answered again."""
        signed = Signed.from_bytes(order.signed)
        agreement = open_offer(signed, self._view.record.directory)
        if agreement.provider != self._keys.did or signed.signer != agreement.consumer:
            raise Refused(deny("node.not_ours", "This agreement is not offered to this hospital.").reasons)
        held = self._database.agreement(agreement.digest())
        if held is not None:
            self._answer(held)
            return
        self._database.put_agreement(
            AgreementRow(
                agreement.digest(),
                "offered",
                agreement.study,
                agreement.consumer,
                agreement.data_set,
                order.signed,
                since=self._clock(),
            )
        )
        log.info("agreement %s is offered", agreement.digest())

    def list(self) -> list[dict[str, object]]:
        """Every agreement for the officer's eyes: what it would allow, and how it stands."""
        return [self._shown(row) for row in self._database.agreements()]

    async def approve(self, agreement_id: str, data_set: DataSetDescription | None) -> dict[str, object]:
        """Countersign an offer whose scope this hospital can expose; active once its leaf has a quorum."""
        row = _standing_in(self._row_of(agreement_id), "offered", "countersigned", "active")
        signed = Signed.from_bytes(row.offered)
        agreement = open_offer(signed, self._view.record.directory)
        if data_set is None:
            raise Refused(deny("node.not_published", f"'{agreement.data_set}' is not published here.").reasons)
        exposed = study_view(data_set, agreement.terms)
        if isinstance(exposed, Denied):
            raise Refused(exposed.reasons)
        if row.state == "offered":
            mine = sign_agreement(self._keys, agreement)
            row = msgspec.structs.replace(row, state="countersigned", countersigned=mine.to_bytes())
            self._database.put_agreement(row)
        if row.state == "countersigned":
            entry = self._evidence.entry("agreement", agreement_id, (agreement.provider, agreement.consumer))
            index = await self._evidence.record(entry)
            row = msgspec.structs.replace(row, state="active", index=index, since=self._clock())
            self._database.put_agreement(row)
        self._answer(row)
        return self._shown(row)

    def refuse(self, agreement_id: str, words: str) -> dict[str, object]:
        """Refuse an offer; the consumer reads ``words``."""
        row = _standing_in(self._row_of(agreement_id), "offered")
        row = msgspec.structs.replace(row, state="refused", since=self._clock())
        self._database.put_agreement(row)
        if self.channel is not None:
            reason = Reason(
                "contract.refused", words or "The hospital refused.", "Ask the hospital what it would need."
            )
            self.channel.report(AgreementAnswer(agreement_id, False, reasons=(reason,)))
        return self._shown(row)

    async def end(self, agreement_id: str) -> dict[str, object]:
        """End an active agreement: a leaf in the log, holding for every use whose own leaf comes after it."""
        row = _standing_in(self._row_of(agreement_id), "active")
        body = sign_ending("agreement-end", agreement_id, self._keys)
        await self._evidence.record(
            self._evidence.entry("agreement-end", agreement_id, (self._keys.did, row.consumer), body)
        )
        row = msgspec.structs.replace(row, state="terminated", since=self._clock())
        self._database.put_agreement(row)
        return self._shown(row)

    async def finish_countersigning(self, data_sets: dict[str, DataSetDescription]) -> None:
        """Carry on where a stop between signing and logging left an agreement."""
        for row in self._database.agreements():
            if row.state == "countersigned":
                try:
                    await self.approve(row.agreement_id, data_sets.get(row.data_set))
                except (NotNow, Refused) as error:
                    log.warning("agreement %s waits: %s", row.agreement_id, error.code)

    def facts(self, digest: str) -> tuple[Agreement, AgreementFacts] | None:
        """The agreement with this digest and what ``decide`` needs of it, both signatures verified anew; or None."""
        row = self._database.agreement(digest)
        if row is None or not row.countersigned:
            return None
        agreement = self._opened(row)
        if agreement.digest() != digest:
            return None
        return agreement, agreement_facts(agreement, self._standing(row, agreement).state)

    def _opened(self, row: AgreementRow) -> Agreement:
        """Both signatures verified, once for the same bytes under the same keys."""
        directory = self._view.record.directory
        both = SignedAgreement(Signed.from_bytes(row.countersigned), Signed.from_bytes(row.offered))
        under = (
            row.countersigned,
            row.offered,
            *(directory.keys(s.signer).digest() for s in (both.provider, both.consumer)),
        )
        if under not in self._verified:
            self._verified[under] = open_agreement(both, directory)
        return self._verified[under]

    def _standing(self, row: AgreementRow, agreement: Agreement) -> Standing:
        standing = Standing(row.agreement_id, row.state, row.since, row.index)
        enders = self._view.record.ended.get(row.agreement_id, frozenset())
        if standing.state == "active" and enders & {agreement.provider, agreement.consumer}:
            return standing.after("terminate", self._clock())
        return standing_at(standing, agreement.terms.expires, self._clock())

    def _answer(self, row: AgreementRow) -> None:
        if row.state == "active" and self.channel is not None:
            self.channel.report(AgreementAnswer(row.agreement_id, True, row.countersigned))

    def _row_of(self, agreement_id: str) -> AgreementRow:
        row = self._database.agreement(agreement_id)
        if row is None:
            reasons = deny(
                "node.unknown_agreement", "There is no such agreement.", "See: xinglin node agreements."
            ).reasons
            raise Refused(reasons, status=404)
        return row

    def _shown(self, row: AgreementRow) -> dict[str, object]:
        agreement = msgspec.json.decode(Signed.from_bytes(row.offered).payload, type=Agreement)
        record = self._view.record
        consumer = record.directory.participants.get(row.consumer)
        return {
            "id": row.agreement_id,
            "state": self._standing(row, agreement).state,
            "study": row.study,
            "consumer": consumer.name if consumer is not None else row.consumer,
            "data_set": row.data_set,
            "terms": msgspec.to_builtins(agreement.terms),
            "index": row.index,
        }


def _standing_in(row: AgreementRow, *states: str) -> AgreementRow:
    """The row, when it is in one of ``states``; else ``Refused``, which names both."""
    if row.state in states:
        return row
    words = f"The agreement is {row.state}, not {states[0]}."
    remedy = "Have it offered anew." if states[0] == "offered" else "See: xinglin node agreements."
    raise Refused(deny(f"node.not_{states[0]}", words, remedy).reasons)
