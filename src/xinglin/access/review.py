"""Ethics review: a motion, blind votes on it, and what they come to.

A member's vote is a signed salted digest; its opening is sealed to the committee's chairs and members and is handed
out by the hub only once everybody who may vote has, or the vote has closed. The digest is over the motion, the member
and the choice, so that a vote cannot be changed, moved to another motion or given for somebody else.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence

import msgspec

from xinglin.access.committee import Charter, conflict
from xinglin.access.errors import NotThisMotion
from xinglin.access.form import RELATIONS, Form
from xinglin.access.ports import Registry
from xinglin.evidence.commitments import commit, new_salt, open_commitment
from xinglin.evidence.errors import CommitmentMismatch
from xinglin.kernel.canonical import canonical_bytes, canonical_digest
from xinglin.kernel.codec import decode_json
from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import Limit
from xinglin.kernel.states import StateTable
from xinglin.kernel.verdict import Allowed, Denied, Reason, Verdict
from xinglin.terms.agreed import AgreedTerms
from xinglin.terms.request import is_did, is_digest, is_name
from xinglin.trust.envelope import Signed, open_signed, sign
from xinglin.trust.keys import PrivateKeys, PublicKeys
from xinglin.trust.ports import Directory
from xinglin.trust.sealing import seal, unseal

MOTION, VOTE, RECUSAL = "ethics-motion/1", "ethics-vote/1", "ethics-recusal/1"
"""Signing contexts."""
SEAL_INFO = b"xinglin ethics vote/1"
CHOICES = ("approve", "reject", "abstain")
CONDITIONS = Limit("conditions of a motion", 32, "conditions")
CONDITION_CHARACTERS = Limit("a condition or a reason", 4_000, "characters")
SCOPE_DATA_SETS = Limit("data sets of a motion", 64, "data sets")

REVIEW_STATES = StateTable(
    "review",
    "voting",
    (
        ("voting", "close", "closed"),
        ("voting", "withdraw", "withdrawn"),
        ("closed", "approve", "approved"),
        ("closed", "reject", "rejected"),
        ("closed", "fail", "no-quorum"),
        ("closed", "withdraw", "withdrawn"),
        ("approved", "replace", "replaced"),
        ("approved", "lapse", "lapsed"),
        ("approved", "revoke", "revoked"),
    ),
)
"""A motion, from the first vote to the end of the approval that came of it. Votes are sealed while ``voting``."""


class Scope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What may be done, by digest: the study, its cohort SELECTs and its variables as the agreements will name them."""

    study: str
    data_sets: tuple[str, ...]
    cohort_digest: str
    variables_digest: str
    purposes: tuple[str, ...]
    operations: tuple[str, ...]


def scope_of(form: Form, terms: AgreedTerms) -> Scope:
    """What an approval of ``form`` covers; ``terms``: those that the form asks each hospital for."""
    return Scope(
        form.study,
        (form.data.data_set,),
        terms.cohort_digest,
        terms.variables_digest,
        terms.purposes,
        terms.operations,
    )


class Motion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the committee votes on, word for word: nothing is added after the vote.

    ``committee``: digest of the charter. ``form``: digest of the application as reviewed. ``named``: DIDs of the
    study's persons. ``expires``: of the approval; ``closes``: of the vote. ``replaces``, ``relation``: see ``Form``.
    """

    committee: str
    application: str
    form: str
    applicant: str
    institution: str
    named: tuple[str, ...]
    scope: Scope
    expires: Instant
    closes: Instant
    conditions: tuple[str, ...]
    made: Instant
    replaces: str = ""
    relation: str = ""
    version: int = 1

    def digest(self) -> str:
        """``sha256:…`` of the canonical bytes: the motion's name."""
        return canonical_digest(self)


