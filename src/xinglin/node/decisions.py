"""Decisions that this node made, kept for simulating a changed policy: what was asked, and the answer.

By operand, as a policy sees it: no row, no query, no patient; recipients by the DIDs that the log names.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from xinglin.gate import Use
from xinglin.kernel.codec import decode_msgpack, encode_msgpack
from xinglin.kernel.instants import Instant
from xinglin.kernel.verdict import Denied, Verdict
from xinglin.stores.node_terms import DecisionRow, NodeTerms
from xinglin.terms.evaluate import Asked
from xinglin.terms.facts import Facts
from xinglin.terms.policy import Policy
from xinglin.terms.policy_facts import asked_of, judge_policy
from xinglin.terms.simulate import Difference, Recorded, Simulation, simulate


class Decided(msgspec.Struct, frozen=True):
    """A decision as it is kept. Version 1.

    ``judged``: what the agreement's policy said. ``others``: codes of the other rules that refused; with any of them
    the use was refused whatever the policy said.
    """

    asked: Asked
    judged: Verdict
    others: tuple[str, ...] = ()
    agreement: str = ""
    version: int = 1


class Kept(msgspec.Struct, frozen=True):
    """A kept decision with its name and its time."""

    id: str
    at: Instant
    decided: Decided

    @property
    def recorded(self) -> Recorded:
        """As the simulator reads it."""
        return Recorded(self.id, self.at, self.decided.asked, self.decided.judged)


class Effect(msgspec.Struct, frozen=True):
    """A decision that would differ. ``moot``: other rules refused the use, so that the node's answer stays no."""

    difference: Difference
    others: tuple[str, ...]
    action: str
    study: str

    @property
    def moot(self) -> bool:
        """Whether the node's answer stays *no*."""
        return bool(self.others)


class NodeDecisions:
    """Keeps and reads this node's decisions."""

    def __init__(self, store: NodeTerms) -> None:
        self._store = store

    def keep(self, use: Use, facts: Facts, verdict: Verdict, stage: str) -> None:
        """Keep a decision on a use; the same run at the same stage again replaces it."""
        body = encode_msgpack(decided_of(use, facts, verdict))
        self._store.keep(DecisionRow(f"{use.run}/{stage}", facts.now, body))

    def last(self, most: int, now: Instant) -> tuple[Kept, ...]:
        """The newest decisions, newest first."""
        rows = self._store.last(most, now)
        return tuple(Kept(row.decision, row.at, decode_msgpack(row.body, Decided)) for row in rows)


def decided_of(use: Use, facts: Facts, verdict: Verdict) -> Decided:
    """What is kept of a decision."""
    judged = judge_policy(use.request, use.plan, facts)
    policy = set(judged.reasons) if isinstance(judged, Denied) else set()
    others = [one.code for one in verdict.reasons if one not in policy] if isinstance(verdict, Denied) else []
    held = facts.agreement
    asked = asked_of(use.request, use.plan, facts)
    return Decided(asked, judged, tuple(sorted(set(others))), held.digest if held is not None else "")


def run_over(policy: Policy, kept: Iterable[Kept]) -> tuple[Simulation, tuple[Effect, ...]]:
    """Run a changed policy over kept decisions: the simulation, and each difference with what else decided."""
    known = list(kept)
    simulation = simulate(policy, (one.recorded for one in known))
    return simulation, effects_of(simulation, known)


def effects_of(simulation: Simulation, kept: Iterable[Kept]) -> tuple[Effect, ...]:
    """Each difference with what else decided."""
    by_id = {one.id: one.decided for one in kept}
    found = []
    for one in simulation.differing:
        decided = by_id[one.id]
        study = decided.asked.values.get("study")
        found.append(Effect(one, decided.others, decided.asked.action, study if isinstance(study, str) else ""))
    return tuple(found)
