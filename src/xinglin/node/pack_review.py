"""Results of statistics that persons look at before they leave, where this hospital's own packs ask for people.

The protected result and the rules that hid its entries are shown to appointed reviewers, who vote blind; the gate holds
the run until the votes are in. Nothing is told to the asker but that it is in review, and the outcome.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import msgspec

from xinglin.access.output_review import VOTES_ASKED, CastOutputVote
from xinglin.contract import Agreement
from xinglin.gate import Computed, NotNow, Use
from xinglin.kernel.canonical import canonical_digest, sha256_digest
from xinglin.kernel.codec import decode_json
from xinglin.kernel.instants import Clock
from xinglin.kernel.verdict import Allowed, Denied, Verdict, deny
from xinglin.node.agreements import NodeAgreements
from xinglin.node.blind_votes import BlindVotes
from xinglin.node.computer import Desk
from xinglin.node.extracts import NodeExtracts
from xinglin.node.pack_rules import NodePacks
from xinglin.node.runs import RUNS_HELD, use_of
from xinglin.stores.extract_node import NodeExtractStore
from xinglin.stores.node_database import NodeDatabase
from xinglin.terms.extracts import EXTRACT_TIME
from xinglin.terms.synthetic import is_handed_over
from xinglin.wire.channel import RunOrder
from xinglin.wire.errors import Refused

HELD = "held_for_review"


class RunReviews:
    """Port ``gate.Review`` of runs; ``used`` and ``agreed`` look a run's papers up at this node."""

    def __init__(
        self,
        node: str,
        votes: BlindVotes,
        packs: NodePacks,
        database: NodeDatabase,
        used: Callable[[str], Use | None],
        agreed: Callable[[Use], Agreement | None],
        clock: Clock,
    ) -> None:
        self._node, self._votes, self._packs, self._database = node, votes, packs, database
        self._used, self._agreed, self._clock = used, agreed, clock

    async def reviewed(self, use: Use, computed: Computed) -> Verdict:
        """See the port."""
        asked = self._needed(use)
        if not asked:
            return Allowed()
        record = self._database.record(use.run)
        if record is not None and self._clock() - max(record.admitted, record.opened) > EXTRACT_TIME.value:
            words = "Nobody at the hospital decided on the result in time."
            return deny("privacy.not_reviewed", words, "Ask again, and have the hospital's reviewers look at it.")
        verdict = self._votes.verdict(use.run, shown_digest(computed), use.request.requester, asked)
        if verdict is None:
            raise NotNow(HELD, "in review: persons of the hospital look at the result before it leaves.")
        if isinstance(verdict, Denied):
            words = "The hospital's reviewers do not release this result."
            return deny("privacy.review_withheld", words, "Ask for less detail, or ask the hospital.")
        return verdict

    async def entry(self, use: Use, computed: Computed) -> str:
        """See the port."""
        if not self._needed(use):
            return ""
        return self._votes.digest(use.run, shown_digest(computed), use.request.requester)

    def held(self) -> list[dict[str, object]]:
        """Results that wait for reviewers, with how many votes are in; no vote is told."""
        found: list[dict[str, object]] = []
        for row in self._database.open_runs():
            use, computed = self._used(row.run), self._held(row.run)
            if use is None or computed is None or not self._needed(use):
                continue
            votes = self._votes.votes(row.run, shown_digest(computed), use.request.requester)
            about = {"study": use.plan.study, "data_set": use.plan.data_set, "recipient": use.request.recipients[0]}
            found.append({"run": row.run, **about, "kind": use.plan.algorithm, "votes_in": len(votes)})
        return found

    def page(self, run: str) -> dict[str, object]:
        """What a reviewer looks at: the result, and which rule hid what; ``Refused`` where nothing is held."""
        use, computed = self._must_be_held(run)
        named = use.plan.named
        return {
            "run": run,
            "study": use.plan.study,
            "data_set": use.plan.data_set,
            "recipient": ", ".join(use.request.recipients),
            "sql": use.plan.sql,
            "packs": [] if named is None else msgspec.to_builtins(named.parts),
            "result": decode_json(computed.result, dict),
            "notes": decode_json(computed.notes, dict) if computed.notes else {},
            "shown": shown_digest(computed),
            "node": self._node,
        }

    def vote(self, run: str, cast: CastOutputVote) -> dict[str, object]:
        """Keep a reviewer's vote; how many are in is all that anybody is told."""
        use, computed = self._must_be_held(run)
        return {"run": run, "votes_in": self._votes.cast(run, shown_digest(computed), use.request.requester, cast)}

    def _needed(self, use: Use) -> int:
        """Votes that this hospital's own packs ask for; two at least where they ask for anybody."""
        if is_handed_over(use.plan) or not use.plan.reviewers:
            return 0
        asked = self._packs.reviewers_asked(use.request.operation, self._agreed(use), use.plan)
        return max(asked, VOTES_ASKED) if asked else 0

    def _held(self, run: str) -> Computed | None:
        record = self._database.record(run)
        if record is None or record.state != "protected" or record.reasons or record.stopped is not None:
            return None
        return record.computed if not record.commitment else None

    def _must_be_held(self, run: str) -> tuple[Use, Computed]:
        use, computed = self._used(run), self._held(run)
        if use is None or computed is None or not self._needed(use):
            words = "No such result waits for review."
            raise Refused(deny("privacy.not_held", words, "See: xinglin node review held.").reasons, status=404)
        return use, computed


class ReviewOfKind:
    """Port ``gate.Review``: rows handed over and results of statistics go to those who hold each."""

    def __init__(self, runs: RunReviews, extracts: NodeExtracts) -> None:
        self._runs, self._extracts = runs, extracts

    async def reviewed(self, use: Use, computed: Computed) -> Verdict:
        """See the port."""
        return await (self._extracts if is_handed_over(use.plan) else self._runs).reviewed(use, computed)

    async def entry(self, use: Use, computed: Computed) -> str:
        """See the port. An extract's votes stand in its manifest's own papers."""
        return "" if is_handed_over(use.plan) else await self._runs.entry(use, computed)


def shown_digest(computed: Computed) -> str:
    """What a vote names: exactly this result, and what was said of it."""
    return canonical_digest({"result": sha256_digest(computed.result), "notes": sha256_digest(computed.notes)})


@lru_cache(RUNS_HELD.value)
def _use_of(run: str, request: bytes, plan: bytes) -> Use:
    """The use of an order, read once for the same bytes."""
    return use_of(RunOrder(run, request, plan))


def run_reviews(
    desk: Desk, store: NodeExtractStore, packs: NodePacks, agreements: NodeAgreements, clock: Clock
) -> RunReviews:
    """The reviews of a node, over the papers that it keeps."""

    def used(run: str) -> Use | None:
        row = desk.database.run(run)
        return None if row is None else _use_of(row.run, row.request, row.plan)

    def agreed(use: Use) -> Agreement | None:
        found = agreements.facts(use.plan.agreements.get(desk.keys.did, ""))
        return None if found is None else found[0]

    packs.reviewers = lambda: len(store.reviewers())
    votes = BlindVotes(desk.keys, desk.view, store)
    return RunReviews(desk.keys.did, votes, packs, desk.database, used, agreed, clock)
