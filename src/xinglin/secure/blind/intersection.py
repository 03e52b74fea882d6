"""Private intersection of two institutions' sets, as two state machines that are handed bytes.

The learner sends ``a·H(x)`` for its items, the helper answers ``b·a·H(x)`` and sends ``b·H(y)`` in the order of their
values; the learner computes ``a·b·H(y)`` and compares. When the *intersection* is shown, the answers keep the order of
the question and the learner sees which of its own items the helper has. When only the *count* is shown, the answers
come in the order of their values, after all of them.

Who learns what. Helper: how many items the learner has. Learner: how many items the helper has, and what is shown.
A learner that breaks the protocol gets at most the intersection with the items it sent, which is why their number and
the number of matchings are limited (``matching_terms``), and why a count is made by the side whose patients it
protects. A helper that breaks it can make the outcome wrong, not learn more. Each set is bound to one matching by
the hash's domain; keys are fresh and are dropped at the end.

Guarantee: semi-honest sides, decisional Diffie–Hellman on Curve25519, random oracle. Source: Meadows 1986;
Huberman, Franklin, Hogg 1999; for the count, De Cristofaro, Gasti, Tsudik 2012.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from xinglin.kernel.codec import decode_msgpack, encode_msgpack
from xinglin.kernel.limits import Limit
from xinglin.kernel.states import StateTable
from xinglin.secure.blind.errors import NotAnElement, OutOfTurn, WrongAnswer
from xinglin.secure.blind.matching_terms import Matching
from xinglin.secure.blind.montgomery import KEY_BYTES, POINT_BYTES, Raise, check_points, points_of, raise_all
from xinglin.secure.ports import Entropy

CHUNK_ITEMS = Limit("items of one message of a matching", 32_768, "items")
CHUNK_BYTES = Limit("message of a matching", CHUNK_ITEMS.value * POINT_BYTES + 1_024, "bytes")
Kind = Literal["blinded", "answered", "own"]

LEARNER_STATES = StateTable(
    "learner of a matching",
    "ready",
    (
        ("ready", "question asked", "waiting"),
        ("waiting", "everything answered", "compared"),
    ),
)
HELPER_STATES = StateTable(
    "helper of a matching",
    "ready",
    (
        ("ready", "own points sent", "answering"),
        ("answering", "everything answered", "done"),
    ),
)


class Chunk(msgspec.Struct, frozen=True):
    """Some points of one side, in order: ``number`` counts from 0 within its kind; ``domain`` names the matching."""

    domain: bytes
    kind: Kind
    number: int
    points: bytes
    version: int = 1


class _Stream:
    """Chunks of one kind as they come: in order, not more than was said, each point on the curve."""

    def __init__(self, domain: bytes, kind: Kind, items: int) -> None:
        self._domain, self._kind, self._items = domain, kind, items
        self.parts: list[bytes] = []
        self.taken = 0

    def take(self, chunk: Chunk) -> bytes:
        """The chunk's points; raises ``WrongAnswer``, ``OutOfTurn``, ``NotAnElement`` or ``LimitExceeded``."""
        if chunk.version != 1 or chunk.domain != self._domain:
            raise WrongAnswer("A message of another matching.")
        if chunk.kind != self._kind or chunk.number != len(self.parts):
            raise OutOfTurn("A message of a matching out of its order.")
        count, rest = divmod(len(chunk.points), POINT_BYTES)
        CHUNK_ITEMS.check(count)
        if rest or not count or self.taken + count > self._items:
            raise WrongAnswer("A side sent more points than the matching names, or parts of one.")
        check_points(chunk.points)
        self.parts.append(b"")
        self.taken += count
        return chunk.points

    @property
    def full(self) -> bool:
        return self.taken == self._items


def _cut(points: bytes) -> list[bytes]:
    return [points[at : at + POINT_BYTES] for at in range(0, len(points), POINT_BYTES)]


def _distinct(points: Sequence[bytes]) -> None:
    if len(set(points)) != len(points):
        raise NotAnElement("A set holds one of its items twice.", remedy="Give each person once.")


def _chunks(domain: bytes, kind: Kind, points: Sequence[bytes], start: int = 0) -> Iterator[bytes]:
    step = CHUNK_ITEMS.value
    for number, at in enumerate(range(0, len(points), step), start):
        yield encode_msgpack(Chunk(domain, kind, number, b"".join(points[at : at + step])))


