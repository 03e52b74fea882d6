"""Breaches at a hospital: notices and answers of both parties, signed, kept, carried by the hub, borne out by the log.

A paper is kept first, then its digest is logged, then it is sent: a stop in between leaves a paper that the log does
not bear out, which is shown as such and counts for nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import msgspec

from xinglin.contract.breach import (
    ANSWER_KIND,
    NOTICE_KIND,
    PAPER_KINDS,
    BreachAnswer,
    BreachNotice,
    Case,
    Paper,
    cases,
    check_next,
    check_parties,
    open_paper,
    sign_paper,
)
from xinglin.contract.negotiation import AGREEMENT_STATES
from xinglin.contract.replay import History
from xinglin.kernel.codec import decode_json
from xinglin.kernel.instants import Clock, Instant
from xinglin.kernel.verdict import Denied, Verdict, deny
from xinglin.node.agreements import NodeAgreements
from xinglin.node.channel import Channel
from xinglin.node.logview import LogView
from xinglin.stores.contract_papers import ContractPapers, PaperRow
from xinglin.stores.node_rows import AgreementRow
from xinglin.trust.envelope import Signed
from xinglin.trust.keys import PrivateKeys
from xinglin.wire.channel import PaperOrder, PaperReport
from xinglin.wire.errors import Refused

log = logging.getLogger("xinglin.node.breaches")


class NodeBreaches:
    """Cases of this hospital's agreements. A breach moves no agreement: to suspend or end it is a step of its own."""

    def __init__(
        self, keys: PrivateKeys, view: LogView, agreements: NodeAgreements, papers: ContractPapers, clock: Clock
    ) -> None:
        self._keys, self._view, self._agreements, self._papers, self._clock = keys, view, agreements, papers, clock
        self.channel: Channel | None = None

    async def notice(
        self, agreement_id: str, what: str, words: str, *, answer_by: Instant = 0, suspend: bool = False
    ) -> Case:
        """Give the other party a notice of breach; ``suspend`` suspends the agreement in the same call.

        Raises ``Refused`` where the agreement was never in force, or cannot be suspended as it stands.
        """
        row, history = self._in_force(agreement_id)
        state = history.standing.state
        if suspend and "suspend" not in AGREEMENT_STATES.events(state):
            words = f"The agreement is {state}, and is not suspended any more."
            raise Refused(deny("contract.not_now", words, "Give the notice alone.").reasons)
        given = BreachNotice(agreement_id, self._keys.did, row.consumer, what, words, self._clock(), answer_by)
        await self._give(NOTICE_KIND, given, "notice")
        if suspend:
            await self._agreements.suspend(agreement_id)
        return self.case(agreement_id, given.digest())

    async def answer(
        self, agreement_id: str, notice: str, answer: str, words: str, *, remedy_by: Instant = 0
    ) -> Case:  # fmt: skip
        """Answer the other party's notice: ``accepted`` (to be remedied by a date), ``contested``, ``remedied``."""
        row, _ = self._in_force(agreement_id)
        case = self.case(agreement_id, notice)
        if case.against != self._keys.did:
            raise Refused(deny("contract.not_yours", "A notice is answered by the party that it accuses.").reasons)
        _refuse_unless(check_next(case, answer))
        now = self._clock()
        given = BreachAnswer(agreement_id, case.notice, self._keys.did, row.consumer, answer, words, now, remedy_by)
        await self._give(ANSWER_KIND, given, "answer", case.notice)
        return self.case(agreement_id, case.notice)

    async def close(self, agreement_id: str, notice: str) -> Case:
        """Close this hospital's own notice."""
        case = self.case(agreement_id, notice)
        _refuse_unless(check_next(case, "close"))
        await self._agreements.change(agreement_id, "breach", step="close", about=case.notice)
        return self.case(agreement_id, case.notice)

    def given(self, order: PaperOrder) -> None:
        """Keep the consumer's paper, verified; a known one changes nothing. Raises for everything else."""
        row = self._agreements.row_of(order.agreement_id)
        signed = Signed.from_bytes(order.signed)
        paper = open_paper(order.kind, signed, self._view.record.directory)
        _refuse_unless(check_parties(paper, row.agreement_id, self._keys.did, row.consumer))
        if paper.by != row.consumer:
            return  # this hospital's own, which it kept before it was sent
        self._keep(order.kind, paper, order.signed)
        log.info("%s %s about %s is kept", order.kind, paper.digest(), row.agreement_id)

    def cases(self, agreement_id: str = "") -> tuple[Case, ...]:
        """Every case of one agreement, or of all, oldest first."""
        ids = [agreement_id] if agreement_id else self.noticed()
        found = [case for one in ids for case in self._cases(self._agreements.row_of(one))]
        return tuple(sorted(found, key=lambda one: (one.made, one.notice)))

    def noticed(self) -> tuple[str, ...]:
        """Agreements about which somebody gave a notice."""
        return tuple(sorted({one.agreement for one in self._papers.all(NOTICE_KIND)}))

    def awaits_paper(self, case: Case) -> bool:
        """Whether the log names an answer to this notice that was not carried here yet."""
        history = self._agreements.history(self._agreements.row_of(case.agreement))
        named = {digest for one in history.breaches if one.notice == case.notice for digest in one.answers}
        return any(self._papers.one(case.agreement, digest) is None for digest in named)

    def case(self, agreement_id: str, notice: str) -> Case:
        """The case whose notice has this digest, or one that begins so; ``Refused`` (404) where there is none."""
        start = "sha256:" + notice.removeprefix("sha256:")
        found = [one for one in self.cases(agreement_id) if one.notice.startswith(start)]
        if len(found) != 1:
            words = "There is no such notice of breach, or more than one begins so."
            raise Refused(deny("contract.no_such_notice", words, "See: xinglin node breaches.").reasons, status=404)
        return found[0]

    def resend(self) -> None:
        """Send this hospital's papers in open cases again: after a start of either side."""
        for case in self.cases():
            if case.logged and case.state != "closed":
                named = (case.notice, *(one.digest() for one in case.answers))
                rows = (self._papers.one(case.agreement, digest) for digest in named)
                for row in rows:
                    if row is not None and row.by == self._keys.did:
                        self._send(row)

    async def _give(self, kind: str, paper: Paper, step: str, about: str = "") -> None:
        row = self._keep(kind, paper, sign_paper(self._keys, paper).to_bytes())
        await self._agreements.change(paper.agreement, "breach", step=step, document=row.digest, about=about)
        self._send(row)

    def _keep(self, kind: str, paper: Paper, signed: bytes) -> PaperRow:
        row = PaperRow(paper.agreement, paper.digest(), kind, paper.by, self._clock(), signed)
        _refuse_unless(self._papers.keep(row))
        return row

    def _send(self, row: PaperRow) -> None:
        if self.channel is not None:
            self.channel.report(PaperReport(row.agreement, row.kind, row.signed))

    def _cases(self, row: AgreementRow) -> Sequence[Case]:
        found = [one for kind in PAPER_KINDS for one in self._papers.of(row.agreement_id, kind)]
        history = self._agreements.history(row) if row.index >= 0 else None
        return cases((_read(one) for one in found), history, self._clock())

    def _in_force(self, agreement_id: str) -> tuple[AgreementRow, History]:
        row = self._agreements.row_of(agreement_id)
        if row.index < 0:
            words = f"The agreement is {row.state} and was never in force, so that nothing of it can be broken."
            raise Refused(deny("node.never_in_force", words, "See: xinglin node agreements.").reasons)
        return row, self._agreements.history(row)


def shown(case: Case) -> dict[str, object]:
    """A case as the desk shows it, its answers by their digests too."""
    answers = [{**msgspec.to_builtins(one), "digest": one.digest()} for one in case.answers]
    return {**msgspec.to_builtins(case), "answers": answers}


def _read(row: PaperRow) -> Paper:
    """The paper; it was verified before it was kept."""
    kind: type[Paper] = BreachNotice if row.kind == NOTICE_KIND else BreachAnswer
    return decode_json(Signed.from_bytes(row.signed).payload, kind)


def _refuse_unless(verdict: Verdict) -> None:
    if isinstance(verdict, Denied):
        raise Refused(verdict.reasons)
