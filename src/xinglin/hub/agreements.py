"""Agreements on their way: offered by a consumer, carried to the provider, answered; kept as both signed them."""

from __future__ import annotations

import asyncio
import contextlib

import msgspec

from xinglin.contract import AGREEMENT_STATES, NotThisAgreement, SignedAgreement, Standing, open_agreement, open_offer
from xinglin.hub.mailbox import Mailboxes
from xinglin.hub.members import Members
from xinglin.hub.ports import AgreementRow, HubStore
from xinglin.kernel.verdict import Reason, deny
from xinglin.trust.envelope import Signed
from xinglin.wire.calls import AgreementView
from xinglin.wire.channel import AgreementAnswer, AgreementOrder
from xinglin.wire.errors import Refused


class Agreements:
    """The hub's copy of every agreement; each party has its own and believes that one."""

    def __init__(self, members: Members, store: HubStore, mailboxes: Mailboxes) -> None:
        self._members, self._store, self._mailboxes = members, store, mailboxes
        self._changed = asyncio.Condition()

    def offer(self, signed: Signed) -> AgreementView:
        """Take an offer in and carry it to the provider; the same offer again changes nothing."""
        agreement = open_offer(signed, self._members.directory)
        if signed.signer != agreement.consumer:
            raise NotThisAgreement("An agreement is offered by its consumer.")
        row = self._store.agreement(agreement.digest())
        if row is None:
            row = AgreementRow(
                agreement.digest(), AGREEMENT_STATES.start, agreement.provider, agreement.consumer, signed.to_bytes()
            )
            self._store.put_agreement(row)
        self._carry(row)
        return self._view(row)

    def arrived(self, node: str) -> None:
        """A provider came back: carry its open offers again."""
        for row in self._store.agreements():
            if row.provider == node and row.state == "offered":
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

    def views(self, asker: str) -> tuple[AgreementView, ...]:
        """Every agreement that the asker is a party of."""
        return tuple(self._view(row) for row in self._store.agreements() if asker in (row.provider, row.consumer))

    def _carry(self, row: AgreementRow) -> None:
        if row.state == "offered":
            self._mailboxes.put(row.provider, AgreementOrder(row.agreement_id, row.offered))

    def _row_of(self, agreement_id: str, asker: str) -> AgreementRow:
        row = self._store.agreement(agreement_id)
        if row is None or asker not in (row.provider, row.consumer):
            raise Refused(deny("hub.unknown_agreement", "There is no such agreement of yours.").reasons, status=404)
        return row

    def _view(self, row: AgreementRow) -> AgreementView:
        """The row for its parties; once in force it stands as the log says, whoever changed it."""
        history = self._members.record.agreements.of(row.agreement_id, row.provider, row.consumer)
        state = history.standing.state if row.state == "active" and history is not None else row.state
        return AgreementView(
            row.agreement_id,
            state,
            row.provider,
            Signed.from_bytes(row.offered),
            Signed.from_bytes(row.countersigned) if row.countersigned else None,
            msgspec.json.decode(row.reasons, type=tuple[Reason, ...]),
        )


def _after(row: AgreementRow, *events: str, **changes: bytes) -> AgreementRow:
    """The row after some events of the state table."""
    standing = Standing(row.agreement_id, row.state, 0)
    for event in events:
        standing = standing.after(event, 0)
    return msgspec.structs.replace(row, state=standing.state, **changes)
