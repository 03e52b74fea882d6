"""The resolution of a committee as a signed document; one that carries is an *approval*, named by its digest.

It holds the motion word for word, every opened vote and every recusal, so that whoever holds the charter counts
again: neither a chair nor the hub can make an approval that the committee did not vote for.
"""

from __future__ import annotations

import msgspec

from xinglin.access.committee import Charter
from xinglin.access.errors import NotThisApproval
from xinglin.access.ports import Registry
from xinglin.access.review import Ballot, Motion, Outcome, Scope, check_chair, check_motion, consolidate
from xinglin.kernel.canonical import canonical_bytes, canonical_digest
from xinglin.kernel.codec import decode_json
from xinglin.kernel.instants import Instant
from xinglin.kernel.verdict import Allowed, Denied, Reason, Verdict
from xinglin.terms.facts import ApprovalFacts
from xinglin.terms.policy import Constraint, Permission, Policy
from xinglin.trust.envelope import Signed, open_signed, sign
from xinglin.trust.keys import PrivateKeys
from xinglin.trust.ports import Directory

RESOLUTION = "ethics-resolution/1"
"""Signing context of a resolution."""
NOTICE, ENDING = "ethics-notice/1", "ethics-ending/1"
"""Signing contexts of what the log is told: an approval, and its end."""
ENDINGS = ("revoked", "lapsed")


