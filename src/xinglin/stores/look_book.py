"""A hospital's book of looks in its node's database. Nothing in it is undone; what names a person can be erased."""

from __future__ import annotations

import itertools
import os
import secrets
import time
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, MutableMapping
from pathlib import Path

import msgspec
from sqlalchemy import URL, Executable

from xinglin.access.complaint import Complaint
from xinglin.evidence.commitments import commit, derive_salt, new_salt
from xinglin.evidence.looks import Look, Opening, OpenLook, Page, PlaceProof, chain
from xinglin.evidence.looks_tree import (
    BLOCK,
    PART_BYTES,
    PageTree,
    is_marked,
    marked,
    opening_of,
    part_of,
    root_of_level,
)
from xinglin.kernel.codec import decode_msgpack, encode_msgpack
from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import Limit
from xinglin.stores import look_tables as sql
from xinglin.stores.database import Database, Row, Work, sqlite_url
from xinglin.stores.database_errors import StoreUnavailable

BOOK_FILE = "looks.db"
KEY_BYTES = 32
LEAST_PLACES = 1 << 16
"""A smaller hospital has as many places as this: of how few persons a book is, is not told."""
PLACES_TIMES = 4
LOOKS_AT_ONCE = Limit("looks on one page", 10_000, "looks")
MARKS_AT_ONCE = Limit("marks of a page in memory", 256 * 1024 * 1024, "bytes")
"""More looks than fit go onto the page after: a page of a large book holds fewer."""
_REST_S = 0.0005
"""Between blocks of a page: whoever answers a run's round in this process goes first."""
_ROWS = 64
_LEAN = 1_000
"""Rows that are read at once: of what holds marks or levels, and of what a person alone is marked in."""


class PageRow(msgspec.Struct, frozen=True):
    """A page with its place in the log (-1: on its way)."""

    page: Page
    index: int
    level: bytes


class _Kept(msgspec.Struct, frozen=True):
    """A look as the book holds it: ``commitment``: what its page says of it; ``mark``: deflated."""

    number: int
    look: Look
    salt: bytes
    commitment: str
    mark: bytes


class OpenedPage(msgspec.Struct, frozen=True):
    """A page opened for one place (``opening`` None: it has no such place), and its looks there by commitment."""

    opening: Opening | None
    looks: tuple[tuple[str, OpenLook], ...] = ()


Opened = MutableMapping[tuple[int, int], OpenedPage]
"""Pages by place and number that were opened before: what a page says of a place is the same for ever."""


