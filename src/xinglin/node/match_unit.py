"""The linkage unit: a third party that compares filters of two hospitals, and keeps none.

It checks that both hospitals logged the same terms and that it is the unit they name, compares, logs before anything
leaves, tells each hospital its own links alone, and deletes the filters: also where it ends in a refusal or by filters
that cannot be compared, of which both hospitals are told. It sees how alike any two records are, and
numbers; it has no key, no name and no identifier. What it could still find out is written in docs/matching.md.
"""

from __future__ import annotations

import msgspec

from xinglin.kernel.codec import decode_msgpack, encode_msgpack
from xinglin.kernel.errors import MalformedMessage, XinglinError
from xinglin.kernel.verdict import Reason, deny
from xinglin.node.intersecting import GOES_ON
from xinglin.node.match_book import Book
from xinglin.node.match_line import Journal, NoParcel, Progress, no_progress
from xinglin.node.match_post import Post
from xinglin.secure.blind.filters import RECORDS, unpack
from xinglin.secure.blind.linkage import COMPARISONS, Blocking, Link, link
from xinglin.stores.desk import NotRunning
from xinglin.trust.keys import PrivateKeys
from xinglin.wire.errors import Refused
from xinglin.wire.linking import ID_BYTES, RECORDS_AT_ONCE, SHIPPED, Filters, Linked, LinkTerms
from xinglin.wire.matching import Told

_LINKS_AT_ONCE = RECORDS_AT_ONCE
_GOES_ON = GOES_ON | {NoParcel.code, NotRunning.code}
"""After these the unit is started again, and goes on with the filters that it has."""


class Unit:
    """One linkage at the unit."""

    def __init__(
        self,
        keys: PrivateKeys,
        operator: str,
        posts: tuple[Post, Post],
        journal: Journal,
        book: Book,
        progress: Progress = no_progress,
    ) -> None:
        """``posts``: to the hospital that proposes, and to the one that accepts."""
        self._keys, self._operator = keys, operator
        self._left, self._right = posts
        self._journal, self._book, self._progress = journal, book, progress

    def serve(self) -> dict[str, object]:
        """Wait for both hospitals' filters and answer; numbers alone. ``Refused`` where the two do not agree.

        The filters are deleted whatever comes of it, but for a silent hospital, a log that is away and a node that
        does not run: then the same command goes on.
        """
        try:
            done = self._compared()
        except XinglinError as error:
            codes = set(error.codes) if isinstance(error, Refused) else {error.code}
            if not codes & _GOES_ON:
                try:
                    self._tell(error)
                finally:
                    self._over()
            raise
        self._over()
        return done

    def _compared(self) -> dict[str, object]:
        terms, first, told = self._head(self._left)
        other, second, theirs = self._head(self._right)
        sessions = {self._left.session.hex(), self._right.session.hex()}
        if terms != other or sessions != {terms.session}:
            raise _refused("node.match_terms", "The hospitals name different terms for this linkage.")
        parties = (self._left.peer, self._right.peer, self._keys.did)
        if (terms.left, terms.right, terms.unit) != parties or self._operator in parties:
            raise _refused("node.match_unit", "The terms name another unit or other hospitals.")
        if terms.plan != SHIPPED.digest().hex() or terms.version != 1:
            raise _refused("node.match_plan", "The terms name filters that are not the shipped ones.")
        said = msgspec.to_builtins(terms)
        self._book.check("admitted", self._left.session, terms.left, said, told)
        self._book.check("admitted", self._right.session, terms.right, said, theirs)
        left = unpack(self._rest(self._left, first, terms.left_records), SHIPPED)
        right = unpack(self._rest(self._right, second, terms.right_records), SHIPPED)
        self._progress("comparing", 0, len(left) * len(right))
        blocking = None if len(left) * len(right) <= COMPARISONS.value else Blocking()
        links = link(left, right, terms.threshold_permille / 1000, blocking)
        released = self._book.log("release-authorised", self._left.session, parties[:2], said, links=len(links))
        self._answer(released, links)
        self._book.log("delivered", self._left.session, parties[:2], {"session": terms.session})
        return {"session": terms.session, "left": len(left), "right": len(right), "links": len(links)}

    def _head(self, post: Post) -> tuple[LinkTerms, Filters, Told]:
        parcel = post.hear("filters")
        post.session = parcel.session
        first = decode_msgpack(parcel.body, Filters)
        return first.terms, first, first.told

    def _rest(self, post: Post, first: Filters, records: int) -> bytes:
        """All filters of one hospital, exactly as many as the terms name."""
        RECORDS.check(records)
        size, data, number = records * SHIPPED.words * 8, bytearray(first.data), 1
        while len(data) < size:
            part = decode_msgpack(post.hear("filters").body, Filters)
            if part.number != number or part.terms != first.terms or not part.data:
                raise _refused("node.match_turn", "Filters came out of their order.")
            data += part.data
            number += 1
        if first.number or len(data) != size:
            raise _refused("node.match_records", "A hospital sent another number of filters than it said.")
        return bytes(data)

    def _answer(self, told: Told, links: list[Link]) -> None:
        import numpy as np

        draw = self._journal.entropy(b"links")
        ids = [draw(ID_BYTES) for _ in links]
        if len(set(ids)) != len(ids):
            raise MalformedMessage("Two links were given one pseudonym.", remedy="Begin the linkage anew.")
        for post, side in ((self._left, "left"), (self._right, "right")):
            order = sorted(range(len(links)), key=lambda at, side=side: getattr(links[at], side))  # type: ignore[misc]
            of = max(1, -(-len(order) // _LINKS_AT_ONCE))
            for number in range(of):
                part = order[number * _LINKS_AT_ONCE : (number + 1) * _LINKS_AT_ONCE]
                places = np.array([getattr(links[at], side) for at in part], dtype="<u4").tobytes()
                scores = np.array([int(links[at].score * 1000) for at in part], dtype="<u2").tobytes()
                told_ids = b"".join(ids[at] for at in part)
                post.say("linked", encode_msgpack(Linked(told, number, of, places, told_ids, scores)))

    def _tell(self, error: XinglinError) -> None:
        """Both hospitals do not wait for what will not come; nobody is told of a session that is not known."""
        words = "The linkage unit could not use what it was sent."
        reasons = error.reasons if isinstance(error, Refused) else (Reason(error.code, words, "Begin anew."),)
        session = self._left.session or self._right.session
        for post in (self._left, self._right) if session else ():
            post.session = post.session or session
            post.refuse(reasons)

    def _over(self) -> None:
        self._left.destroy()
        self._right.destroy()
        self._journal.done()


def _refused(code: str, words: str) -> Refused:
    return Refused(deny(code, words).reasons)