class Learner:
    """The side that is shown the outcome."""

    def __init__(
        self, matching: Matching, items: Sequence[bytes], entropy: Entropy, raise_points: Raise = raise_all
    ) -> None:
        """``items``: distinct normalised identifiers, as many as the matching names. ``raise_points``: a ``Raise``."""
        if len(items) != matching.learner_items:
            raise WrongAnswer("The set has another number of items than the matching names.")
        self._matching, self._items, self._raise = matching, items, raise_points
        self._domain, self._key = matching.domain(), entropy(KEY_BYTES)
        self._answers = _Stream(self._domain, "answered", matching.learner_items)
        self._theirs = _Stream(self._domain, "own", matching.helper_items)
        self._order: list[int] = []
        self._answered: list[bytes] = []
        self._own: list[bytes] = []
        self.state = LEARNER_STATES.start

    def question(self) -> Iterator[bytes]:
        """The messages to the helper: every item's point, blinded, in the order of their values."""
        self.state = LEARNER_STATES.move(self.state, "question asked")
        blinded = _cut(self._raise(self._key, points_of(self._items, self._domain)))
        _distinct(blinded)
        self._order = sorted(range(len(blinded)), key=blinded.__getitem__)
        return _chunks(self._domain, "blinded", [blinded[at] for at in self._order])

    def take(self, message: bytes) -> None:
        """A message of the helper: its answers, or its own points."""
        if self.state != "waiting":
            raise OutOfTurn("This side of the matching waits for nothing.")
        chunk = decode_msgpack(message, Chunk, CHUNK_BYTES)
        if chunk.kind == "own":
            self._own += _cut(self._raise(self._key, self._theirs.take(chunk)))
        else:
            self._answered += _cut(self._answers.take(chunk))
        if self._answers.full and self._theirs.full:
            _distinct(self._answered)
            _distinct(self._own)
            self._key = b""
            self.state = LEARNER_STATES.move(self.state, "everything answered")

    def intersection(self) -> list[int]:
        """Positions, ascending, of the own items that the helper has too; ``OutOfTurn`` where only a count is shown."""
        self._compared("intersection")
        theirs = set(self._own)
        return sorted(at for at, one in zip(self._order, self._answered, strict=True) if one in theirs)

    def count(self) -> int:
        """How many items both sides have. It leaves this side only through ``protect_count``."""
        self._compared("count")
        return len(set(self._own) & set(self._answered))

    def _compared(self, shown: str) -> None:
        if self.state != "compared" or shown != self._matching.shows:
            raise OutOfTurn("The matching is not at its end, or does not show this.")


class Helper:
    """The side that answers, and learns the number of the learner's items alone."""

    def __init__(
        self, matching: Matching, items: Sequence[bytes], entropy: Entropy, raise_points: Raise = raise_all
    ) -> None:
        """``items``: distinct normalised identifiers, as many as the matching names."""
        if len(items) != matching.helper_items:
            raise WrongAnswer("The set has another number of items than the matching names.")
        self._matching, self._items, self._raise = matching, items, raise_points
        self._domain, self._key = matching.domain(), entropy(KEY_BYTES)
        self._asked = _Stream(self._domain, "blinded", matching.learner_items)
        self._held: list[bytes] = []
        self._seen: set[bytes] = set()
        self.state = HELPER_STATES.start

    def own(self) -> Iterator[bytes]:
        """The messages to the learner with this side's points, in the order of their values."""
        self.state = HELPER_STATES.move(self.state, "own points sent")
        points = _cut(self._raise(self._key, points_of(self._items, self._domain)))
        _distinct(points)
        return _chunks(self._domain, "own", sorted(points))

    def take(self, message: bytes) -> list[bytes]:
        """Answer a message of the learner; where a count is shown, everything is answered after the last one."""
        if self.state != "answering":
            raise OutOfTurn("This side of the matching answers nothing now.")
        chunk = decode_msgpack(message, Chunk, CHUNK_BYTES)
        asked = self._asked.take(chunk)
        points = _cut(asked)
        if len(set(points)) != len(points) or not self._seen.isdisjoint(points):
            raise NotAnElement("The question holds a point twice.")
        self._seen.update(points)
        answered = _cut(self._raise(self._key, asked))
        replies: list[bytes] = []
        if self._matching.shows == "intersection":
            replies = list(_chunks(self._domain, "answered", answered, chunk.number))
        else:
            self._held += answered
        if self._asked.full:
            replies += _chunks(self._domain, "answered", sorted(self._held))
            self._key, self._held, self._seen = b"", [], set()
            self.state = HELPER_STATES.move(self.state, "everything answered")
        return replies
