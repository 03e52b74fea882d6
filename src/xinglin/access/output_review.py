"""Output review: persons of a hospital look at what would leave, and vote blind to each other.

A reviewer's vote is a signed salted digest over what was shown, the reviewer and the choice; its opening is sealed to
the node, which opens the votes only once as many are in as are asked for. So nobody sees another's choice before
giving their own, a vote cannot be moved to another outcome, and the node keeps it as each reviewer signed it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence

import msgspec

from xinglin.access.errors import NotThisMotion
from xinglin.access.ports import Registry, institution_of
from xinglin.access.review import CONDITION_CHARACTERS
from xinglin.evidence.commitments import commit, new_salt, open_commitment
from xinglin.evidence.errors import CommitmentMismatch
from xinglin.kernel.canonical import canonical_bytes
from xinglin.kernel.codec import decode_json
from xinglin.kernel.errors import MalformedMessage
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Allowed, Denied, Reason, Verdict
from xinglin.trust.envelope import Signed, open_signed, sign
from xinglin.trust.errors import CannotUnseal
from xinglin.trust.keys import PrivateKeys, PublicKeys
from xinglin.trust.ports import Directory
from xinglin.trust.sealing import seal, unseal

OUTPUT_VOTE = "output-vote/1"
"""Signing context."""
OUTPUT_SEAL_INFO = b"xinglin output vote/1"
OUTPUT_CHOICES = ("release", "withhold")
VOTES_ASKED = 2
"""Votes that a release needs, each for it: persons of the hospital, blind to each other."""
REVIEWERS = Limit("reviewers of a hospital", 64, "persons")


class OutputVote(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A reviewer's commitment. ``shown``: digest of exactly what would leave, and was looked at."""

    run: str
    node: str
    shown: str
    reviewer: str
    commitment: str
    version: int = 1


class OutputOpening(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What opens a vote: the choice, why (the hospital's own), and the salt (32 bytes)."""

    choice: str
    reason: str
    salt: bytes


class CastOutputVote(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a reviewer hands in with one call: the signed commitment, and its opening sealed to the node."""

    vote: Signed
    sealed: bytes


def may_review(reviewer: str, node: str, appointed: Sequence[str], asker: str, registry: Registry) -> Verdict:
    """Whether ``reviewer`` may look at what would leave ``node`` for ``asker``, and vote on it.

    A person of this hospital whom it appointed, with keys in force, who is not who asks.
    """
    if reviewer not in appointed:
        return _no("not_a_reviewer", "You are not a reviewer of this hospital.", "Ask the hospital to appoint you.")
    if registry.status(reviewer) != "active":
        return _no("member_key", "The reviewer's key is not in force.", "Register a key.")
    person = registry.participant(reviewer)
    if not person.is_person or person.institution != node:
        return _no("not_of_the_hospital", "A reviewer is a person of the hospital.", "Have the hospital vouch for you.")
    if reviewer == asker or institution_of(registry, asker) == reviewer:
        return _no("conflict_named", "You asked for this yourself.", "Leave it to the other reviewers.")
    return Allowed()


def cast_output_vote(
    reviewer: PrivateKeys,
    node: str,
    node_keys: PublicKeys,
    run: str,
    shown: str,
    choice: str,
    reason: str = "",
    entropy: Callable[[int], bytes] = os.urandom,
) -> CastOutputVote:
    """A reviewer's vote on what was ``shown``; raises ``NotThisMotion`` for no choice or too long a reason."""
    if choice not in OUTPUT_CHOICES or len(reason) > CONDITION_CHARACTERS.value:
        raise NotThisMotion(f"{choice[:20]!r} is no choice.", remedy=f"Choose one of {', '.join(OUTPUT_CHOICES)}.")
    opening = OutputOpening(choice, reason, new_salt(entropy))
    vote = OutputVote(run, node, shown, reviewer.did, _committed(run, node, shown, reviewer.did, opening))
    sealed = seal(node_keys, canonical_bytes(opening), OUTPUT_SEAL_INFO)
    return CastOutputVote(sign(reviewer, OUTPUT_VOTE, vote), sealed)


def open_output_vote(signed: Signed, run: str, node: str, shown: str, directory: Directory) -> OutputVote:
    """The commitment, signed by the reviewer it names on exactly this outcome; raises ``NotThisMotion``."""
    vote = decode_json(open_signed(signed, OUTPUT_VOTE, directory), OutputVote)
    if vote.version != 1 or (vote.run, vote.node, vote.shown) != (run, node, shown) or vote.reviewer != signed.signer:
        raise NotThisMotion("The vote is another reviewer's, or on another outcome.", remedy="Look at it again.")
    return vote


def judge_output(votes: Mapping[str, CastOutputVote], node: PrivateKeys, run: str, shown: str) -> Verdict | None:
    """What the votes (by reviewer, all opened as ``open_output_vote`` does) come to; None while too few are in.

    Released only when ``VOTES_ASKED`` or more are in and every one is for it; a vote that does not open to its
    commitment is against it.
    """
    if len(votes) < VOTES_ASKED:
        return None
    against = [who for who, cast in sorted(votes.items()) if opened_choice(cast, node, run, shown) != "release"]
    if not against:
        return Allowed((f"output_review={len(votes)}",))
    words = f"{len(against)} of {len(votes)} reviewers of the hospital decided against the release."
    return _no("output_withheld", words, "Ask the hospital what would have to change.")


def opened_choice(cast: CastOutputVote, node: PrivateKeys, run: str, shown: str) -> str:
    """What a vote chose, once it is opened; "" where it does not open to its commitment."""
    try:
        vote = decode_json(cast.vote.payload, OutputVote)
        opening = decode_json(unseal(node, cast.sealed, OUTPUT_SEAL_INFO), OutputOpening)
        content = _content(run, node.did, shown, vote.reviewer, opening)
        open_commitment(vote.commitment, opening.salt, content)
    except (CommitmentMismatch, CannotUnseal, MalformedMessage):
        return ""
    return opening.choice if opening.choice in OUTPUT_CHOICES else ""


def _committed(run: str, node: str, shown: str, reviewer: str, opening: OutputOpening) -> str:
    return commit(opening.salt, _content(run, node, shown, reviewer, opening))


def _content(run: str, node: str, shown: str, reviewer: str, opening: OutputOpening) -> dict[str, str]:
    return {
        "choice": opening.choice,
        "node": node,
        "reason": opening.reason,
        "reviewer": reviewer,
        "run": run,
        "shown": shown,
    }


def _no(code: str, words: str, remedy: str) -> Denied:
    return Denied((Reason(f"access.{code}", words, remedy),))
