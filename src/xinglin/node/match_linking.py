"""Linkage on errors: this hospital's side, from a file of persons to the pseudonyms of its links.

(1) The proposer offers a linkage under a rule that names the other hospital and the unit, with a fresh key, sealed to
the other hospital. (2) Both nodes decide by the study's agreement, leave out whom choices leave out, and log before a
filter leaves. (3) Each makes hardened filters of its persons and of planted pairs, shuffled, and seals them to the
unit. (4) The unit compares (``match_unit``), logs, and tells each hospital its own links: a place, a pseudonym that the
other hospital has too, a score. (5) The hospitals tell each other the links of the planted records, which measure
precision and recall of this very linkage. The unit has no key and no name; the hub takes no part.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from xinglin.kernel.codec import decode_msgpack, encode_msgpack
from xinglin.kernel.errors import MalformedMessage
from xinglin.kernel.instants import Clock, system_clock
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Denied, Reason, deny
from xinglin.node.intersecting import GOES_ON, PeerRule, peer_rule
from xinglin.node.match_book import Book
from xinglin.node.match_gate import Decision
from xinglin.node.match_line import Journal, Progress, no_progress
from xinglin.node.match_people import Sifted, sifted, some_left
from xinglin.node.match_post import Post
from xinglin.patients.names import name_of
from xinglin.secure.blind.filters import KEY_BYTES, RECORDS, Person, encode, pack
from xinglin.secure.blind.matching_terms import Matching
from xinglin.secure.blind.planted import PLANTED, Measured, measure, pairs
from xinglin.stores.matching_ledger import MatchingLedger
from xinglin.stores.tls import write_private
from xinglin.trust.keys import PrivateKeys
from xinglin.wire.errors import Refused
from xinglin.wire.linking import (
    ID_BYTES,
    RECORDS_AT_ONCE,
    SHIPPED,
    Filters,
    Linked,
    LinkOffer,
    LinkTerms,
    Planted,
)
from xinglin.wire.matching import NONCE_BYTES, Acceptance, Told

if TYPE_CHECKING:
    from xinglin.secure.blind.filters import Words

FILE_BYTES = Limit("file of persons to link", 1024 * 1024 * 1024, "bytes")
LOWEST_PERMILLE = 660
"""The unit reports links from here on; hospitals choose above it."""
THRESHOLDS = (0.66, 0.69, 0.72, 0.76, 0.80, 0.85)
METHOD = "pairs that both hospitals planted among their records, which the unit cannot tell from others"
_HEADER = ("key", "name", "reading", "birth", "sex")
_NOTHING = bytes(ID_BYTES)


class One(msgspec.Struct, frozen=True):
    """One own record that was linked: the pseudonym of the link, which the other hospital has too, and the score."""

    key: str
    link: str
    score: float


class LinkOutcome(msgspec.Struct, frozen=True):
    """Own links, best first, and what the planted pairs measured at each threshold."""

    session: str
    links: tuple[One, ...]
    measured: tuple[Measured, ...]

    def __repr__(self) -> str:
        return f"LinkOutcome({self.session!r})"

    def shown(self, threshold: float) -> dict[str, object]:
        """Numbers alone, for who runs the verb."""
        return {
            "session": self.session,
            "linked": sum(one.score >= threshold for one in self.links),
            "threshold": threshold,
            "measured": self.shown_measures(),
            "method": METHOD,
        }

    def shown_measures(self) -> list[dict[str, float]]:
        """For each threshold: how many are linked, and what was measured on planted pairs."""
        return [
            {
                "threshold": one.threshold,
                "linked": sum(found.score >= one.threshold for found in self.links),
                "precision": round(one.precision, 3),
                "recall": round(one.recall, 3),
                "planted": one.planted,
            }
            for one in self.measured
        ]


class Persons:
    """A file of persons (CSV ``key,name,reading,birth,sex``), and who of them takes part."""

    def __init__(self, folder: Path, keys: PrivateKeys, path: Path) -> None:
        self._folder, self._keys = folder, keys
        self._rows, self.unusable = _read(path)
        self.owners: list[str] = []
        self.sifted: Sifted | None = None

    def taking_part(self, decision: Decision) -> list[Person]:
        """Those whom the node's register and index let take part; ``Refused`` for nobody."""
        self.sifted = some_left(sifted(self._folder, self._keys, [(key, "") for key, _ in self._rows], decision.use))
        kept = [row for row, keep in zip(self._rows, self.sifted.keep, strict=True) if keep]
        self.owners = [key for key, _ in kept]
        return [person for _, person in kept]