class Resolution(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The motion, the opened votes with the members' signatures, the recusals, and when it was drawn up. Version 1."""

    motion: Motion
    ballots: tuple[Ballot, ...]
    recusals: tuple[Signed, ...]
    made: Instant
    version: int = 1

    def digest(self) -> str:
        """``sha256:…`` of the canonical bytes: the approval's name."""
        return canonical_digest(self)


class Notice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What everybody may know of an approval: digests, scope and end; no title, no person, no condition."""

    approval: str
    committee: str
    scope: Scope
    expires: Instant
    replaces: str = ""
    relation: str = ""
    version: int = 1


class Ending(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The end of an approval before or at its expiry: ``why`` is one of ``ENDINGS``."""

    approval: str
    why: str
    version: int = 1


def sign_resolution(chair: PrivateKeys, resolution: Resolution) -> Signed:
    """The chair's envelope: Ed25519 and, detached beside it, ML-DSA-65."""
    return sign(chair, RESOLUTION, resolution, pq=True)


def open_resolution(
    signed: Signed, charter: Charter, registry: Registry, *, at: int | None = None
) -> tuple[Resolution, Outcome]:
    """The resolution and what its votes come to, everything verified by keys after log index ``at``.

    1. Both signatures of a chair who may lead this review. 2. The canonical form of a motion that is well formed and
    is put to this charter. 3. Every ballot and recusal is signed by a member; the votes are counted anew.
    4. It was drawn up once everybody had voted, or the vote had closed.

    Raises ``NotThisApproval``, ``NotThisMotion`` and what ``open_signed`` raises.
    """
    payload = open_signed(signed, RESOLUTION, registry, at=at, need_pq=True)
    resolution = decode_json(payload, Resolution)
    motion = resolution.motion
    if resolution.version != 1 or canonical_bytes(resolution) != payload:
        raise NotThisApproval("The resolution is not of version 1 in its canonical form.")
    verdict = check_motion(motion)
    if isinstance(verdict, Denied):
        raise NotThisApproval("Its motion is not well formed.", why=verdict.reasons[0].words)
    check_chair(charter, motion, signed.signer, registry, at)
    outcome = consolidate(charter, motion, resolution.ballots, resolution.recusals, registry, at=at)
    early = resolution.made < motion.closes and len(resolution.ballots) < outcome.may_vote
    if outcome.spoiled or early or resolution.made < motion.made:
        why = "A ballot does not open to its vote." if outcome.spoiled else "The vote was still open."
        raise NotThisApproval("These ballots make no resolution.", why=why)
    return resolution, outcome


def open_approval(signed: Signed, charter: Charter, registry: Registry, *, at: int | None = None) -> Resolution:
    """A resolution that carries; raises ``NotThisApproval`` where it does not, and as ``open_resolution``."""
    resolution, outcome = open_resolution(signed, charter, registry, at=at)
    if outcome.verdict != "approved":
        raise NotThisApproval("The committee did not approve this.", why=outcome.words)
    return resolution


def notice_of(resolution: Resolution) -> Notice:
    """What the log is told of an approval."""
    motion = resolution.motion
    return Notice(resolution.digest(), motion.committee, motion.scope, motion.expires, motion.replaces, motion.relation)


def sign_notice(chair: PrivateKeys, resolution: Resolution) -> Signed:
    """The chair's word for the log."""
    return sign(chair, NOTICE, notice_of(resolution))


def open_notice(signed: Signed, directory: Directory, *, at: int | None = None) -> Notice:
    """The notice, its signature verified; whether the signer is a chair is the reader's to judge."""
    notice = decode_json(open_signed(signed, NOTICE, directory, at=at), Notice)
    if notice.version != 1:
        raise NotThisApproval(f"Version {notice.version} of a notice is not known here.", remedy="Upgrade.")
    return notice


def sign_end(by: PrivateKeys, approval: str, why: str) -> Signed:
    """The word that an approval ends; raises ``NotThisApproval`` for another reason than ``ENDINGS``."""
    if why not in ENDINGS:
        raise NotThisApproval(f"{why[:20]!r} is no end.", remedy=f"Say one of {', '.join(ENDINGS)}.")
    return sign(by, ENDING, Ending(approval, why))


def open_end(signed: Signed, directory: Directory, *, at: int | None = None) -> Ending:
    """The ending, its signature verified; whether the signer may is the reader's to judge."""
    ending = decode_json(open_signed(signed, ENDING, directory, at=at), Ending)
    if ending.version != 1 or ending.why not in ENDINGS:
        raise NotThisApproval("The ending is of no known kind.", remedy="Upgrade.")
    return ending


def check_chain(notice: Notice, before: Notice | None, before_committee: str, committee: str) -> Verdict:
    """Whether an amendment or renewal may follow ``before`` (None: not known), by ids of their committees.

    A renewal changes nothing but the term, and is given once: EHDS, TEHDAS2 D6.4.
    """
    if not notice.replaces:
        return Allowed()
    reasons = []
    if before is None or before.approval != notice.replaces:
        words = "The approval that this replaces is not known."
        return Denied((Reason("access.no_predecessor", words, "Name the digest of the approval in force."),))
    if before.scope.study != notice.scope.study or before_committee != committee:
        words = "An approval is replaced for the same study, by the same committee."
        reasons.append(Reason("access.other_chain", words, "Apply anew."))
    if notice.relation == "renewal":
        if before.relation == "renewal":
            words = "A renewed approval is not renewed again."
            reasons.append(Reason("access.renewed_before", words, "Apply anew."))
        if before.scope != notice.scope:
            words = "A renewal has the scope of what it renews."
            reasons.append(Reason("access.renewal_scope", words, "Apply for an amendment."))
        if notice.expires <= before.expires:
            reasons.append(Reason("access.renewal_term", "A renewal ends later.", "State a later end."))
    return Denied(tuple(reasons)) if reasons else Allowed()


def approved_policy(operation: str, approval: str) -> Policy:
    """The policy of an agreement that is offered on an approval (digest): its operation, while the approval stands."""
    return Policy((Permission(operation, (Constraint("ethicsApproval", "eq", approval),)),))


def approval_facts_of(resolution: Resolution) -> ApprovalFacts:
    """What ``decide`` needs of an approval: all of its scope, and everybody whom the committee was told of."""
    motion, scope = resolution.motion, resolution.motion.scope
    return ApprovalFacts(
        study=scope.study,
        data_sets=scope.data_sets,
        cohort_digest=scope.cohort_digest,
        variables_digest=scope.variables_digest,
        purposes=scope.purposes,
        operations=scope.operations,
        people=tuple(sorted({motion.applicant, motion.institution, *motion.named})),
        expires=motion.expires,
    )
