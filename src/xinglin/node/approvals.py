"""Ethics approvals at the node: kept as the committee resolved them, believed as far as the cosigned log bears out.

A study for which the log holds an approval runs only while one stands that covers the agreement to the letter.
"""

from __future__ import annotations

import logging

from xinglin.access.approval import RESOLUTION, Resolution, approval_facts_of, covers, notice_of, open_approval
from xinglin.access.errors import NotThisApproval
from xinglin.access.register import Logged
from xinglin.kernel.canonical import sha256_digest
from xinglin.kernel.codec import decode_json
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Clock
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Denied, Reason
from xinglin.node.logview import LogView
from xinglin.stores.access_database import ApprovalDocuments
from xinglin.terms.facts import CLOCK_SKEW_MS, AgreementFacts, ApprovalFacts
from xinglin.trust.envelope import Signed, open_signed
from xinglin.trust.errors import UnknownParticipant
from xinglin.wire.approvals import ApprovalRecord
from xinglin.wire.channel import ApprovalOrder

log = logging.getLogger("xinglin.node.approvals")
DOCUMENTS = Limit("approvals kept at a node", 10_000, "documents")
DOCUMENTS_OF_ONE = Limit("approvals of one chair kept at a node", 1_000, "documents")
DOCUMENT_BYTES = Limit("an approval", 1024 * 1024, "bytes")
_WORDS = {
    "revoked": ("The ethics approval of this study was revoked.", "Ask its committee."),
    "lapsed": ("The ethics approval of this study has lapsed.", "Have it renewed before it ends."),
    "replaced": ("The ethics approval of this study was replaced by another.", "Agree on the terms of the new one."),
    "unknown": ("The approval of this study has not reached this hospital.", "Ask the hub to hand it out again."),
}


class NodeApprovals:
    """Approvals this hospital was handed; make it before ``view`` folds its first leaf."""

    def __init__(self, view: LogView, documents: ApprovalDocuments, clock: Clock) -> None:
        self._view, self._documents, self._clock = view, documents, clock
        self.record = ApprovalRecord(view.record)
        self._verified: dict[tuple[str, int], Resolution | None] = {}

    def given(self, order: ApprovalOrder) -> None:
        """Keep a document of a chair whom the log knows; whether it stands is asked when it is needed.

        One of a committee that the log does not name yet waits for the log; one by nobody's chair is not kept.
        """
        DOCUMENT_BYTES.check(len(order.signed))
        signed = Signed.from_bytes(order.signed)
        payload = open_signed(signed, RESOLUTION, self._view.record.directory, need_pq=True)
        digest, known = sha256_digest(payload), self._documents.known()
        if digest in known:
            return
        motion = decode_json(payload, Resolution).motion
        seat = self.record.charters.get(motion.committee)
        if seat is None:
            raise UnknownParticipant(motion.committee)
        if signed.signer not in seat.charter.chairs:
            raise NotThisApproval("The document was signed by no chair of its committee.")
        DOCUMENTS.check(len(known) + 1)
        DOCUMENTS_OF_ONE.check(self._documents.signed_by(signed.signer) + 1)
        self._documents.keep(digest, motion.scope.study, order.signed, signed.signer)
        log.info("approval %s is kept", digest)

    def facts(self, held: AgreementFacts | None, below: int | None = None) -> ApprovalFacts | None:
        """The standing approval that covers the agreement, for ``decide``; the one that ends last.

        ``below``: as the log's leaves below this index make it; so in ``names`` and ``faults``.
        """
        found = self._covering(held, below)
        return approval_facts_of(found.notice) if found is not None else None

    def names(self, study: str, below: int | None = None) -> tuple[str, ...]:
        """Digests of the study's approvals that stand here, verified; with those that they renew."""
        now = self._clock()
        held = [one for one in self.record.standing(study, now, below) if self._holds(one)]
        return tuple(sorted({name for one in held for name in self.record.names(one, now, below)}))

    def faults(self, held: AgreementFacts | None, below: int | None = None) -> tuple[Reason, ...]:
        """Why a study that needs its approval has none here; nothing for a study the log knows no approval of."""
        known = self.record.known(held.study, below) if held is not None else ()
        if held is None or not known or self._covering(held, below) is not None:
            return ()
        standing = [one for one in self.record.standing(held.study, self._clock(), below) if self._holds(one)]
        if standing:
            verdict = self._covers(standing[0], held)
            return verdict.reasons if isinstance(verdict, Denied) else ()
        state = self.record.state(known[-1], self._clock(), below)
        words, remedy = _WORDS.get(state, _WORDS["unknown"])
        return (Reason(f"access.approval_{state if state in _WORDS else 'unknown'}", words, remedy),)

    def _covering(self, held: AgreementFacts | None, below: int | None = None) -> Logged | None:
        if held is None:
            return None
        for one in self.record.standing(held.study, self._clock(), below):
            if not isinstance(self._covers(one, held), Denied) and self._holds(one):
                return one
        return None

    def _covers(self, logged: Logged, held: AgreementFacts) -> object:
        return covers(
            logged.notice.scope,
            study=held.study,
            data_set=held.data_set,
            cohort_digest=held.terms.cohort_digest,
            variables_digest=held.terms.variables_digest,
        )

    def _holds(self, logged: Logged) -> bool:
        """Whether the document behind a notice is here and says the same; verified once for one log index."""
        key = (logged.notice.approval, logged.index)
        if self._verified.get(key) is None:
            data = self._documents.of_study(logged.notice.scope.study).get(logged.notice.approval)
            if data is None:
                return False
            self._verified[key] = self._opened(logged, data)
        resolution = self._verified[key]
        return resolution is not None and resolution.made <= self._clock() + CLOCK_SKEW_MS

    def _opened(self, logged: Logged, data: bytes) -> Resolution | None:
        seat = self.record.charters[logged.notice.committee]
        try:
            resolution = open_approval(
                Signed.from_bytes(data), seat.charter, self._view.record.directory, at=logged.index
            )
        except XinglinError as error:
            log.error("approval %s does not hold: %s", logged.notice.approval, error.code)
            return None
        return resolution if notice_of(resolution) == logged.notice else None
