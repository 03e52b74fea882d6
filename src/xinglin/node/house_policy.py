"""The hospital's own policy at its node: every offer has to be at least as strict, every listing is tightened by it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from xinglin.contract.agreement import Agreement
from xinglin.contract.faces.carried import policy_of
from xinglin.kernel.canonical import canonical_digest
from xinglin.kernel.codec import decode_json
from xinglin.kernel.instants import Clock
from xinglin.kernel.verdict import Allowed, Denied, Verdict, deny
from xinglin.node.decisions import Kept, NodeDecisions, effects_of
from xinglin.stores.node_terms import NodeTerms
from xinglin.terms.house_policy import Act, ActKind, House, effect, fold, may
from xinglin.terms.policy import Policy
from xinglin.terms.simulate import RuleFinding, Simulation, findings
from xinglin.terms.tighten import at_least_as_strict, tighten
from xinglin.wire.errors import Refused

_TRIES = 5


class Seen(msgspec.Struct, frozen=True):
    """What a person is shown of a proposal before it can be confirmed; ``digest`` names it.

    ``agreements``: of those in force, the ones that would not be accepted if they were offered now; they stay in force.
    """

    proposal: str
    simulation: Simulation
    findings: tuple[RuleFinding, ...]
    agreements: tuple[str, ...]

    @property
    def digest(self) -> str:
        """``sha256:…`` of everything shown."""
        return canonical_digest(self)


class HousePolicy:
    """Proposed by one, confirmed by another one who saw the simulation. Without one a node is as it was."""

    def __init__(self, store: NodeTerms, decisions: NodeDecisions, clock: Clock) -> None:
        self._store, self._decisions, self._clock = store, decisions, clock
        self._folded: tuple[tuple[bytes, ...], House] | None = None

    def acts(self) -> tuple[Act, ...]:
        """The whole history."""
        return tuple(decode_json(one, Act) for one in self._store.acts())

    def house(self) -> House:
        """What is in force and what is open; a history that was changed raises, and nothing is approved."""
        acts = self._store.acts()
        if self._folded is None or self._folded[0] != acts:
            self._folded = acts, fold(tuple(decode_json(one, Act) for one in acts))
        return self._folded[1]

    def propose(self, policy: Policy | None, by: str, words: str = "") -> Act:
        """Propose a policy, or (``None``) that there be none; it is in force only once another one confirms."""
        return self._add("propose", by, policy=policy, words=words)

    def refuse(self, proposal: str, by: str, words: str = "") -> Act:
        """Refuse a proposal, or take back one's own."""
        return self._add("refuse", by, proposal=proposal, words=words)

    def simulate(self, proposal: str, by: str, last: int, active: Sequence[Agreement]) -> tuple[Seen, tuple[Kept, ...]]:
        """Show what a proposal would change, and keep that ``by`` saw it."""
        house = self.house()
        proposed = house.open.get(proposal)
        if proposed is None:
            words = "There is no such open proposal."
            raise Refused(deny("terms.house_proposal", words, "See: xinglin node policy show.").reasons)
        kept = self._decisions.last(last, self._clock())
        recorded = [one.recorded for one in kept]
        policy = proposed.policy
        seen = Seen(
            proposal,
            effect(policy, house.policy, recorded),
            findings(policy, recorded) if policy is not None else (),
            tuple(one.digest() for one in active if policy is not None and not _accepts(policy, one)),
        )
        self._add("see", by, proposal=proposal, simulation=seen.digest)
        return seen, kept

    def confirm(self, proposal: str, by: str, simulation: str) -> Act:
        """Put a proposal in force: another person than who proposed it, by the simulation that this person saw."""
        return self._add("confirm", by, proposal=proposal, simulation=simulation)

    def accepts(self, agreement: Agreement) -> Verdict:
        """Whether an offer is at least as strict as the hospital's own policy; any is where there is none."""
        policy = self.house().policy
        if policy is None or _accepts(policy, agreement):
            return Allowed()
        words = "The offer is not surely as strict as the hospital's own policy."
        return deny("node.looser_than_house", words, "Offer it anew under: xinglin node policy tightened.")

    def tightened(self, agreement: Agreement) -> Policy:
        """The policy under which the hospital would accept the offer: both must allow, both's duties are owed."""
        held = agreement.terms.policy
        return self.tighten(held if isinstance(held, Policy) else policy_of(agreement))

    def tighten(self, offered: Policy) -> Policy:
        """``offered``, tightened by the policy in force."""
        policy = self.house().policy
        return offered if policy is None else tighten(policy, offered)

    def _add(self, kind: ActKind, by: str, policy: Policy | None = None, **said: str) -> Act:
        for _ in range(_TRIES):  # another process may add one between reading and writing
            house = self.house()
            act = msgspec.structs.replace(Act(kind, by.strip(), self._clock(), house.head, policy=policy), **said)
            if kind == "propose":
                act = msgspec.structs.replace(act, instead_of=house.digest)
            verdict = may(house, act)
            if isinstance(verdict, Denied):
                raise Refused(verdict.reasons)
            if self._store.add_act(house.count, msgspec.json.encode(act)):
                return act
        raise Refused(deny("terms.house_busy", "Others are changing the policy.", "Try again.").reasons)


def _accepts(policy: Policy, agreement: Agreement) -> bool:
    return at_least_as_strict(policy_of(agreement), policy)


def shown_act(act: Act) -> dict[str, object]:
    """An act as the desk shows it."""
    return {**msgspec.to_builtins(act), "digest": act.digest()}


def shown_house(house: House) -> dict[str, object]:
    """What is in force and what is open, as the desk shows it."""
    return {
        "in_force": house.digest,
        "since": house.since,
        "confirmed_by": house.confirmed_by,
        "policy": msgspec.to_builtins(house.policy),
        "open": [shown_act(one) for one in house.open.values()],
    }


def shown_seen(seen: Seen, kept: Sequence[Kept]) -> dict[str, object]:
    """A simulation as the desk shows it."""
    return {
        "proposal": seen.proposal,
        "simulation": seen.digest,
        "decisions": seen.simulation.decisions,
        "differing": shown_effects(seen.simulation, kept),
        "findings": msgspec.to_builtins(seen.findings),
        "agreements": list(seen.agreements),
    }


def shown_effects(simulation: Simulation, kept: Sequence[Kept]) -> list[dict[str, object]]:
    """Each decision that would differ, with why, and whether the node's answer would."""
    return [
        {
            "id": one.difference.id,
            "at": one.difference.at,
            "change": one.difference.change,
            "action": one.action,
            "study": one.study,
            "moot": one.moot,
            "others": list(one.others),
            "before": msgspec.to_builtins(one.difference.before),
            "after": msgspec.to_builtins(one.difference.after),
        }
        for one in effects_of(simulation, kept)
    ]