class Linker:
    """One hospital's side of one linkage."""

    def __init__(
        self,
        folder: Path,
        keys: PrivateKeys,
        operator: str,
        posts: tuple[Post, Post],
        journal: Journal,
        ledger: MatchingLedger,
        book: Book,
        clock: Clock = system_clock,
        progress: Progress = no_progress,
    ) -> None:
        """``posts``: to the other hospital, and to the unit."""
        self._folder, self._keys, self._operator = folder, keys, operator
        self._peer, self._unit = posts
        self._journal, self._ledger, self._book = journal, ledger, book
        self._clock, self._progress = clock, progress

    def propose(self, agreement: str, persons: Persons, planted: int = 500) -> LinkOutcome:
        """Offer a linkage and go through with it. ``Refused`` by this side's rule or another's."""
        rule, people = self._taking(agreement, persons)
        PLANTED.check(planted)
        draw, me = self._journal.entropy(b"offer"), self._keys.did
        offer = LinkOffer(
            agreement, me, self._peer.peer, self._unit.peer, len(people), planted,
            LOWEST_PERMILLE, SHIPPED.digest(), draw(KEY_BYTES), draw(NONCE_BYTES),
        )  # fmt: skip
        self._open(offer)
        self._peer.say("proposal", encode_msgpack(offer))
        answer = decode_msgpack(self._peer.hear("acceptance").body, Acceptance)
        self._begin(rule, offer, answer)
        return self._ends(lambda: self._meet(offer, answer, people, persons))

    def accept(self, agreement: str, persons: Persons) -> LinkOutcome:
        """Wait for the other hospital's offer and go through with it, if this side's rule allows it."""
        parcel = self._peer.hear("proposal")
        offer = decode_msgpack(parcel.body, LinkOffer)
        self._open(offer)
        named = (offer.proposer, offer.accepter, offer.unit, offer.agreement, parcel.session)
        wanted = (self._peer.peer, self._keys.did, self._unit.peer, agreement, offer.session())
        if named != wanted or offer.version != 1:
            raise self._refusal(deny("node.match_proposal", "An offer of others, or for another unit.").reasons)
        if offer.plan != SHIPPED.digest() or offer.threshold_permille != LOWEST_PERMILLE or len(offer.key) != KEY_BYTES:
            words = "The offer names other filters than the hardened ones that are shipped."
            raise self._refusal(deny("node.match_plan", words, "Use one version at both hospitals.").reasons)
        PLANTED.check(offer.planted)
        try:
            rule, people = self._taking(agreement, persons)
        except Refused as error:
            raise self._refusal(error.reasons) from error
        answer = Acceptance(len(people), self._journal.entropy(b"acceptance")(NONCE_BYTES))
        self._begin(rule, offer, answer)
        self._peer.say("acceptance", encode_msgpack(answer))
        return self._ends(lambda: self._meet(offer, answer, people, persons))

    def cancel(self) -> str:
        """End a linkage that was begun and stopped; the other hospital and the unit are told. Its session."""
        session = self._journal.get("session")
        if not session:
            self._journal.done()
            raise Refused(deny("node.match_not_begun", "No linkage was begun in this folder.").reasons)
        words = "The other hospital has cancelled the linkage."
        for post in (self._peer, self._unit):
            post.session = bytes.fromhex(session)
            post.refuse((Reason("node.match_cancelled", words),))
        parties = (self._peer.peer, self._unit.peer)
        self._book.log("ended", bytes.fromhex(session), parties, {"session": session, "by": self._keys.did})
        self._journal.done()
        return session

    # --- steps -----------------------------------------------------------------------------------

    def _taking(self, agreement: str, persons: Persons) -> tuple[PeerRule, list[Person]]:
        rule = peer_rule(self._folder, self._peer.peer, agreement)
        unit, reasons = self._unit.peer, list[Reason]()
        if unit not in rule.units:
            reasons.append(Reason("node.match_unit", "The rule names no such linkage unit.", "Write units = [DID]."))
        if unit in (self._keys.did, self._peer.peer, self._operator):
            words = "A linkage unit is neither a hospital of the linkage nor the operator of the hub."
            reasons.append(Reason("node.match_unit_own", words, "Name a third party that is bound by contract."))
        if reasons:
            raise Refused(tuple(reasons))
        decision = self._book.gate.decide(rule.study, rule.purpose, (self._peer.peer, unit))
        people = persons.taking_part(decision)
        digest = hashlib.sha256(msgspec.msgpack.encode(people)).digest()
        self._journal.same("people", digest)
        self._journal.once("decision", encode_msgpack([decision.agreement, decision.purpose]).hex())
        self._progress("people", len(people), len(people))
        return rule, people

    def _open(self, offer: LinkOffer) -> None:
        session = offer.session()
        self._peer.session = self._unit.session = session
        self._journal.once("session", session.hex())
        verdict = self._ledger.use_key(hashlib.sha256(b"xinglin filter key" + offer.key).digest(), session)
        if isinstance(verdict, Denied):
            raise self._refusal(verdict.reasons)

    def _begin(self, rule: PeerRule, offer: LinkOffer, answer: Acceptance) -> None:
        sides = (offer.proposer, offer.accepter)
        nonce = offer.nonce + answer.nonce
        matching = Matching(offer.agreement, *sides, "linkage", offer.records, answer.items, nonce)
        verdict = self._ledger.begin(
            rule.rule, matching, self._keys.did, self._clock(), resumed=self._journal.resumed
        )  # fmt: skip
        if isinstance(verdict, Denied):
            raise self._refusal(verdict.reasons)

    def _ends(self, work: Callable[[], LinkOutcome]) -> LinkOutcome:
        """Whatever a side is refused ends its session; a log that is away for a while does not."""
        try:
            return work()
        except Refused as error:
            if not set(error.codes) & GOES_ON:
                self._journal.done()
            raise

    def _refusal(self, reasons: tuple[Reason, ...]) -> Refused:
        """Tell the other hospital, end the session; the error to raise."""
        self._peer.refuse(reasons)
        self._journal.done()
        return Refused(reasons)

    def _meet(self, offer: LinkOffer, answer: Acceptance, people: list[Person], persons: Persons) -> LinkOutcome:
        terms = terms_of(offer, answer)
        session, parties = offer.session(), (self._peer.peer, self._unit.peer)
        said = msgspec.to_builtins(terms)
        out = persons.sifted or Sifted((), 0, 0)
        agreement, purpose = decode_msgpack(bytes.fromhex(self._journal.get("decision")), list[str])
        told = self._book.log(
            "admitted", session, parties, said,
            people={"records": len(people), "objected": out.objected, "unknown": out.unknown},
            use={"agreement": agreement, "purpose": purpose},
        )  # fmt: skip
        self._peer.say("logged", encode_msgpack(told))
        theirs = decode_msgpack(self._peer.hear("logged").body, Told)
        self._book.check("admitted", session, self._peer.peer, said, theirs)
        order = self._send(offer, terms, told, people)
        places, ids, scores = self._hear_links(terms)
        outcome = self._sorted_out(offer, persons.owners, order, places, ids, scores)
        self._book.log("delivered", session, parties, {"session": terms.session}, links=len(outcome.links))
        self._journal.done()
        return outcome

    def _send(self, offer: LinkOffer, terms: LinkTerms, told: Told, people: list[Person]) -> list[int]:
        """Filters of own and planted persons, shuffled; the order: which record stands at each place."""
        mine = pairs(offer.key, offer.planted)[0 if self._keys.did == offer.proposer else 1]
        order = _shuffled(len(people) + len(mine), self._journal.entropy(b"order"))
        words = encode([*people, *mine], offer.key, offer.session().hex(), SHIPPED)[order]
        for number, part in enumerate(_parts(words)):
            self._unit.say("filters", encode_msgpack(Filters(terms, told, number, pack(part))))
            self._progress("filters", min((number + 1) * RECORDS_AT_ONCE, len(order)), len(order))
        return order

    def _hear_links(self, terms: LinkTerms) -> tuple[list[int], list[bytes], list[float]]:
        import numpy as np

        places, ids, scores, number, of = list[int](), list[bytes](), list[float](), 0, 1
        while number < of:
            part = decode_msgpack(self._unit.hear("linked").body, Linked)
            found, left = divmod(len(part.places), 4)
            if part.number != number or left or (len(part.ids), len(part.scores)) != (found * ID_BYTES, found * 2):
                raise MalformedMessage("The linkage unit's answer is not whole.")
            if not number:
                self._book.check(
                    "release-authorised", self._unit.session, self._unit.peer, msgspec.to_builtins(terms), part.told
                )  # fmt: skip
            of, number = part.of, number + 1
            places += np.frombuffer(part.places, "<u4").tolist()
            ids += [part.ids[at : at + ID_BYTES] for at in range(0, len(part.ids), ID_BYTES)]
            scores += (np.frombuffer(part.scores, "<u2") / 1000).tolist()
        if len(set(places)) != len(places) or len(set(ids)) != len(ids):
            raise MalformedMessage("The linkage unit linked a record twice.")
        return places, ids, scores

    def _sorted_out(
        self, offer: LinkOffer, owners: list[str], order: list[int], places: list[int], ids: list[bytes],
        scores: list[float],
    ) -> LinkOutcome:  # fmt: skip
        planted, links = [(_NOTHING, 0.0)] * offer.planted, []
        for place, one, score in zip(places, ids, scores, strict=True):
            if place >= len(order):
                raise MalformedMessage("The linkage unit links a record that was not sent.")
            record = order[place]
            if record < len(owners):
                links.append(One(owners[record], one.hex(), score))
            else:
                planted[record - len(owners)] = (one, score)
        self._peer.say("planted", encode_msgpack(Planted(b"".join(one for one, _ in planted))))
        theirs = decode_msgpack(self._peer.hear("planted").body, Planted).ids
        met = [
            (score, one == theirs[at * ID_BYTES : (at + 1) * ID_BYTES])
            for at, (one, score) in enumerate(planted)
            if one != _NOTHING
        ]
        measured = tuple(measure(met, threshold, offer.planted) for threshold in THRESHOLDS)
        return LinkOutcome(offer.session().hex(), tuple(sorted(links, key=lambda one: (-one.score, one.key))), measured)


