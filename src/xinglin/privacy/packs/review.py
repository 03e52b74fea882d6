"""Output review where a pack asks for people: blind votes, opened together.

Each reviewer hands in a salted digest of the choice (``evidence.commitments``, as the ethics votes do); only when all
that the pack asks for are in may they be opened. One "refuse" or "change" against a "release" is a split, which one
further reviewer settles. Whoever is excluded (who asked, colleagues of theirs) does not review.

Source: OpenSAFELY documentation, "Output checking": two reviewers, each without the other's view, then both compared.
"""

from __future__ import annotations

import msgspec

from xinglin.evidence.commitments import commit
from xinglin.kernel.states import StateTable
from xinglin.kernel.verdict import Denied, deny
from xinglin.privacy.packs.model import Pack

OUTPUT_REVIEW_STATES = StateTable(
    "output review",
    "voting",
    (
        ("voting", "complete", "opening"),
        ("voting", "withdraw", "withdrawn"),
        ("opening", "agree", "released"),
        ("opening", "refuse", "refused"),
        ("opening", "differ", "split"),
        ("split", "release", "released"),
        ("split", "refuse", "refused"),
        ("split", "withdraw", "withdrawn"),
    ),
)
"""One output, from the first sealed vote to its release or refusal."""

CHOICES = ("release", "change", "refuse")


class SealedVote(msgspec.Struct, frozen=True):
    """A reviewer (DID) and the digest of the choice."""

    reviewer: str
    commitment: str


class OpenedVote(msgspec.Struct, frozen=True):
    """The choice of a reviewer, with the salt that proves it and a reason for the asker."""

    reviewer: str
    choice: str
    salt: bytes
    reason: str = ""


class OutputReview(msgspec.Struct, frozen=True):
    """How the review of one ``output`` (digest) stands; every method gives a new value and changes nothing.

    ``excluded``: DIDs that may not review. ``needed``: votes that the pack asks for.
    """

    output: str
    needed: int
    excluded: tuple[str, ...]
    sealed: tuple[SealedVote, ...] = ()
    opened: tuple[OpenedVote, ...] = ()
    state: str = OUTPUT_REVIEW_STATES.start

    def seal(self, vote: SealedVote) -> OutputReview | Denied:
        """Take a sealed vote; the last one that is needed ends the voting."""
        if self.state != "voting":
            return deny("privacy.review_closed", "The votes on this output are in.", "Nothing is to be done.")
        if vote.reviewer in self.excluded:
            words = "Who asked for an output does not review it."
            return deny("privacy.review_own", words, "Ask a reviewer of another institution.")
        if any(vote.reviewer == one.reviewer for one in self.sealed):
            return deny("privacy.review_twice", "This reviewer has voted.", "Wait for the other reviewer.")
        after = msgspec.structs.replace(self, sealed=(*self.sealed, vote))
        return after._moved("complete") if len(after.sealed) >= self.needed else after

    def open(self, vote: OpenedVote) -> OutputReview | Denied:
        """Open a vote that was sealed; the last one decides. Before all are sealed nothing is opened."""
        if self.state != "opening":
            return deny("privacy.review_blind", "Votes are opened when all are in.", "Wait for the other reviewer.")
        expected = vote_commitment(self.output, vote)
        known = any(s.reviewer == vote.reviewer and s.commitment == expected for s in self.sealed)
        if vote.choice not in CHOICES or not known or any(o.reviewer == vote.reviewer for o in self.opened):
            return deny("privacy.review_vote", "This is not the vote that was sealed.", "Open the vote as it was cast.")
        after = msgspec.structs.replace(self, opened=(*self.opened, vote))
        if len(after.opened) < self.needed:
            return after
        releases = sum(one.choice == "release" for one in after.opened)
        return after._moved("agree" if releases == self.needed else "refuse" if releases == 0 else "differ")

    def settle(self, vote: OpenedVote) -> OutputReview | Denied:
        """A further reviewer settles a split."""
        voted = {one.reviewer for one in self.sealed}
        if self.state != "split" or vote.reviewer in voted or vote.reviewer in self.excluded:
            return deny(
                "privacy.review_settle", "A split is settled by a further reviewer.", "Ask one who has not voted."
            )
        after = msgspec.structs.replace(self, opened=(*self.opened, vote))
        return after._moved("release" if vote.choice == "release" else "refuse")

    def withdraw(self) -> OutputReview:
        """The asker takes the output back; ``IllegalMove`` once it is decided."""
        return self._moved("withdraw")

    def _moved(self, event: str) -> OutputReview:
        return msgspec.structs.replace(self, state=OUTPUT_REVIEW_STATES.move(self.state, event))


def open_review(pack: Pack, output: str, excluded: tuple[str, ...]) -> OutputReview | None:
    """The review that ``pack`` asks for, or None where it asks for nobody."""
    needed = pack.settings.reviewers
    return OutputReview(output, needed, excluded) if needed else None


def vote_commitment(output: str, vote: OpenedVote) -> str:
    """What a reviewer seals: over output, reviewer and choice, so that it cannot be moved or given for another."""
    return commit(vote.salt, f"output review/1 {output} {vote.reviewer} {vote.choice}")
