"""A private intersection, or its count, with one other institution: this hospital's side, from file to file.

Parcels are signed and laid into a folder as numbered files; another carries them (a shared folder, SFTP, a courier).
What is allowed with whom stands in ``matching.toml`` of the node's folder, and nothing is by default. Each side: (1) a
proposal and its acceptance fix parties, sizes and nonces; (2) both judge by their own rule, the node decides by the
study's agreement, persons' choices leave out whom they leave out, and the matching is counted; (3) both log that they
admitted it, and each looks for the other's leaf; (4) points are exchanged, after the helper logged that answers may
leave; (5) the learner compares; (6) a count leaves its counter only as its rule protects it, and after its leaf;
(7) both log the digest of all parcels. A side that was stopped goes on when it is started again.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

import msgspec

from xinglin.kernel.codec import decode_msgpack, encode_msgpack
from xinglin.kernel.instants import Clock, system_clock
from xinglin.kernel.verdict import Denied, Reason, deny
from xinglin.node.match_book import Book
from xinglin.node.match_gate import Decision
from xinglin.node.match_line import Line, NoParcel, Progress, no_progress
from xinglin.node.match_people import RULES_FILE
from xinglin.secure.blind.errors import NoEngine
from xinglin.secure.blind.intersection import CHUNK_ITEMS, Helper, Learner
from xinglin.secure.blind.matching_terms import Matching, MatchingRule, ProtectedCount, Shown, protect_count
from xinglin.stores.matching_ledger import MatchingLedger
from xinglin.stores.privacy_budget import BudgetLedger
from xinglin.stores.spu_engine import SpuEngine
from xinglin.trust.keys import PrivateKeys
from xinglin.wire.errors import Refused
from xinglin.wire.matching import NONCE_BYTES, Acceptance, Proposal, Told
from xinglin.wire.matching import outcome as read_outcome

__all__ = ["Items", "Line", "NoParcel", "Outcome", "PeerRule", "Side", "Taking", "peer_rule"]
T = TypeVar("T")
SPU = "spu"
GOES_ON = frozenset({"node.match_log_away", "node.match_unlogged", "node.match_log_stale"})
"""Refusals by a log that is away for a while: the session stays open."""


class PeerRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is allowed with one institution: ``did``, the rule, and where a count's noise is charged.

    ``study``: whose agreement at this hospital covers the matching, for ``purpose`` (empty: the agreement's first).
    ``epsilon``: of one count, as a decimal; ``data_set`` and ``study``: the budget's scope. ``minimum``: persons below
    which an exact count is withheld. ``addresses``: own and the
    other's ``host:port`` for SPU. ``units``: DIDs of linkage units that may compare filters with this institution.
    """

    did: str
    agreement: str
    rule: MatchingRule
    data_set: str = ""
    study: str = ""
    epsilon: str = ""
    minimum: int = 10
    purpose: str = ""
    addresses: tuple[str, ...] = ()
    units: tuple[str, ...] = ()


class Outcome(msgspec.Struct, frozen=True):
    """What this side learned: positions of own items in both sets, or a count as it was let out; else nothing."""

    matching: Matching
    positions: tuple[int, ...] | None = None
    count: ProtectedCount | None = None

    def __repr__(self) -> str:
        return f"Outcome({self.matching.shows})"


class Taking(msgspec.Struct, frozen=True):
    """Who takes part at this side: distinct normalised identifiers, and how many lines were left out."""

    items: tuple[bytes, ...]
    objected: int = 0
    unknown: int = 0

    def __repr__(self) -> str:
        return "Taking(…)"


Items = Callable[[Decision], Taking]
"""Gives who takes part, once the node has decided and with the use as persons' choices see it."""


def peer_rule(folder: Path, did: str, agreement: str) -> PeerRule:
    """The rule for ``did`` under ``agreement``; ``Refused`` where none is written."""
    path = folder / RULES_FILE
    written = tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for one in msgspec.convert(written.get("with", []), list[PeerRule]):
        if one.did == did and one.agreement == agreement:
            return one
    words = "No rule is written for matching with this institution under this agreement."
    raise Refused(deny("node.match_no_rule", words, f"Write one into {RULES_FILE}.").reasons)