def terms_of(offer: LinkOffer, answer: Acceptance) -> LinkTerms:
    """What all three parties know of a linkage."""
    return LinkTerms(
        offer.session().hex(), offer.agreement, offer.proposer, offer.accepter, offer.unit, offer.plan.hex(),
        offer.threshold_permille, offer.records + offer.planted, answer.items + offer.planted,
    )  # fmt: skip


def write_links(path: Path, links: Sequence[One], threshold: float) -> None:
    """Own links as CSV ``key,link,score`` in a file that only its owner reads."""
    rows = [f"{_quoted(one.key)},{one.link},{one.score:.3f}" for one in links if one.score >= threshold]
    write_private(path, ("\n".join(["key,link,score", *rows]) + "\n").encode())


def _parts(words: Words) -> Iterator[Words]:
    for at in range(0, len(words), RECORDS_AT_ONCE):
        yield words[at : at + RECORDS_AT_ONCE]


def _shuffled(count: int, entropy: Callable[[int], bytes]) -> list[int]:
    import numpy as np

    drawn: Any = np.frombuffer(entropy(16 * count), dtype="<u8").reshape(count, 2)
    order: list[int] = np.lexsort((drawn[:, 1], drawn[:, 0])).tolist()
    return order


def _read(path: Path) -> tuple[list[tuple[str, Person]], int]:
    FILE_BYTES.check(path.stat().st_size)
    found: dict[str, Person] = {}
    unusable = 0
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        header = tuple(name.strip().lower() for name in next(reader, []))
        if header != _HEADER:
            raise MalformedMessage(f"The file's columns are not {', '.join(_HEADER)}.")
        for row in reader:
            if len(row) != len(_HEADER):
                raise MalformedMessage("A line has not five columns.", remedy=f"Give {', '.join(_HEADER)}.")
            person = _person(*row[1:])
            if person is None:
                unusable += 1
            else:
                found[row[0].strip()] = person
    RECORDS.check(len(found))
    return sorted(found.items()), unusable


def _person(name: str, reading: str, birth: str, sex: str) -> Person | None:
    """A person written as all hospitals write it; None where there is no name."""
    key = name_of(name).key
    if not key:
        return None
    plain = re.sub(r"[^a-z]", "", reading.lower())
    return Person(key, plain, re.sub(r"\D", "", birth)[:8], sex.strip().lower()[:1])


def _quoted(key: str) -> str:
    return '"' + key.replace('"', '""') + '"' if any(sign in key for sign in ',"\n\r') else key
