"""Votes of a hospital's reviewers on what would leave, blind to each other: kept, counted, opened once enough are in.

One place for whatever persons look at: extracts, and results of statistics where a disclosure pack asks for people.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xinglin.access.output_review import (
    VOTES_ASKED,
    CastOutputVote,
    judge_output,
    may_review,
    open_output_vote,
    opened_choice,
)
from xinglin.kernel.canonical import canonical_digest
from xinglin.kernel.verdict import Allowed, Denied, Verdict, deny
from xinglin.stores.extract_node import NodeExtractStore
from xinglin.trust.keys import PrivateKeys
from xinglin.wire.errors import Refused

if TYPE_CHECKING:
    from xinglin.node.logview import LogView


class BlindVotes:
    """The votes at one hospital; ``keys`` are the node's, which votes are sealed to."""

    def __init__(self, keys: PrivateKeys, view: LogView, store: NodeExtractStore) -> None:
        self._keys, self._view, self._store = keys, view, store

    def votes(self, run: str, shown: str, asker: str) -> dict[str, CastOutputVote]:
        """Votes of persons who may review now: one who was dismissed or revoked meanwhile decides nothing."""
        directory, appointed = self._view.record.directory, self._store.reviewers()
        return {
            who: cast
            for who, cast in self._store.votes(run, shown).items()
            if isinstance(may_review(who, self._keys.did, appointed, asker, directory), Allowed)
        }

    def cast(self, run: str, shown: str, asker: str, cast: CastOutputVote) -> int:
        """Keep a vote; how many are in, which is all that anybody is told. ``Refused`` with every reason."""
        directory, node, who = self._view.record.directory, self._keys.did, cast.vote.signer
        verdict = may_review(who, node, self._store.reviewers(), asker, directory)
        if isinstance(verdict, Denied):
            raise Refused(verdict.reasons)
        open_output_vote(cast.vote, run, node, shown, directory)
        if not opened_choice(cast, self._keys, run, shown):
            words = "The vote does not open to what it commits to."
            raise Refused(deny("access.spoiled", words, "Vote again.").reasons)
        if not self._store.add_vote(run, shown, who, cast):
            raise Refused(deny("access.voted_before", "You voted on this before.", "A vote stands.").reasons)
        return len(self.votes(run, shown, asker))

    def verdict(self, run: str, shown: str, asker: str, needed: int = VOTES_ASKED) -> Verdict | None:
        """What the votes come to; None while fewer than ``needed`` (two at least) are in."""
        found = self.votes(run, shown, asker)
        if len(found) < needed:
            return None
        return judge_output(found, self._keys, run, shown)

    def digest(self, run: str, shown: str, asker: str) -> str:
        """What a leaf commits to of a review: who voted, each vote as its reviewer signed it."""
        found = self.votes(run, shown, asker)
        return canonical_digest({who: cast.vote.signature for who, cast in sorted(found.items())})