class LookBook:
    """SQLite in the node's folder, or PostgreSQL by URL; every write is durable when its call returns.

    Guarantee: one look a use, whoever notes it and however often; a look is on one page; pages have no gap.
    """

    def __init__(
        self,
        url: str | URL,
        *,
        entropy: Callable[[int], bytes] = os.urandom,
        least: int = LEAST_PLACES,
        accept_loss: bool = False,
    ) -> None:
        self._database, self._least = Database(url, sql.SCHEMA), max(least, BLOCK)
        self._entropy = entropy
        self._database.install(sql.meta, sql.SCHEMA_VERSION, accept_loss=accept_loss)
        if self._database.one(sql.SECRET, key="key") is None:
            self._database.write(sql.PUT_SECRET, name="key", value=entropy(KEY_BYTES))
        (found,) = self._database.rows(sql.SECRET, key="key")
        self._key = bytes(found["value"])

    @classmethod
    def opened(cls, folder: Path, url: str = "") -> LookBook:
        """The book at ``url`` where there is one, else in ``folder``."""
        return cls(url) if url else cls.in_folder(folder)

    @classmethod
    def in_folder(cls, folder: Path) -> LookBook:
        """The database file ``looks.db`` in ``folder``."""
        return cls(sqlite_url(folder / BOOK_FILE))

    def close(self) -> None:
        """Close every connection."""
        self._database.close()

    # --- looks -------------------------------------------------------------------------------

    def note(self, look: Look, codes: Iterable[bytes]) -> bool:
        """Write down a look at the persons of ``codes`` (8 bytes each); False where it is written down already."""
        with self._database.alone() as work:
            return self._note(work, look, codes)

    def _note(self, work: Work, look: Look, codes: Iterable[bytes]) -> bool:
        if work.one(sql.KNOWN, key=look.use) is not None:
            return False
        places = self._places(work, codes)
        mark = zlib.compress(marked(iter(places), self._capacity(work)), 1)
        work.write(sql.ADD_LOOK, use=look.use, value=encode_msgpack(look), mark=mark)
        salt, row = new_salt(self._entropy), work.one(sql.KNOWN, key=look.use)
        assert row is not None
        work.write(sql.ADD_SEAL, number=row["number"], salt=salt, commitment=commit(salt, look))
        return True

    def knows(self, use: str) -> bool:
        """Whether the use is written down."""
        return self._database.one(sql.KNOWN, key=use) is not None

    def look(self, use: str) -> Look | None:
        """What is written down of a use."""
        found = self._database.one(sql.LOOK, key=use)
        return self._kept(found).look if found else None

    def concerns(self, use: str, place: int) -> bool:
        """Whether a look is written down that concerns a place."""
        found = self._database.one(sql.LOOK, key=use)
        return found is not None and is_marked(zlib.decompress(found["mark"]), place)

    def uses(self) -> frozenset[str]:
        """Runs that are written down."""
        return frozenset(row["use"] for row in self._database.rows(sql.USES))

    def waiting(self) -> int:
        """Looks that wait for a page; choices, which write none on any clock, are not among them."""
        return int(self._database.rows(sql.COUNT_WAITING)[0]["looks"])

    def waiting_uses(self) -> int:
        """Uses that wait for a page: the log has a leaf of each, so that a page for them tells nothing new."""
        return int(self._database.rows(sql.COUNT_USES)[0]["looks"])

    def reached(self, name: str) -> int:
        """How far somebody read who reads on from there (0 at first)."""
        found = self._database.one(sql.REACHED, key=name)
        return int(found["value"]) if found else 0

    def reach(self, name: str, value: int) -> None:
        """Keep how far somebody read."""
        self._database.write(sql.PUT_REACHED, name=name, value=value)

    def place(self, code: bytes) -> int | None:
        """The place of a person's code."""
        found = self._database.one(sql.PLACE, key=code)
        return int(found["place"]) if found else None

    def _places(self, work: Work, codes: Iterable[bytes]) -> list[int]:
        """A place for each; new ones are drawn by lot, so that no place tells how many came before."""
        wanted = set(codes)
        few = len(wanted) <= 16
        known = _some(work, wanted) if few else {bytes(row["code"]): row["place"] for row in work.rows(sql.PLACES)}
        fresh = sorted(wanted - known.keys())
        if fresh:
            taken = {row["place"] for row in work.rows(sql.PLACES)} if few else set(known.values())
            capacity = self._grown(work, len(taken) + len(fresh))
            rows = []
            for code in fresh:
                drawn = secrets.randbelow(capacity)
                while drawn in taken:
                    drawn = secrets.randbelow(capacity)
                taken.add(drawn)
                known[code] = drawn
                rows.append({"code": code, "place": drawn})
            work.write_many(sql.ADD_PLACE, rows)
        return [known[code] for code in wanted]

    def _capacity(self, work: Work) -> int:
        found = work.one(sql.REACHED, key="capacity")
        return int(found["value"]) if found else self._least

    def _grown(self, work: Work, persons: int) -> int:
        """Places, twice as many as persons at least, so that the lot finds a free one soon."""
        capacity = before = self._capacity(work)
        while capacity < 2 * persons:
            capacity *= PLACES_TIMES
        if capacity != before:
            work.write(sql.PUT_REACHED, name="capacity", value=capacity)
        return capacity

    # --- pages -------------------------------------------------------------------------------

    def write_page(self, node: str, upto: int, at: Instant) -> Page:
        """Put what waits on the next page. One writer a book: another's page in between is refused.

        Where more waits than one page holds, the page covers no more than the one before it: ``upto`` is then that
        one's, and the call is made again. The tree is made outside of the transaction: nobody who notes a look waits.
        """
        before = self.last_page()
        found = self._database.one(sql.REACHED, key="capacity")
        capacity = int(found["value"]) if found else self._least
        waiting, whole = self._next(capacity)
        number, covered = (before.page.number + 1, before.page.upto) if before else (1, 0)
        marks = {one.commitment: zlib.decompress(one.mark) for one in waiting}
        level = bytearray()
        for block in PageTree(self._page_key(number), capacity, marks).level():
            level += block
            time.sleep(_REST_S)
        looks = [one.look for one in waiting]
        page = Page(
            node=node, number=number, at=at, upto=max(upto, covered) if whole else covered, capacity=capacity,
            root=root_of_level(bytes(level)).hex(), previous=before.page.digest() if before else "",
            covers=tuple(one.use for one in looks if one.is_covered),
            unknown=tuple(one.use for one in looks if not one.kept),
        )  # fmt: skip
        last = waiting[-1].number if waiting else 0
        with self._database.alone() as work:
            work.write(sql.ADD_PAGE, number=number, value=encode_msgpack(page), level=bytes(level), index=-1)
            work.write(sql.PUT_ON, last=last, onto=number)
        return page

    def _next(self, capacity: int) -> tuple[list[_Kept], bool]:
        """What goes on the next page, and whether that is all that waits."""
        most = min(LOOKS_AT_ONCE.value, max(1, MARKS_AT_ONCE.value * 8 // capacity))
        found = list(itertools.islice(self._walk(sql.WAITING, _ROWS), most + 1))
        return found[:most], len(found) <= most

    def last_page(self) -> PageRow | None:
        """The newest page."""
        found = self._database.one(sql.LAST_PAGE)
        return _page(found) if found else None

    def pages(self, after: int = 0, until: int = 2**62) -> Iterator[PageRow]:
        """Pages in order."""
        while rows := self._database.rows(sql.PAGES, after=after, until=until, most=_ROWS):
            yield from map(_page, rows)
            after = rows[-1]["number"]

    def unposted(self) -> tuple[PageRow, ...]:
        """Pages that are not known to be in the log, in order."""
        return tuple(map(_page, self._database.rows(sql.UNPOSTED)))

    def posted(self, number: int, index: int) -> None:
        """Keep where a page's leaf is."""
        self._database.write(sql.POSTED, key=number, leaf=index)

    def last_posted(self) -> int:
        """The number of the newest page that is in the log (0: none)."""
        found = self._database.one(sql.LAST_POSTED)
        return int(found["number"]) if found else 0

    def page_salt(self, number: int) -> bytes:
        """The salt of a page's commitment in the log."""
        return derive_salt(self._key, f"page {number}")

    # --- proofs ------------------------------------------------------------------------------

    def place_proof(self, place: int, until: int, opened: Opened | None = None) -> PlaceProof:
        """Every page up to ``until``, opened for one place; those that are not among ``opened`` are added there."""
        before = {} if opened is None else opened
        openings: list[Opening | None] = []
        looks: list[tuple[str, OpenLook]] = []
        for row in self.pages(until=until):
            key = place, row.page.number
            found = before.get(key)
            if found is None:
                found = before[key] = self._opened(place, row)
            openings.append(found.opening)
            looks += found.looks
        links = tuple(chain(place, ((name, one.look) for name, one in looks)))
        return PlaceProof(place, tuple(openings), tuple(one for _, one in looks), links[-1].digest if links else "")

    def _opened(self, place: int, row: PageRow) -> OpenedPage:
        """One page, opened for a place; in memory is one mark at a time, up to the place."""
        if place >= row.page.capacity:
            return OpenedPage(None)
        parts, shown = {}, {}
        for one in self._walk(sql.ON_PAGE, _ROWS, onto=row.page.number):
            parts[one.commitment] = _part(one.mark, place // BLOCK)
            if is_marked(parts[one.commitment], place % BLOCK):
                shown[one.commitment] = OpenLook(one.look, one.salt)
        opening = opening_of(self._page_key(row.page.number), place, parts, row.level)
        return OpenedPage(opening, tuple((name, shown[name]) for name in opening.looks))

    def looks_at(self, place: int, after_page: int) -> tuple[Look, ...]:
        """What concerns a place and is on no page up to ``after_page`` yet, in order."""
        waiting = self._walk(sql.NOT_SHOWN, _ROWS, shown=after_page)
        return tuple(one.look for one in waiting if is_marked(_part(one.mark, place // BLOCK), place % BLOCK))

    def mismatches(self) -> tuple[int, ...]:
        """For an auditor at the hospital: pages whose root is not that of the looks and places that the book holds."""
        wrong = []
        for row in self.pages():
            on_page = self._walk(sql.ON_PAGE, _ROWS, onto=row.page.number)
            marks = {one.commitment: zlib.decompress(one.mark) for one in on_page}
            level = b"".join(PageTree(self._page_key(row.page.number), row.page.capacity, marks).level())
            if root_of_level(level).hex() != row.page.root:
                wrong.append(row.page.number)
        return tuple(wrong)

    def _walk(self, statement: Executable, most: int, **values: int) -> Iterator[_Kept]:
        after = 0
        while rows := self._database.rows(statement, after=after, most=most, **values):
            yield from map(self._kept, rows)
            after = rows[-1]["number"]

    def _kept(self, row: Row) -> _Kept:
        look, salt = decode_msgpack(bytes(row["value"]), Look), row["salt"]
        if salt is None:  # written before looks had salts of their own
            derived = derive_salt(self._key, f"look {look.use}")
            return _Kept(row["number"], look, derived, commit(derived, look), bytes(row["mark"]))
        return _Kept(row["number"], look, bytes(salt), row["commitment"], bytes(row["mark"]))

    def _page_key(self, number: int) -> bytes:
        return derive_salt(self._key, f"blinds {number}")

    # --- erasure -----------------------------------------------------------------------------

    def forget(self, persons: Collection[str], codes: Collection[bytes]) -> int:
        """Take out what names these persons (their keys, and their codes); how many looks and complaints it was.

        Their complaints go; their looks lose their words, their name and the salt that opens what a page says of them:
        that digest stays, since other persons' proofs lead through it. Their places stay taken, under nobody's code.
        SQLite's file is written anew; a server's files are for its owner. Done again, it does what is left.
        """
        with self._database.alone() as work:
            rows = [row for code in codes if (row := work.one(sql.PLACE, key=code)) is not None]
            places = [int(row["place"]) for row in rows]
            gone = sum(work.write(sql.FORGET_COMPLAINTS, about_person=one) for one in persons)
            after = 0
            while found := work.rows(sql.PERSONAL, after=after, most=_LEAN):
                after = found[-1]["number"]
                for one in map(self._kept, found):
                    if _names(one, persons, places):
                        self._redact(work, one)
                        gone += 1
            for code in codes:
                work.write(sql.FREE_PLACE, key=code, nobody=self._entropy(_NOBODY_BYTES))
        if self._database.is_sqlite:
            self._database.write(sql.MAKE_ANEW)
            if self._database.rows(sql.EMPTY_LOG)[0]["busy"]:
                raise StoreUnavailable("Somebody reads the book of looks.", remedy="Erase again: the words are gone.")
        return gone

    def _redact(self, work: Work, one: _Kept) -> None:
        use = f"erased:{self._entropy(16).hex()}" if one.look.kind == "enrolment" else one.look.use
        look = msgspec.structs.replace(one.look, use=use, about="", words="")
        work.write(sql.REDACT, key=one.number, new_use=use, new_value=encode_msgpack(look))
        work.write(sql.PUT_SEAL, number=one.number, salt=b"", commitment=one.commitment)

    # --- complaints --------------------------------------------------------------------------

    def complain(self, complaint: Complaint, look: Look, codes: Iterable[bytes], most: int) -> bool:
        """Keep a complaint with its look, both or neither; False where ``most`` of the person's wait already."""
        with self._database.alone() as work:
            (found,) = work.rows(sql.COUNT_OPEN, about_person=complaint.person)
            if found["open"] >= most:
                return False
            work.write(sql.ADD_COMPLAINT, **msgspec.structs.asdict(complaint))
            self._note(work, look, codes)
        return True

    def complaints(self, person: str = "") -> tuple[Complaint, ...]:
        """Complaints, of one person or all, oldest first."""
        rows = (
            self._database.rows(sql.COMPLAINTS_OF, about_person=person)
            if person
            else self._database.rows(sql.COMPLAINTS)
        )
        return tuple(Complaint(**row) for row in rows)

    def complaint(self, complaint_id: str) -> Complaint | None:
        """One complaint."""
        found = self._database.one(sql.COMPLAINT, key=complaint_id)
        return Complaint(**found) if found else None

    def answer(self, complaint_id: str, look: Look, codes: Iterable[bytes]) -> bool:
        """Keep the hospital's answer (``look``) once, and note it, both or neither; whether this was the one."""
        with self._database.alone() as work:
            said = {"said": look.words, "when": look.at, "whose": look.asker_name}
            if not work.write(sql.ANSWER, key=complaint_id, **said):
                return False
            self._note(work, look, codes)
        return True


_NOBODY_BYTES = 16
"""A code of a person has 8: none is ever this."""
_WORDS_OF = ("complaint", "answer", "lookup", "break-glass")


def _names(one: _Kept, persons: Collection[str], places: Collection[int]) -> bool:
    """Whether a look names one of the persons, or holds words of one of the places."""
    look = one.look
    if look.kind == "enrolment" and look.about in persons:
        return True
    if look.kind != "enrolment" and not (look.words and look.kind in _WORDS_OF):
        return False
    return any(is_marked(_part(one.mark, place // BLOCK), place % BLOCK) for place in places)


def _part(mark: bytes, block: int) -> bytes:
    """One block of a deflated mark; what comes after is not inflated."""
    return part_of(zlib.decompressobj().decompress(mark, (block + 1) * PART_BYTES), block)


def _some(work: Work, codes: Iterable[bytes]) -> dict[bytes, int]:
    found = {}
    for code in codes:
        row = work.one(sql.PLACE, key=code)
        if row is not None:
            found[code] = int(row["place"])
    return found


def _page(row: dict[str, object]) -> PageRow:
    value, level, index = row["value"], row["level"], row["index"]
    assert isinstance(value, bytes) and isinstance(level, bytes) and isinstance(index, int)
    return PageRow(decode_msgpack(value, Page), index, level)
