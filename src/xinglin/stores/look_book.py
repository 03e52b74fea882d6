"""A hospital's book of looks in its node's database: places, looks, pages, complaints; nothing in it is ever undone."""

from __future__ import annotations

import os
import secrets
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec
from sqlalchemy import URL

from xinglin.access.complaint import Complaint
from xinglin.evidence.commitments import commit, derive_salt
from xinglin.evidence.looks import Look, Opening, OpenLook, Page, PlaceProof, chain
from xinglin.evidence.looks_tree import BLOCK, PageTree, is_marked, marked, root_of_level
from xinglin.kernel.codec import decode_msgpack, encode_msgpack
from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import Limit
from xinglin.stores import look_tables as sql
from xinglin.stores.database import Database, Work, sqlite_url

BOOK_FILE = "looks.db"
KEY_BYTES = 32
LEAST_PLACES = 1 << 16
"""A smaller hospital has as many places as this: of how few persons a book is, is not told."""
PLACES_TIMES = 4
LOOKS_AT_ONCE = Limit("looks on one page", 10_000, "looks")
_REST_S = 0.0005
"""Between blocks of a page: whoever answers a run's round in this process goes first."""


class PageRow(msgspec.Struct, frozen=True):
    """A page with its place in the log (-1: on its way)."""

    page: Page
    index: int
    level: bytes


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
        self._database.install(sql.meta, sql.SCHEMA_VERSION, accept_loss=accept_loss)
        self._database.write(sql.PUT_SECRET, name="key", value=entropy(KEY_BYTES))
        (found,) = self._database.rows(sql.SECRET, key="key")
        self._key = bytes(found["value"])

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
            if work.one(sql.KNOWN, key=look.use) is not None:
                return False
            places = self._places(work, codes)
            mark = zlib.compress(marked(iter(places), self._capacity(work)), 1)
            work.write(sql.ADD_LOOK, use=look.use, value=encode_msgpack(look), mark=mark)
        return True

    def knows(self, use: str) -> bool:
        """Whether the use is written down."""
        return self._database.one(sql.KNOWN, key=use) is not None

    def uses(self) -> frozenset[str]:
        """Runs that are written down."""
        return frozenset(row["use"] for row in self._database.rows(sql.USES))

    def waiting(self) -> int:
        """Looks that the next page is written for. A choice waits for another's page, or for the day's."""
        return int(self._database.rows(sql.COUNT_WAITING)[0]["looks"])

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
        """Put every look that waits on the next page. One writer a book: another's page in between is refused.

        The tree is made outside of the transaction: nobody who notes a look waits for it.
        """
        waiting = self._database.rows(sql.WAITING)[: LOOKS_AT_ONCE.value]
        before = self.last_page()
        found = self._database.one(sql.REACHED, key="capacity")
        capacity = int(found["value"]) if found else self._least
        number = before.page.number + 1 if before else 1
        looks = [decode_msgpack(bytes(row["value"]), Look) for row in waiting]
        marks = {self._commitment(one): zlib.decompress(row["mark"]) for one, row in zip(looks, waiting, strict=True)}
        level = bytearray()
        for block in PageTree(self._page_key(number), capacity, marks).level():
            level += block
            time.sleep(_REST_S)
        page = Page(
            node=node, number=number, at=at, upto=max(upto, before.page.upto if before else 0), capacity=capacity,
            root=root_of_level(bytes(level)).hex(), previous=before.page.digest() if before else "",
            covers=tuple(one.use for one in looks if one.is_covered),
            unknown=tuple(one.use for one in looks if not one.kept),
        )  # fmt: skip
        last = waiting[-1]["number"] if waiting else 0
        with self._database.alone() as work:
            work.write(sql.ADD_PAGE, number=number, value=encode_msgpack(page), level=bytes(level), index=-1)
            work.write(sql.PUT_ON, last=last, onto=number)
        return page

    def last_page(self) -> PageRow | None:
        """The newest page."""
        found = self._database.one(sql.LAST_PAGE)
        return _page(found) if found else None

    def pages(self, after: int = 0, until: int = 2**62) -> Iterator[PageRow]:
        """Pages in order."""
        return (_page(row) for row in self._database.rows(sql.PAGES, after=after, until=until))

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

    def place_proof(self, place: int, until: int) -> PlaceProof:
        """Every page up to ``until``, opened for one place."""
        by_page = self._marks_of(until)
        openings: list[Opening | None] = []
        looks: list[tuple[str, Look]] = []
        for row in self.pages(until=until):
            if place >= row.page.capacity:
                openings.append(None)
                continue
            marks = by_page.get(row.page.number, {})
            tree = PageTree(
                self._page_key(row.page.number), row.page.capacity, {name: mark for name, (_, mark) in marks.items()}
            )
            opening = tree.opening(place, row.level)
            openings.append(opening)
            looks += [(name, marks[name][0]) for name in opening.looks]
        links = tuple(chain(place, looks))
        shown = tuple(OpenLook(look, self._look_salt(look.use)) for _, look in looks)
        return PlaceProof(place, tuple(openings), shown, links[-1].digest if links else "")

    def looks_at(self, place: int) -> tuple[Look, ...]:
        """What concerns a place and is on no page yet, in order."""
        found = self._database.rows(sql.WAITING)
        here = (row for row in found if is_marked(zlib.decompress(row["mark"]), place))
        return tuple(decode_msgpack(bytes(row["value"]), Look) for row in here)

    def mismatches(self) -> tuple[int, ...]:
        """For an auditor at the hospital: pages whose root is not that of the looks and places that the book holds."""
        by_page = self._marks_of(2**62)
        wrong = []
        for row in self.pages():
            marks = {name: mark for name, (_, mark) in by_page.get(row.page.number, {}).items()}
            level = b"".join(PageTree(self._page_key(row.page.number), row.page.capacity, marks).level())
            if root_of_level(level).hex() != row.page.root:
                wrong.append(row.page.number)
        return tuple(wrong)

    def _marks_of(self, until: int) -> dict[int, dict[str, tuple[Look, bytes]]]:
        found: dict[int, dict[str, tuple[Look, bytes]]] = {}
        for row in self._database.rows(sql.ON_PAGES, after=0, until=until):
            look = decode_msgpack(bytes(row["value"]), Look)
            found.setdefault(row["page"], {})[self._commitment(look)] = look, zlib.decompress(row["mark"])
        return found

    def _commitment(self, look: Look) -> str:
        return commit(self._look_salt(look.use), look)

    def _look_salt(self, use: str) -> bytes:
        return derive_salt(self._key, f"look {use}")

    def _page_key(self, number: int) -> bytes:
        return derive_salt(self._key, f"blinds {number}")

    # --- complaints --------------------------------------------------------------------------

    def complain(self, complaint: Complaint) -> None:
        """Keep a complaint; the same again changes nothing."""
        self._database.write(sql.ADD_COMPLAINT, **msgspec.structs.asdict(complaint))

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

    def answer(self, complaint_id: str, answer: str, by: str, at: Instant) -> bool:
        """Keep the hospital's answer, once; whether this was the one."""
        return bool(self._database.write(sql.ANSWER, key=complaint_id, said=answer, when=at, whose=by))


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
