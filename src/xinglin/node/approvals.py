"""Ethics approvals at the node: kept as the committee resolved them, believed as far as the cosigned log bears out.

A study for which the log holds an approval runs only while one stands that covers the agreement, what is asked and
who asks it.
"""

from __future__ import annotations

import logging

import msgspec

from xinglin.access.approval import RESOLUTION, Resolution, approval_facts_of, notice_of, open_approval
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
from xinglin.terms.approved import approval_covers
from xinglin.terms.facts import CLOCK_SKEW_MS, AgreementFacts, ApprovalFacts
from xinglin.terms.request import UseRequest
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


class ApprovalTold(msgspec.Struct, frozen=True):
    """Whether an approval of the study, in force or ended, names who asks; and what the one in force does not cover."""

    theirs: bool
    uncovered: tuple[Reason, ...]


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

    def facts(
        self, held: AgreementFacts | None, request: UseRequest | None, below: int | None = None
    ) -> ApprovalFacts | None:
        """The standing approval that covers the agreement and the request, for ``decide``; the one that ends last.

        ``request`` None: the agreement alone. ``below``: as the log's leaves below this index make it. So in ``names``
        and ``faults``.
        """
        return next((facts for _, facts in self._covering(held, request, below)), None)

    def names(
        self, held: AgreementFacts | None, request: UseRequest | None, below: int | None = None
    ) -> tuple[str, ...]:
        """Digests of the approvals that stand here, verified, and cover this use; with those that they renew."""
        now, found = self._clock(), self._covering(held, request, below)
        return tuple(sorted({name for one, _ in found for name in self.record.names(one, now, below)}))

    def faults(
        self, held: AgreementFacts | None, request: UseRequest | None, below: int | None = None
    ) -> tuple[Reason, ...]:
        """Why a study that needs its approval has none here; nothing for a study the log knows no approval of.

        Of several that stand, what the nearest lacks.
        """
        known = self.record.known(held.study, below) if held is not None else ()
        if held is None or not known:
            return ()
        verdicts = [approval_covers(facts, held, request) for _, facts in self._standing(held.study, below)]
        if verdicts:
            return min((v.reasons if isinstance(v, Denied) else () for v in verdicts), key=len)
        state = self.record.state(known[-1], self._clock(), below)
        words, remedy = _WORDS.get(state, _WORDS["unknown"])
        return (Reason(f"access.approval_{state if state in _WORDS else 'unknown'}", words, remedy),)

    def told(self, held: AgreementFacts) -> ApprovalTold:
        """What an officer is told of an agreement whose study the log knows an approval of."""
        known = (self.record.logged[one] for one in self.record.known(held.study))
        given = [found for found in map(self._resolved, known) if found is not None]
        theirs = any(held.consumer in approval_facts_of(one).people for one in given)
        return ApprovalTold(theirs, self.faults(held, None))

    def _covering(
        self, held: AgreementFacts | None, request: UseRequest | None, below: int | None
    ) -> list[tuple[Logged, ApprovalFacts]]:
        if held is None:
            return []
        return [found for found in self._standing(held.study, below) if approval_covers(found[1], held, request)]

    def _standing(self, study: str, below: int | None) -> list[tuple[Logged, ApprovalFacts]]:
        """Approvals of a study that stand and that the votes bear out, the one that ends last first."""
        standing = [(one, self._resolved(one)) for one in self.record.standing(study, self._clock(), below)]
        return [(one, approval_facts_of(found)) for one, found in standing if found is not None]

    def _resolved(self, logged: Logged) -> Resolution | None:
        """The document behind a notice, where it is here and says the same; verified once for one log index."""
        key = (logged.notice.approval, logged.index)
        if key not in self._verified:
            data = self._documents.of_study(logged.notice.scope.study).get(logged.notice.approval)
            if data is None:
                return None
            self._verified[key] = self._opened(logged, data)
        resolution = self._verified[key]
        early = resolution is not None and resolution.made > self._clock() + CLOCK_SKEW_MS
        return None if early else resolution

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
