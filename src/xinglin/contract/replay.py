"""Where every agreement stands, as a pure function of the log's leaves.

A leaf that is malformed, badly signed, by a stranger or impossible in the present state has no effect. Since an
``agreement`` leaf holds nothing but a digest and two DIDs, the same digest claimed for other parties is another
agreement: nobody stands in the way of the two that signed it, who look it up with themselves as parties.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from xinglin.contract.changes import EVENTS, Change, open_change
from xinglin.contract.errors import NotThisChange
from xinglin.contract.negotiation import BREACH_STATES, Standing
from xinglin.evidence.entry import Entry
from xinglin.kernel.errors import MalformedMessage, XinglinError
from xinglin.kernel.limits import Limit
from xinglin.kernel.states import IllegalMove
from xinglin.kernel.verdict import Allowed, Denied, Verdict, deny
from xinglin.trust.ports import Directory

AGREEMENT_KINDS = frozenset({"agreement", *EVENTS})
"""Kinds of leaves that this replay reads."""

BREACHES = Limit("notices of breach of an agreement by one party", 64, "notices")
ANSWERS_TO = Limit("answers to a notice of breach", 8, "answers")

Key = tuple[str, str, str]
"""An agreement's digest, its provider, its consumer."""


class Breach(msgspec.Struct, frozen=True):
    """A notice (its digest) that ``by`` gave, its state, and the digests of its answers in order."""

    notice: str
    by: str
    state: str = BREACH_STATES.start
    answers: tuple[str, ...] = ()


class History(msgspec.Struct, frozen=True):
    """An agreement's standing now, and how it came: ``trail`` holds (log index, state) in order."""

    provider: str
    consumer: str
    standing: Standing
    trail: tuple[tuple[int, str], ...] = ()
    breaches: tuple[Breach, ...] = ()
    last: tuple[tuple[str, int], ...] = ()

    def state_below(self, index: int) -> str:
        """The state that the leaves below log index ``index`` make; "" before the agreement's own."""
        return next((state for at, state in reversed(self.trail) if at < index), "")

    def last_of(self, did: str) -> int:
        """The instant of this signer's newest change, or −1."""
        return dict(self.last).get(did, -1)


def may_change(history: History, change: Change, by: str, *, regulator: bool = False) -> Verdict:
    """Whether ``by`` may make this change: who may do what, when, and a renewal only once."""
    parties = (history.provider, history.consumer)
    if by not in parties and not (regulator and change.event in ("suspend", "resume", "terminate", "breach")):
        return deny("contract.not_a_party", "Only a party changes an agreement.", "Ask one of its two parties.")
    if change.event in ("amend", "renew") and by != history.provider:
        words = "An amendment or a renewal is logged by the provider, who signs it last."
        return deny("contract.not_the_provider", words, "Offer it to the provider.")
    if change.event == "renew" and history.standing.renewed:
        words = "The agreement was renewed before, and is renewed only once."
        return deny("contract.renewed_before", words, "Apply anew.")
    if change.made <= history.last_of(by):
        return deny("contract.change_seen", "This change, or a later one, was made before.", "Sign it anew.")
    if change.event == "breach":
        return _may_breach(history, change, by, regulator)
    try:
        history.standing.after(change.event, change.made, by=by)
    except IllegalMove as error:
        return deny("contract.not_now", error.what, error.remedy)
    return Allowed()


def _may_breach(history: History, change: Change, by: str, regulator: bool) -> Verdict:
    found = {breach.notice: breach for breach in history.breaches}
    if change.step == "notice":
        # Of each party: whoever is accused fills nobody else's place.
        given = sum(one.by == by for one in history.breaches)
        if change.document in found or given >= BREACHES.value:
            return deny("contract.notice_seen", "This notice was given before, or too many were.")
        return Allowed()
    breach = found.get(change.about)
    if breach is None:
        return deny("contract.no_such_notice", "There is no such notice of breach.", "Name its digest.")
    if change.step not in BREACH_STATES.events(breach.state):
        return deny("contract.not_now", f"The breach is {breach.state}.")
    if change.step == "answer" and (change.document in breach.answers or len(breach.answers) >= ANSWERS_TO.value):
        return deny("contract.answer_seen", "This answer was given before, or too many were.")
    mine = breach.by == by
    if (change.step == "answer" and mine) or (change.step == "close" and not mine and not regulator):
        words = "A notice is answered by the other party, and closed by who gave it or by a regulator."
        return deny("contract.not_yours", words)
    return Allowed()


