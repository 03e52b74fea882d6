"""A private intersection, or its count, with one other institution: this hospital's side, from file to file.

Parcels are signed and laid into a folder as numbered files; another carries them (a shared folder, SFTP, a courier).
What is allowed with whom stands in ``matching.toml`` of the node's folder, and nothing is by default. Each side: (1) a
proposal and its acceptance fix parties, sizes and nonces; (2) both judge by their own rule and count the matching;
(3) points are exchanged; (4) the learner compares; (5) a count leaves its counter only as its rule protects it.
"""

from __future__ import annotations

import os
import time
import tomllib
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import msgspec

from xinglin.kernel.codec import decode_msgpack, encode_msgpack
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Clock, system_clock
from xinglin.kernel.verdict import Denied, deny
from xinglin.secure.blind.intersection import Helper, Learner
from xinglin.secure.blind.matching_terms import Matching, MatchingRule, ProtectedCount, Shown, protect_count
from xinglin.stores.matching_ledger import MatchingLedger
from xinglin.stores.privacy_budget import BudgetLedger
from xinglin.stores.tls import write_private
from xinglin.trust.keys import PrivateKeys
from xinglin.trust.ports import Directory
from xinglin.wire.errors import Refused
from xinglin.wire.matching import NONCE_BYTES, PARCEL_BYTES, Acceptance, Kind, Parcel, Proposal, Refusal, pack, unpack
from xinglin.wire.matching import outcome as read_outcome

RULES_FILE = "matching.toml"
WAIT_S = 3600.0
_POLL_S = 0.2


class NoParcel(XinglinError, OSError):
    """The other side's next parcel did not come in time."""

    code = "node.match_silent"


class PeerRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is allowed with one institution: ``did``, the rule, and where a count's noise is charged.

    ``epsilon``: of one count, as a decimal; ``data_set`` and ``study``: the budget's scope. ``minimum``: persons below
    which an exact count is withheld.
    """

    did: str
    agreement: str
    rule: MatchingRule
    data_set: str = ""
    study: str = ""
    epsilon: str = ""
    minimum: int = 10


class Outcome(msgspec.Struct, frozen=True):
    """What this side learned: positions of own items in both sets, or a count as it was let out; else nothing."""

    matching: Matching
    positions: tuple[int, ...] | None = None
    count: ProtectedCount | None = None

    def __repr__(self) -> str:
        return f"Outcome({self.matching.shows})"


def peer_rule(folder: Path, did: str, agreement: str) -> PeerRule:
    """The rule for ``did`` under ``agreement``; ``Refused`` where none is written."""
    path = folder / RULES_FILE
    written = tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for one in msgspec.convert(written.get("with", []), list[PeerRule]):
        if one.did == did and one.agreement == agreement:
            return one
    words = "No rule is written for matching with this institution under this agreement."
    raise Refused(deny("node.match_no_rule", words, f"Write one into {RULES_FILE}.").reasons)


class Line:
    """Parcels of this side out, those of the other side in, each in order; both folders are the carrier's."""

    def __init__(self, keys: PrivateKeys, directory: Directory, inbox: Path, outbox: Path, wait_s: float) -> None:
        self._keys, self._directory, self._inbox, self._outbox = keys, directory, inbox, outbox
        self._wait_s, self._sent, self._taken = wait_s, 0, 0
        self.session = b""

    def say(self, kind: Kind, body: bytes) -> None:
        """Lay the next parcel into the outbox, whole or not at all."""
        data = pack(self._keys, self.session, self._sent, kind, body)
        write_private(self._outbox / f"{self._sent:06d}.parcel", data)
        self._sent += 1

    def hear(self, peer: str, *kinds: Kind) -> Parcel:
        """The other side's next parcel; ``Refused`` with its reasons when it is a refusal, ``NoParcel`` too late."""
        path, until = self._inbox / f"{self._taken:06d}.parcel", time.monotonic() + self._wait_s
        while not path.exists():
            if time.monotonic() > until:
                raise NoParcel("The other institution is silent.", remedy="Ask whether its side runs; begin anew.")
            time.sleep(_POLL_S)
        PARCEL_BYTES.check(path.stat().st_size)
        parcel = unpack(path.read_bytes(), peer, self.session, self._taken, self._directory)
        self._taken += 1
        if parcel.kind == "refusal":
            raise Refused(decode_msgpack(parcel.body, Refusal).reasons)
        if parcel.kind not in kinds:
            raise Refused(deny("node.match_turn", "The other institution sent something out of turn.").reasons)
        return parcel


