"""Agreements on their way: offered by a consumer, carried to the provider, answered; kept as both signed them."""

from __future__ import annotations

import asyncio
import contextlib

import msgspec

from xinglin.contract import (
    AGREEMENT_STATES,
    Agreement,
    NotThisAgreement,
    SignedAgreement,
    Standing,
    open_agreement,
    open_application,
    open_offer,
    open_paper,
)
from xinglin.contract.breach import APPLICATION_KIND, PAPER_KINDS, check_parties, other_party
from xinglin.hub.agreement_index import AgreementIndex
from xinglin.hub.mailbox import Mailboxes
from xinglin.hub.members import Members
from xinglin.hub.ports import AgreementRow, HubStore
from xinglin.kernel.canonical import sha256_digest
from xinglin.kernel.instants import Clock
from xinglin.kernel.verdict import Denied, Reason, deny
from xinglin.stores.contract_papers import ContractPapers, PaperRow
from xinglin.trust.envelope import Signed
from xinglin.wire.calls import AgreementCall, AgreementView, PaperView
from xinglin.wire.channel import AgreementAnswer, AgreementOrder, PaperOrder
from xinglin.wire.errors import Refused


class Agreements:
    """The hub's copy of every agreement; each party has its own and believes that one."""

    def __init__(
        self, members: Members, store: HubStore, mailboxes: Mailboxes, papers: ContractPapers, clock: Clock
    ) -> None:
        self._members, self._store, self._mailboxes = members, store, mailboxes
        self._papers, self._clock = papers, clock
        self._index = AgreementIndex(store)
        self._changed = asyncio.Condition()

    def offer(self, call: AgreementCall) -> AgreementView:
        """Take an offer in and carry it to the provider with its application; the same again changes nothing."""
        signed = call.signed
        agreement = open_offer(signed, self._members.directory)
        if signed.signer != agreement.consumer:
            raise NotThisAgreement("An agreement is offered by its consumer.")
        self._check_application(agreement, call.application)
        row = self._store.agreement(agreement.digest())
        if row is None:
            if call.application is not None:
                self._keep(agreement.digest(), APPLICATION_KIND, call.application)
            row = AgreementRow(
                agreement.digest(), AGREEMENT_STATES.start, agreement.provider, agreement.consumer, signed.to_bytes()
            )
            self._store.put_agreement(row)
        self._carry(row)
        return self._view(row)

    def arrived(self, node: str) -> None:
        """A provider came back: carry its open offers again, and papers about its agreements."""
        for row in self._store.agreements():
            if row.provider == node:
                self._carry(row)

    async def answered(self, node: str, answer: AgreementAnswer) -> None:
        """The provider's word: both signatures are checked before the agreement counts as active here."""
        row = self._store.agreement(answer.agreement_id)
        if row is None or row.provider != node or row.state != "offered":
            return
        if answer.accepted:
            both = SignedAgreement(Signed.from_bytes(answer.signed), Signed.from_bytes(row.offered))
            open_agreement(both, self._members.directory)
            row = _after(row, "countersign", "log", countersigned=answer.signed)
        else:
            row = _after(row, "refuse", reasons=msgspec.json.encode(answer.reasons))
        self._store.put_agreement(row)
        async with self._changed:
            self._changed.notify_all()

    async def view(self, agreement_id: str, asker: str, hold_s: float = 0.0) -> AgreementView:
        """One agreement as one of its parties sees it, waiting up to ``hold_s`` seconds for an answer."""
        row = self._row_of(agreement_id, asker)
        if row.state == "offered" and hold_s:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(hold_s), self._changed:
                    await self._changed.wait_for(lambda: self._row_of(agreement_id, asker).state != "offered")
        return self._view(self._row_of(agreement_id, asker))

    def views(self, asker: str, study: str = "") -> tuple[AgreementView, ...]:
        """Every agreement that the asker is a party of; of one study where it is named."""
        if not study:
            return tuple(self._view(row) for row in self._store.agreements() if asker in (row.provider, row.consumer))
        lines = [one.line for one in self._index.of_study(study)]
        rows = [self._store.agreement(one.agreement_id) for one in lines if asker in (one.provider, one.consumer)]
        return tuple(self._view(row) for row in rows if row is not None)

    def paper(self, asker: str, agreement_id: str, kind: str, signed: Signed) -> tuple[PaperView, ...]:
        """Take in a party's paper about an agreement in force, and carry it to the other; the same changes nothing."""
        row = self._row_of(agreement_id, asker)
        paper = open_paper(kind, signed, self._members.directory)
        if signed.signer != asker:
            raise Refused(deny("hub.not_yours", "A paper is handed in by the party that signed it.").reasons)
        verdict = check_parties(paper, agreement_id, row.provider, row.consumer)
        if isinstance(verdict, Denied):
            raise Refused(verdict.reasons)
        if self._members.record.agreements.of(agreement_id, row.provider, row.consumer) is None:
            words = "The agreement was never in force, so that nothing of it can be broken."
            raise Refused(deny("hub.never_in_force", words, "Withdraw or refuse the offer.").reasons)
        self._keep(agreement_id, kind, signed)
        if other_party(paper) == row.provider:
            self._mailboxes.put(row.provider, PaperOrder(agreement_id, kind, signed.to_bytes()))
        return self.papers(asker, agreement_id)

    def papers(self, asker: str, agreement_id: str) -> tuple[PaperView, ...]:
        """Every paper that the parties gave each other about an agreement."""
        row = self._row_of(agreement_id, asker)
        found = [one for kind in PAPER_KINDS for one in self._papers.of(row.agreement_id, kind)]
        return tuple(PaperView(one.kind, Signed.from_bytes(one.signed), one.at) for one in found)

    def _check_application(self, agreement: Agreement, application: Signed | None) -> None:
        """An offer that names an application comes with it; what it says is the hospital's to verify."""
        if application is None:
            if agreement.applied:
                words = "The offer names an application that did not come with it."
                raise Refused(deny("hub.no_application", words, "Send the signed application too.").reasons)
            return
        if open_application(application, self._members.directory).digest() != agreement.applied:
            words = "The offer names another application than the one that came with it."
            raise Refused(deny("contract.other_application", words, "Send the one that it names.").reasons)

    def _keep(self, agreement_id: str, kind: str, signed: Signed) -> None:
        digest = sha256_digest(signed.payload)
        row = PaperRow(agreement_id, digest, kind, signed.signer, self._clock(), signed.to_bytes())
        verdict = self._papers.keep(row)
        if isinstance(verdict, Denied):
            raise Refused(verdict.reasons)

    def _application(self, agreement_id: str) -> bytes:
        found = self._papers.of(agreement_id, APPLICATION_KIND)
        return found[0].signed if found else b""

    def _carry(self, row: AgreementRow) -> None:
        """What the provider may have missed: an open offer, or the consumer's papers in cases that are open."""
        if row.state == "offered":
            application = self._application(row.agreement_id)
            self._mailboxes.put(row.provider, AgreementOrder(row.agreement_id, row.offered, application))
            return
        history = self._members.record.agreements.of(row.agreement_id, row.provider, row.consumer)
        open_ones = [one for one in history.breaches if one.state != "closed"] if history is not None else []
        for named in {digest for one in open_ones for digest in (one.notice, *one.answers)}:
            found = self._papers.one(row.agreement_id, named)
            if found is not None and found.by == row.consumer:
                self._mailboxes.put(row.provider, PaperOrder(row.agreement_id, found.kind, found.signed))

    def _row_of(self, agreement_id: str, asker: str) -> AgreementRow:
        row = self._store.agreement(agreement_id)
        if row is None or asker not in (row.provider, row.consumer):
            raise Refused(deny("hub.unknown_agreement", "There is no such agreement of yours.").reasons, status=404)
        return row

    def _view(self, row: AgreementRow) -> AgreementView:
        """The row for its parties; once in force it stands as the log says, whoever changed it."""
        application = self._application(row.agreement_id)
        history = self._members.record.agreements.of(row.agreement_id, row.provider, row.consumer)
        state = history.standing.state if row.state == "active" and history is not None else row.state
        return AgreementView(
            row.agreement_id,
            state,
            row.provider,
            Signed.from_bytes(row.offered),
            Signed.from_bytes(row.countersigned) if row.countersigned else None,
            msgspec.json.decode(row.reasons, type=tuple[Reason, ...]),
            Signed.from_bytes(application) if application else None,
        )


def _after(row: AgreementRow, *events: str, **changes: bytes) -> AgreementRow:
    """The row after some events of the state table."""
    standing = Standing(row.agreement_id, row.state, 0)
    for event in events:
        standing = standing.after(event, 0)
    return msgspec.structs.replace(row, state=standing.state, **changes)