class Side:
    """This hospital's side of one matching."""

    def __init__(
        self,
        folder: Path,
        keys: PrivateKeys,
        line: Line,
        ledger: MatchingLedger,
        budget: BudgetLedger,
        book: Book,
        clock: Clock = system_clock,
        progress: Progress = no_progress,
        spu: SpuEngine | None = None,
    ) -> None:
        """``spu``: use it in place of the built-in engine; both sides have to."""
        self._spu = spu
        self._folder, self._keys, self._line, self._ledger = folder, keys, line, ledger
        self._budget, self._book, self._clock, self._progress = budget, book, clock, progress

    def close(self) -> None:
        """Close both ledgers; the journal stays for the next start."""
        self._ledger.close()
        self._budget.close()
        self._line.journal.close()

    def propose(self, peer: str, agreement: str, shows: Shown, items: Items) -> Outcome:
        """Ask ``peer`` and go through with it. ``Refused`` by this side's rule or the other's."""
        rule = peer_rule(self._folder, peer, agreement)
        self._engine(rule, shows)
        decision, taking = self._taking(rule, peer, items)
        nonce = self._line.journal.entropy(b"proposal")(NONCE_BYTES)
        engine = msgspec.UNSET if self._spu is None else SPU
        proposal = Proposal(agreement, self._keys.did, peer, shows, len(taking.items), nonce, engine=engine)
        self._line.session = proposal.session()
        self._line.say("proposal", encode_msgpack(proposal))
        answer = decode_msgpack(self._ends(lambda: self._line.hear(peer, "acceptance")).body, Acceptance)
        matching = proposal.matching(answer)
        self._begin(rule, matching)
        return self._ends(lambda: self._meet(rule, matching, peer, decision, taking))

    def accept(self, peer: str, items: Items) -> Outcome:
        """Wait for ``peer``'s proposal and go through with it, if this side's rule allows it."""
        parcel = self._line.hear(peer, "proposal")
        proposal = decode_msgpack(parcel.body, Proposal)
        named = (parcel.session, proposal.proposer, proposal.accepter)
        if proposal.shows == "linkage" or named != (proposal.session(), peer, self._keys.did):
            raise Refused(deny("node.match_proposal", "A proposal of others.").reasons)
        self._line.session = proposal.session()
        try:
            rule = peer_rule(self._folder, peer, proposal.agreement)
            if proposal.engine != (msgspec.UNSET if self._spu is None else SPU):
                words = "The two sides chose different engines."
                raise Refused(deny("node.match_engine", words, "Give --engine alike at both sides.").reasons)
            self._engine(rule, proposal.shows)
            decision, taking = self._taking(rule, peer, items)
        except Refused as error:
            self._refuse(error.reasons)
            raise
        answer = Acceptance(len(taking.items), self._line.journal.entropy(b"acceptance")(NONCE_BYTES))
        matching = proposal.matching(answer)
        self._begin(rule, matching)
        self._line.say("acceptance", encode_msgpack(answer))
        return self._ends(lambda: self._meet(rule, matching, peer, decision, taking))

    def cancel(self, peer: str) -> bytes:
        """End a matching that was begun, and tell ``peer``; what was counted and charged stays so. Its session."""
        journal = self._line.journal
        session = bytes.fromhex(journal.get("session"))
        if not session:
            journal.done()
            raise Refused(deny("node.match_not_begun", "No matching was begun in these folders.").reasons)
        self._line.session = session
        self._line.refuse((Reason("node.match_cancelled", "The other institution has cancelled the matching."),))
        self._book.log("ended", session, (peer,), {"session": session.hex(), "by": self._keys.did})
        journal.done()
        return session

    def _engine(self, rule: PeerRule, shows: Shown) -> None:
        """What SPU needs, before anything is said; ``Refused`` where it does not run: nothing else in its place."""
        if self._spu is None:
            return
        if shows != "intersection" or len(rule.addresses) != 2:
            words = "SPU shows an intersection, between two addresses that the rule names."
            remedy = 'Write addresses = ["own:port", "other:port"]; a count takes the built-in engine.'
            raise Refused(deny("node.match_spu", words, remedy).reasons)
        if self._line.journal.get("spu"):
            words = "A run of SPU was stopped: it is not run twice, or the other side could ask a second question."
            raise Refused(deny("node.match_spu_again", words, "Cancel the matching; begin anew.").reasons)
        try:
            self._spu.version()
        except NoEngine as error:
            raise Refused(deny(error.code, error.what, error.remedy).reasons) from error

    def _by_spu(self, rule: PeerRule, matching: Matching, taking: Taking) -> tuple[int, ...]:
        if self._spu is None:
            return ()
        self._line.journal.once("spu", "begun")
        own, other = rule.addresses
        addresses = (own, other) if self._keys.did == matching.learner else (other, own)
        return tuple(self._spu.intersect(matching, taking.items, self._keys.did, addresses))

    def _taking(self, rule: PeerRule, peer: str, items: Items) -> tuple[Decision, Taking]:
        decision = self._book.gate.decide(rule.study, rule.purpose, (peer,))
        taking = items(decision)
        self._progress("people", len(taking.items), len(taking.items))
        self._line.journal.same("people", b"".join(hashlib.sha256(one).digest() for one in taking.items))
        return decision, taking

    def _begin(self, rule: PeerRule, matching: Matching) -> None:
        self._line.journal.once("session", self._line.session.hex())
        resumed = self._line.journal.resumed
        verdict = self._ledger.begin(rule.rule, matching, self._keys.did, self._clock(), resumed=resumed)
        if isinstance(verdict, Denied):
            self._refuse(verdict.reasons)
            raise Refused(verdict.reasons)

    def _refuse(self, reasons: tuple[Reason, ...]) -> None:
        self._line.refuse(reasons)
        self._line.journal.done()

    def _ends(self, work: Callable[[], T]) -> T:
        """Whatever a side is refused ends its session; a stop or a silence does not."""
        try:
            return work()
        except Refused as error:
            if not set(error.codes) & GOES_ON:
                self._line.journal.done()
            raise

    def _meet(self, rule: PeerRule, matching: Matching, peer: str, decision: Decision, taking: Taking) -> Outcome:
        session, terms = self._line.session, msgspec.to_builtins(matching)
        people = {"items": len(taking.items), "objected": taking.objected, "unknown": taking.unknown}
        use = {"agreement": decision.agreement, "purpose": decision.purpose}
        told = self._book.log("admitted", session, (peer,), terms, people=people, use=use)
        self._hand_over(peer, "admitted", terms, told)
        learns = self._keys.did == matching.learner
        found = self._learn(rule, matching, peer, taking) if learns else self._help(rule, matching, peer, taking)
        end = {"domain": matching.domain().hex(), "transcript": self._line.journal.transcript().hex()}
        self._book.log("delivered", session, (peer,), end)
        self._line.journal.done()
        return found

    def _hand_over(self, peer: str, kind: str, terms: object, told: Told) -> None:
        """Tell where the own leaf stands, and look for the other side's; nothing goes on without it."""
        self._line.say("logged", encode_msgpack(told))
        self._heard(peer, kind, terms)

    def _heard(self, peer: str, kind: str, terms: object) -> None:
        theirs = decode_msgpack(self._line.hear(peer, "logged").body, Told)
        self._book.check(kind, self._line.session, peer, terms, theirs)

    def _help(self, rule: PeerRule, matching: Matching, peer: str, taking: Taking) -> Outcome:
        entropy = self._line.journal.entropy(b"helper" + matching.domain())
        if matching.shows == "intersection":
            told = self._book.log("release-authorised", self._line.session, (peer,), _answers(matching))
            self._line.say("logged", encode_msgpack(told))
        if self._spu is not None:
            self._by_spu(rule, matching, taking)
            return Outcome(matching)
        helper = Helper(matching, taking.items, entropy)
        self._points(helper.own(), matching.helper_items)
        taken = 0
        while helper.state != "done":
            self._points(helper.take(self._line.hear(peer, "points").body), 0)
            taken += CHUNK_ITEMS.value
            self._progress("answered", min(taken, matching.learner_items), matching.learner_items)
        if matching.shows == "intersection":
            return Outcome(matching)
        shown = read_outcome(self._line.hear(peer, "outcome").body)
        self._heard(peer, "release-authorised", _released(matching, shown))
        return Outcome(matching, count=shown)

    def _learn(self, rule: PeerRule, matching: Matching, peer: str, taking: Taking) -> Outcome:
        if matching.shows == "intersection":
            self._heard(peer, "release-authorised", _answers(matching))
        if self._spu is not None:
            return Outcome(matching, positions=self._by_spu(rule, matching, taking))
        learner = Learner(matching, taking.items, self._line.journal.entropy(b"learner" + matching.domain()))
        self._points(learner.question(), matching.learner_items)
        both, taken = matching.learner_items + matching.helper_items, 0
        while learner.state != "compared":
            learner.take(self._line.hear(peer, "points").body)
            taken += CHUNK_ITEMS.value
            self._progress("compared", min(taken, both), both)
        if matching.shows == "intersection":
            return Outcome(matching, positions=tuple(learner.intersection()))
        noise = self._noise(rule, matching) if rule.rule.epsilon_needed else None
        shown = protect_count(rule.rule, learner.count(), rule.minimum, noise)
        told = self._book.log("release-authorised", self._line.session, (peer,), _released(matching, shown))
        self._line.say("outcome", encode_msgpack(shown))
        self._line.say("logged", encode_msgpack(told))
        return Outcome(matching, count=shown)

    def _points(self, messages: Iterable[bytes], of: int) -> None:
        for number, message in enumerate(messages, 1):
            self._line.say("points", message)
            self._progress("sent", min(number * CHUNK_ITEMS.value, of or CHUNK_ITEMS.value), of)

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
            self._line.refuse(reasons)
            raise Refused(reasons)
        # The session's own randomness: a side that goes on after a stop shows the same noise, never a second one.
        return int(discrete_laplace(1 / epsilon, 1, self._line.journal.entropy(b"noise" + matching.domain()))[0])


def _answers(matching: Matching) -> dict[str, object]:
    return {"domain": matching.domain().hex(), "answers": matching.learner_items}


def _released(matching: Matching, shown: ProtectedCount) -> dict[str, object]:
    return {"domain": matching.domain().hex(), "count": shown.value, "withheld": shown.withheld}