class Side:
    """This hospital's side of one matching."""

    def __init__(
        self,
        folder: Path,
        keys: PrivateKeys,
        line: Line,
        ledger: MatchingLedger,
        budget: BudgetLedger,
        clock: Clock = system_clock,
    ) -> None:
        self._folder, self._keys, self._line, self._ledger = folder, keys, line, ledger
        self._budget, self._clock = budget, clock

    def close(self) -> None:
        """Close both ledgers."""
        self._ledger.close()
        self._budget.close()

    def propose(self, peer: str, agreement: str, shows: Shown, items: list[bytes]) -> Outcome:
        """Ask ``peer`` and go through with it. ``Refused`` by this side's rule or the other's."""
        rule = peer_rule(self._folder, peer, agreement)
        proposal = Proposal(agreement, self._keys.did, peer, shows, len(items), os.urandom(NONCE_BYTES))
        self._line.session = proposal.session()
        self._line.say("proposal", encode_msgpack(proposal))
        answer = decode_msgpack(self._line.hear(peer, "acceptance").body, Acceptance)
        matching = proposal.matching(answer)
        self._begin(rule, matching)
        return self._meet(rule, matching, peer, items)

    def accept(self, peer: str, items: list[bytes]) -> Outcome:
        """Wait for ``peer``'s proposal and go through with it, if this side's rule allows it."""
        parcel = self._line.hear(peer, "proposal")
        proposal = decode_msgpack(parcel.body, Proposal)
        if parcel.session != proposal.session() or (proposal.proposer, proposal.accepter) != (peer, self._keys.did):
            raise Refused(deny("node.match_proposal", "A proposal of others.").reasons)
        self._line.session = proposal.session()
        try:
            rule = peer_rule(self._folder, peer, proposal.agreement)
        except Refused as error:
            self._line.say("refusal", encode_msgpack(Refusal(error.reasons)))
            raise
        answer = Acceptance(len(items), os.urandom(NONCE_BYTES))
        matching = proposal.matching(answer)
        self._begin(rule, matching)
        self._line.say("acceptance", encode_msgpack(answer))
        return self._meet(rule, matching, peer, items)

    def _begin(self, rule: PeerRule, matching: Matching) -> None:
        verdict = self._ledger.begin(rule.rule, matching, self._keys.did, self._clock())
        if isinstance(verdict, Denied):
            self._line.say("refusal", encode_msgpack(Refusal(verdict.reasons)))
            raise Refused(verdict.reasons)

    def _meet(self, rule: PeerRule, matching: Matching, peer: str, items: list[bytes]) -> Outcome:
        if self._keys.did == matching.learner:
            return self._learn(rule, matching, peer, items)
        helper = Helper(matching, items, os.urandom)
        self._points(helper.own())
        while helper.state != "done":
            self._points(helper.take(self._line.hear(peer, "points").body))
        if matching.shows == "intersection":
            return Outcome(matching)
        return Outcome(matching, count=read_outcome(self._line.hear(peer, "outcome").body))

    def _learn(self, rule: PeerRule, matching: Matching, peer: str, items: list[bytes]) -> Outcome:
        learner = Learner(matching, items, os.urandom)
        self._points(learner.question())
        while learner.state != "compared":
            learner.take(self._line.hear(peer, "points").body)
        if matching.shows == "intersection":
            return Outcome(matching, positions=tuple(learner.intersection()))
        noise = self._noise(rule, matching) if rule.rule.epsilon_needed else None
        shown = protect_count(rule.rule, learner.count(), rule.minimum, noise)
        self._line.say("outcome", encode_msgpack(shown))
        return Outcome(matching, count=shown)

    def _points(self, messages: Iterable[bytes]) -> None:
        for message in messages:
            self._line.say("points", message)

    def _noise(self, rule: PeerRule, matching: Matching) -> int:
        """Noise of scale 1/ε for a count that one person changes by one; charged before it is drawn."""
        from xinglin.privacy.noise import discrete_laplace, rho_of_pure
        from xinglin.privacy.noise.budget import Charged
        from xinglin.terms.noise_asked import exact

        epsilon, domain = Fraction(exact(rule.epsilon)), matching.domain().hex()
        run = f"matching-{domain[:26]}"
        paid = self._budget.charge(rule.data_set, rule.study, run, domain, rho_of_pure(epsilon), self._clock())
        if not isinstance(paid, Charged):
            reasons = paid.reasons if isinstance(paid, Denied) else deny("node.match_paid", "Asked before.").reasons
            self._line.say("refusal", encode_msgpack(Refusal(reasons)))
            raise Refused(reasons)
        return int(discrete_laplace(1 / epsilon, 1, os.urandom)[0])
