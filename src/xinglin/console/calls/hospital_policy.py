"""The hospital's own policy: as it stands, as somebody would change it, and what that would have changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from xinglin.console.addresses import segment
from xinglin.console.calls.seat_calls import Item
from xinglin.console.lines import Lines
from xinglin.console.seats import Seat
from xinglin.kernel.codec import decode_json
from xinglin.kernel.errors import MalformedMessage
from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import JSON_BYTES
from xinglin.kernel.verdict import Denied, Reason
from xinglin.terms.policy import Policy

if TYPE_CHECKING:
    from xinglin.terms.simulate import RuleFinding

PROPOSAL = "item.policy"
SIMULATED = 1_000
"""So many of the newest decisions a proposal is run over."""


class Act(msgspec.Struct, frozen=True):
    """One act on the policy, as the node keeps it. ``policy`` None of a proposal: that there be none."""

    kind: str
    by: str
    at: Instant
    digest: str
    words: str = ""
    proposal: str = ""
    policy: Policy | None = None
    simulation: str = ""


class House(msgspec.Struct, frozen=True):
    """What is in force (``in_force`` empty: nothing), since when, and open proposals."""

    in_force: str
    since: Instant
    confirmed_by: str
    policy: Policy | None
    open: tuple[Act, ...]


class Changed(msgspec.Struct, frozen=True):
    """A decision that would differ. ``moot``: other rules refuse it anyway."""

    id: str
    at: Instant
    change: str
    action: str
    study: str
    moot: bool
    before: dict[str, Any]
    after: dict[str, Any]


class Run(msgspec.Struct, frozen=True):
    """A simulation: ``simulation`` is its digest where the node keeps that it was seen; empty of a mere trial."""

    simulation: str
    decisions: int
    differing: tuple[Changed, ...]
    findings: tuple[RuleFinding, ...]
    agreements: tuple[str, ...] = ()


class PolicyCalls:
    """Calls about the hospital's own policy: at the node's desk, and trials over its kept decisions."""

    def __init__(self, seat: Seat, lines: Lines) -> None:
        self._folder, self._lines = seat.folder, lines

    def inbox(self) -> tuple[Item, ...]:
        """Proposals that wait for a second person."""
        return tuple(
            Item(
                one.digest,
                PROPOSAL,
                one.words or one.by,
                f"/policy/proposals/{segment(one.digest)}",
                who=one.by,
                since=one.at,
            )
            for one in self.house().open
        )

    def house(self) -> House:
        """What is in force, and proposals that wait for a second person."""
        return msgspec.convert(self._desk("show"), House)

    def history(self) -> tuple[Act, ...]:
        """Every act on the policy, newest first."""
        return tuple(reversed(msgspec.convert(self._desk("history"), tuple[Act, ...])))

    def propose(self, policy: Policy | None, by: str, words: str) -> str:
        """Propose a policy, or that there be none; the proposal's digest. Raises ``Refused``."""
        if policy is None:
            return str(self._desk("lift", by=by, words=words)["digest"])
        text = msgspec.json.encode(policy).decode()
        return str(self._desk("propose", by=by, words=words, policy=text)["digest"])

    def simulate(self, proposal: str, by: str) -> Run:
        """What a proposal would have changed; the node keeps that ``by`` saw it."""
        from xinglin.terms.simulate import RuleFinding

        found = self._desk("simulate", proposal=proposal, by=by, last=str(SIMULATED))
        return Run(
            found["simulation"],
            found["decisions"],
            msgspec.convert(found["differing"], tuple[Changed, ...]),
            msgspec.convert(found["findings"], tuple[RuleFinding, ...]),
            tuple(found["agreements"]),
        )

    def confirm(self, proposal: str, simulation: str, by: str) -> None:
        """Put a proposal in force: another person than who proposed it, who saw the simulation. Raises ``Refused``."""
        self._desk("confirm", proposal=proposal, simulation=simulation, by=by)

    def refuse(self, proposal: str, by: str, words: str) -> None:
        """Refuse a proposal, or take back one's own."""
        self._desk("refuse", proposal=proposal, by=by, words=words)

    def tightened(self, agreement: str) -> Policy:
        """The policy under which the hospital would accept an offer."""
        return msgspec.convert(self._desk("tightened", id=agreement), Policy)

    def try_out(self, policy: Policy) -> Run:
        """What a draft would have changed, and what is wrong with its rules; nothing is kept of it."""
        from xinglin.node.decisions import NodeDecisions, run_over
        from xinglin.node.house_policy import shown_effects
        from xinglin.node.settings import node_settings
        from xinglin.node.wiring import open_node_terms
        from xinglin.terms.simulate import findings

        store = open_node_terms(self._folder, node_settings(self._folder).settings)
        try:
            kept = NodeDecisions(store).last(SIMULATED, self._lines.clock())
        finally:
            store.close()
        simulation, _effects = run_over(policy, kept)
        differing = msgspec.convert(shown_effects(simulation, kept), tuple[Changed, ...])
        return Run("", simulation.decisions, differing, findings(policy, [one.recorded for one in kept]))

    def _desk(self, step: str, **given: str) -> Any:
        return self._lines.desk(self._folder, "policy", timeout_s=60.0, step=step, **given)


def read_policy(text: str) -> Policy:
    """A policy from its text: this software's own words, or ODRL. Raises ``MalformedMessage`` and its kin."""
    from xinglin.terms.odrl import from_odrl

    data = text.encode()
    JSON_BYTES.check(len(data))
    document = decode_json(data, dict[str, Any])
    if {"@context", "@type", "@graph", "permission", "prohibition", "obligation"} & set(document):
        return from_odrl(document)
    if not set(document) & {"permissions", "prohibitions", "duties"}:
        raise MalformedMessage("That is no policy.", remedy="Give permissions, prohibitions and duties, or ODRL.")
    return decode_json(data, Policy)


def written(policy: Policy) -> str:
    """A policy as text that a person can read and change."""
    return msgspec.json.format(msgspec.json.encode(policy), indent=2).decode()


def unknown_words(policy: Policy) -> tuple[Reason, ...]:
    """Words of a policy that nobody knows, each with the nearest known one."""
    from xinglin.terms.writing import check_policy

    verdict = check_policy(policy)
    return verdict.reasons if isinstance(verdict, Denied) else ()