class Vote(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A member's commitment on a motion; what was chosen is in the sealed ``Opening``."""

    motion: str
    member: str
    commitment: str
    version: int = 1


class Opening(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What opens a vote: the choice, why (the committee's own), and the two salts (32 bytes)."""

    choice: str
    reason: str
    salt: bytes
    reason_salt: bytes


class Recusal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A member's own word that an interest keeps them from voting on this motion."""

    motion: str
    member: str
    version: int = 1


class Ballot(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An opened vote: the member's envelope, the choice and its salt; the reason stays a salted digest."""

    vote: Signed
    choice: str
    reason: str
    salt: bytes


class CastVote(msgspec.Struct, frozen=True):
    """What a member hands in with one call: the signed commitment, and its opening sealed to each reader (DID)."""

    vote: Signed
    sealed: dict[str, bytes]


class Outcome(msgspec.Struct, frozen=True):
    """What the ballots come to: ``approved``, ``rejected`` or ``no-quorum``, with the numbers behind it.

    ``spoiled``: members whose opening is not what they committed to, or whose signature does not hold.
    """

    verdict: str
    approve: int
    reject: int
    abstain: int
    may_vote: int
    needed: int
    quorum: int
    words: str
    spoiled: tuple[str, ...] = ()


def check_motion(motion: Motion) -> Verdict:
    """Whether a motion is well formed, with every reason why not."""
    reasons = [*_scope_faults(motion.scope)]
    if motion.version != 1:
        reasons.append(_reason(f"Version {motion.version} of a motion is not known here.", "Upgrade."))
    if not is_digest(motion.committee) or not is_digest(motion.form) or not is_name(motion.application):
        reasons.append(_reason("Charter and form are named by digest, the application by id.", "Name them."))
    dids = (motion.applicant, motion.institution, *motion.named)
    if not all(map(is_did, dids)) or tuple(sorted(set(motion.named))) != motion.named:
        reasons.append(_reason("Applicant, institution and persons are DIDs, persons sorted.", "Look them up."))
    if not 0 <= motion.made < motion.closes or motion.expires <= motion.closes:
        reasons.append(_reason("The vote closes after it opens, and the approval ends after that.", "Set the dates."))
    if len(motion.conditions) > CONDITIONS.value or not all(map(_is_sentence, motion.conditions)):
        reasons.append(_reason(f"At most {CONDITIONS.value} conditions, none empty or too long.", "Shorten them."))
    chained = motion.relation in RELATIONS[1:]
    if chained != bool(motion.replaces) or (motion.replaces and not is_digest(motion.replaces)):
        words = "An amendment or renewal names the approval it replaces; a new one names none."
        reasons.append(_reason(words, "Name both, or neither."))
    return Denied(tuple(reasons)) if reasons else Allowed()


def may_vote(charter: Charter, motion: Motion, member: str, registry: Registry, at: int | None = None) -> Verdict:
    """Whether ``member`` may vote on the motion and see what others voted."""
    if member not in charter.members:
        return Denied((Reason("access.not_a_member", "You are not of this committee.", "Ask its chair."),))
    if registry.status(member, at) != "active":
        return Denied((Reason("access.member_key", "The member's key is not in force.", "Register a key."),))
    found = conflict(member, motion.institution, (motion.applicant, *motion.named), registry, at)
    return Allowed() if found is None else Denied((found,))


def sign_motion(chair: PrivateKeys, motion: Motion) -> Signed:
    """The chair's envelope; raises ``NotThisMotion`` for one that is not well formed."""
    _well_formed(motion)
    return sign(chair, MOTION, motion)


def open_motion(signed: Signed, charter: Charter, registry: Registry, *, at: int | None = None) -> Motion:
    """The motion, put by a chair without an interest in it; raises ``NotThisMotion`` and what ``open_signed`` does."""
    payload = open_signed(signed, MOTION, registry, at=at)
    motion = decode_json(payload, Motion)
    if canonical_bytes(motion) != payload:
        raise NotThisMotion("The motion is not written in its canonical form.")
    _well_formed(motion)
    check_chair(charter, motion, signed.signer, registry, at)
    return motion


def check_chair(charter: Charter, motion: Motion, chair: str, registry: Registry, at: int | None = None) -> None:
    """Raise ``NotThisMotion`` unless ``chair`` may lead the review of ``motion`` under this charter."""
    if motion.committee != charter.digest():
        raise NotThisMotion("The motion is put to another committee.", remedy="Name the charter in force.")
    if chair not in charter.chairs:
        raise NotThisMotion("Only a chair of the committee leads a review.", remedy="Ask the chair.")
    verdict = may_vote(charter, motion, chair, registry, at)
    if isinstance(verdict, Denied):
        raise NotThisMotion(
            "This chair has an interest in the study.", why=verdict.reasons[0].words, remedy="Ask the deputy."
        )


def cast_vote(
    member: PrivateKeys,
    motion: Motion,
    choice: str,
    reason: str,
    readers: Mapping[str, PublicKeys],
    entropy: Callable[[int], bytes] = os.urandom,
) -> CastVote:
    """A member's vote with its opening sealed to ``readers`` (DID to keys); raises ``NotThisMotion`` for no choice."""
    if choice not in CHOICES or not (_is_sentence(reason) or not reason):
        raise NotThisMotion(f"{choice[:20]!r} is no choice.", remedy=f"Choose one of {', '.join(CHOICES)}.")
    opening = Opening(choice, reason, new_salt(entropy), new_salt(entropy))
    vote = Vote(motion.digest(), member.did, _committed(motion.digest(), member.did, opening))
    content = canonical_bytes(opening)
    sealed = {did: seal(keys, content, SEAL_INFO) for did, keys in readers.items()}
    return CastVote(sign(member, VOTE, vote), sealed)


def open_vote(signed: Signed, motion: str, directory: Directory, *, at: int | None = None) -> Vote:
    """The commitment, signed by the member it names on this motion; raises ``NotThisMotion``."""
    vote = decode_json(open_signed(signed, VOTE, directory, at=at), Vote)
    if vote.version != 1 or vote.member != signed.signer or vote.motion != motion:
        raise NotThisMotion("The vote is another member's, or on another motion.")
    return vote


def unseal_opening(reader: PrivateKeys, sealed: bytes) -> Opening:
    """The opening that was sealed to ``reader``; raises ``CannotUnseal`` or ``MalformedMessage``."""
    return decode_json(unseal(reader, sealed, SEAL_INFO), Opening)


def ballot_of(signed: Signed, opening: Opening) -> Ballot:
    """The opened vote as a resolution carries it."""
    return Ballot(signed, opening.choice, commit(opening.reason_salt, opening.reason), opening.salt)


def sign_recusal(member: PrivateKeys, motion: Motion) -> Signed:
    """A member's own word that they do not vote on this motion."""
    return sign(member, RECUSAL, Recusal(motion.digest(), member.did))


def open_recusal(signed: Signed, motion: str, directory: Directory, *, at: int | None = None) -> Recusal:
    """The recusal, by the member it names; raises ``NotThisMotion``."""
    recusal = decode_json(open_signed(signed, RECUSAL, directory, at=at), Recusal)
    if recusal.version != 1 or recusal.member != signed.signer or recusal.motion != motion:
        raise NotThisMotion("The recusal is another member's, or on another motion.")
    return recusal


def voters(
    charter: Charter, motion: Motion, recusals: Sequence[Signed], registry: Registry, at: int | None = None
) -> tuple[str, ...]:
    """Members who may vote: active, without an interest, and not recused."""
    gone = {open_recusal(signed, motion.digest(), registry, at=at).member for signed in recusals}
    return tuple(
        did
        for did in charter.members
        if did not in gone and isinstance(may_vote(charter, motion, did, registry, at), Allowed)
    )


def is_over(motion: Motion, may: Sequence[str], voted: Sequence[str], now: Instant) -> bool:
    """Whether openings may be handed out: everybody who may vote has, or the vote has closed."""
    return now >= motion.closes or (bool(may) and set(may) <= set(voted))


def consolidate(
    charter: Charter,
    motion: Motion,
    ballots: Sequence[Ballot],
    recusals: Sequence[Signed],
    registry: Registry,
    *,
    at: int | None = None,
) -> Outcome:
    """What the ballots come to by the charter's rule.

    1. A ballot counts when its member may vote, signed it, and opens what was committed to; each member once.
    2. Quorum: at least ``charter.quorum`` ballots count, abstentions among them.
    3. Approved: ``charter.needed`` of *all members who may vote* approve; else rejected.
    """
    may = voters(charter, motion, recusals, registry, at)
    counted: dict[str, str] = {}
    spoiled: list[str] = []
    for ballot in ballots:
        member = ballot.vote.signer
        if member not in may or member in counted or not _opens(ballot, motion, registry, at):
            spoiled.append(member)
        else:
            counted[member] = ballot.choice
    yes, no, none = (sum(choice == each for choice in counted.values()) for each in CHOICES)
    needed = charter.needed(len(may))
    if len(counted) < charter.quorum:
        verdict = "no-quorum"
        words = f"{len(counted)} members voted, and {charter.quorum} are needed."
    else:
        verdict = "approved" if yes >= needed > 0 else "rejected"
        words = f"{yes} of {len(may)} members who may vote approve, and {needed} are needed."
    return Outcome(verdict, yes, no, none, len(may), needed, charter.quorum, words, tuple(sorted(spoiled)))


def _opens(ballot: Ballot, motion: Motion, registry: Registry, at: int | None) -> bool:
    vote = open_vote(ballot.vote, motion.digest(), registry, at=at)
    content = {"choice": ballot.choice, "member": vote.member, "motion": vote.motion, "reason": ballot.reason}
    try:
        open_commitment(vote.commitment, ballot.salt, content)
    except CommitmentMismatch:
        return False
    return ballot.choice in CHOICES


def _committed(motion: str, member: str, opening: Opening) -> str:
    reason = commit(opening.reason_salt, opening.reason)
    return commit(opening.salt, {"choice": opening.choice, "member": member, "motion": motion, "reason": reason})


def _is_sentence(text: str) -> bool:
    return bool(text.strip()) and len(text) <= CONDITION_CHARACTERS.value


def _scope_faults(scope: Scope) -> list[Reason]:
    reasons = []
    if not is_name(scope.study) or not is_digest(scope.cohort_digest) or not is_digest(scope.variables_digest):
        reasons.append(_reason("The study is named, its cohort and variables by digest.", "Take them from the terms."))
    named = scope.data_sets
    if (
        not 1 <= len(named) <= SCOPE_DATA_SETS.value
        or tuple(sorted(set(named))) != named
        or not all(map(is_name, named))
    ):
        reasons.append(_reason("Data sets are named, sorted, each once.", "Name them."))
    if not scope.purposes or not scope.operations:
        reasons.append(_reason("A scope has purposes and operations.", "Name them."))
    return reasons


def _reason(words: str, remedy: str) -> Reason:
    return Reason("access.bad_motion", words, remedy)


def _well_formed(motion: Motion) -> None:
    verdict = check_motion(motion)
    if isinstance(verdict, Denied):
        raise NotThisMotion("The motion is not well formed.", why=" ".join(r.words for r in verdict.reasons))