def apply_change(history: History, change: Change, by: str, index: int) -> History:
    """The history after a change that ``may_change`` allowed."""
    last = tuple(sorted({**dict(history.last), by: change.made}.items()))
    if change.event == "breach":
        return msgspec.structs.replace(history, last=last, breaches=_breached(history.breaches, change, by))
    standing = history.standing.after(change.event, change.made, index, by=by, successor=change.successor)
    trail = (*history.trail, (index, standing.state))
    return msgspec.structs.replace(history, standing=standing, trail=trail, last=last)


def _breached(breaches: tuple[Breach, ...], change: Change, by: str) -> tuple[Breach, ...]:
    if change.step == "notice":
        return (*breaches, Breach(change.document, by))
    answers = (change.document,) if change.step == "answer" else ()
    return tuple(
        Breach(one.notice, one.by, BREACH_STATES.move(one.state, change.step), (*one.answers, *answers))
        if one.notice == change.about
        else one
        for one in breaches
    )


class Standings:
    """The fold: feed it leaves in the order of the log, and ask where an agreement stands."""

    def __init__(self) -> None:
        self._histories: dict[Key, History] = {}
        self._claims: dict[str, tuple[Key, ...]] = {}

    def of(self, agreement: str, provider: str, consumer: str) -> History | None:
        """The history of the agreement with this digest between these two; None when the log does not name it."""
        return self._histories.get((agreement, provider, consumer))

    def claimed(self, agreement: str) -> tuple[History, ...]:
        """Every history under this digest, whoever its parties are said to be."""
        return tuple(self._histories[key] for key in self._claims.get(agreement, ()))

    def all(self) -> dict[Key, History]:
        """Every history by digest and parties."""
        return dict(self._histories)

    def take(self, index: int, entry: Entry, directory: Directory) -> None:
        """Fold the leaf at ``index``, one of ``AGREEMENT_KINDS``; raises why it has no effect."""
        if entry.kind == "agreement":
            self._begin(index, entry)
            return
        change, by = open_change(entry, directory, index)
        regulator = "regulator" in directory.roles(by, index)
        refused: list[Denied] = []
        done = False
        for key in self._claims.get(change.agreement, ()):
            history = self._histories[key]
            verdict = may_change(history, change, by, regulator=regulator)
            if (change.successor, history.provider, history.consumer) in self._histories:
                verdict = deny("contract.successor_stands", "What would follow is an agreement of its own already.")
            if isinstance(verdict, Denied):
                refused.append(verdict)
                continue
            done = True
            self._histories[key] = apply_change(history, change, by, index)
            if change.successor:
                self._succeed(index, change, history)
        if not done:
            words = refused[0].reasons[0].words if refused else "The log names no such agreement before this leaf."
            raise NotThisChange(words)

    def _begin(self, index: int, entry: Entry) -> None:
        if len(entry.parties) != 2 or entry.submitter != entry.parties[0]:
            raise MalformedMessage("An agreement's leaf names provider and consumer, and is the provider's.")
        standing = Standing(entry.subject, "active", entry.at, index)
        self._add((entry.subject, *entry.parties), standing)

    def _succeed(self, index: int, change: Change, history: History) -> None:
        renewed = history.standing.renewed or change.event == "renew"
        standing = Standing(change.successor, "active", change.made, index, renewed=renewed)
        self._add((change.successor, history.provider, history.consumer), standing)

    def _add(self, key: Key, standing: Standing) -> None:
        if key in self._histories:
            return  # the same leaf again, after a crash: the first stands
        self._histories[key] = History(key[1], key[2], standing, ((standing.index, standing.state),))
        self._claims[key[0]] = (*self._claims.get(key[0], ()), key)


def replay(leaves: Iterable[Entry], directory: Directory, first: int = 0) -> dict[Key, History]:
    """Where every agreement stands after ``leaves``, the first of which has log index ``first``."""
    standings = Standings()
    for index, entry in enumerate(leaves, first):
        if entry.kind in AGREEMENT_KINDS:
            try:
                standings.take(index, entry, directory)
            except XinglinError:
                continue  # such a leaf has no effect, and stays in the log for all to see
    return standings.all()
