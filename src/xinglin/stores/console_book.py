"""A console's copy of the evidence log in one SQLite file, and an index of it that finds an entry in milliseconds.

The file is a log store (schema 1 of ``log_sqlite``) with the tables of book schema 1 beside it (append-only), so that
``fsck`` reads it like the hub's own. What was fetched lies above ``book.size`` until it is confirmed: no reader sees
it before, and what is not confirmed goes.
"""

from __future__ import annotations

import hashlib
import json
import queue
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from xinglin.evidence.tiles import TILE_HEIGHT
from xinglin.kernel.instants import Instant
from xinglin.stores.log_errors import LogClosed, LogCorrupt
from xinglin.stores.log_growth import grow, unpack_frontier
from xinglin.stores.log_sqlite import SqliteLogStore, typed_errors

SUBJECT, PARTY, NAMED = 0, 1, 2
"""Roles of a word in an entry: what it is about, who submitted it or is a party, what its body names."""
READERS = 4
BLOCK = 1024
DAY_MS = 86_400_000
_SCHEMA = """
CREATE TABLE IF NOT EXISTS book (one INTEGER PRIMARY KEY CHECK (one = 1), origin TEXT NOT NULL,
    size INTEGER NOT NULL, frontier BLOB NOT NULL, note TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS kind (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS said (idx INTEGER PRIMARY KEY, kind INTEGER NOT NULL, at INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS said_kind ON said (kind, idx);
CREATE TABLE IF NOT EXISTS mention (word INTEGER, role INTEGER, idx INTEGER, kind INTEGER NOT NULL,
    PRIMARY KEY (word, role, idx)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS word (text TEXT PRIMARY KEY, label INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS word_label ON word (text) WHERE label = 1;
CREATE TABLE IF NOT EXISTS span (block INTEGER PRIMARY KEY, low INTEGER NOT NULL, high INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS tally (day INTEGER, kind INTEGER, n INTEGER NOT NULL, PRIMARY KEY (day, kind)) WITHOUT ROWID;
"""
T = TypeVar("T")


class BookHead(msgspec.Struct, frozen=True):
    """How far the copy is verified: its size, the frontier of its tree, and the checkpoint note that it led to."""

    size: int
    frontier: tuple[bytes, ...]
    note: str


class Line(msgspec.Struct, frozen=True):
    """What the index keeps of one entry: ``words`` are (role, text, whether it is a label rather than an id)."""

    index: int
    kind: str
    at: Instant
    words: tuple[tuple[int, str, bool], ...]


class Wanted(msgspec.Struct, frozen=True):
    """A search. Empty fields ask nothing; ``words``: any of them in any role; ``after``: only below this index."""

    kind: str = ""
    subject: str = ""
    party: str = ""
    since: Instant | None = None
    until: Instant | None = None
    words: tuple[str, ...] | None = None
    after: int | None = None
    limit: int = 50


class BookStore(SqliteLogStore):
    """The copy of the log ``origin``; one writer, any number of reading threads.

    Raises ``LogCorrupt`` when the file belongs to another log.
    """

    def __init__(self, path: Path | str, origin: str) -> None:
        self._idle: queue.LifoQueue[sqlite3.Connection] = queue.LifoQueue()
        super().__init__(path)
        for _ in range(READERS):
            self._idle.put(self._open())
        self._write(lambda connection: _install(connection, origin))
        found = self._read(lambda c: c.execute("SELECT origin FROM book").fetchone()[0])
        if found != origin:
            self.close()
            raise LogCorrupt(f"The file holds the log {found!r}, not {origin!r}.", remedy="Name the right folder.")
        self.forget_unconfirmed()

    # --- growing -------------------------------------------------------------------------------

    def head(self) -> BookHead:
        """How far the copy is verified."""
        query = "SELECT size, frontier, note FROM book"
        size, packed, note = self._read(lambda c: c.execute(query).fetchone())
        return BookHead(int(size), unpack_frontier(packed), note)

    def stage(self, entries: Sequence[bytes], lines: Sequence[Line]) -> tuple[int, tuple[bytes, ...]]:
        """Keep the next entries, unconfirmed, with their index; the tree's size and frontier with them."""

        def put(connection: sqlite3.Connection) -> tuple[int, tuple[bytes, ...]]:
            size, packed = connection.execute("SELECT size, frontier FROM head").fetchone()
            growth = grow(size, unpack_frontier(packed), entries)
            self._store(connection, growth, entries)
            _index(connection, lines)
            return growth.size, growth.frontier

        return self._write(put)

    def confirm(self, note: str) -> None:
        """Everything staged is of the log whose checkpoint ``note`` is: from now on it is seen."""

        def put(connection: sqlite3.Connection) -> None:
            size, frontier = connection.execute("SELECT size, frontier FROM head").fetchone()
            (before,) = connection.execute("SELECT size FROM book").fetchone()
            connection.execute(_TALLIED, (before, size))
            connection.execute(_SPANNED, (before, size))
            connection.execute("UPDATE book SET size = ?, frontier = ?, note = ?", (size, frontier, note))

        self._write(put)

    def forget_unconfirmed(self) -> None:
        """Take away what was staged and never confirmed."""

        def drop(connection: sqlite3.Connection) -> None:
            (staged,) = connection.execute("SELECT size FROM head").fetchone()
            size, packed = connection.execute("SELECT size, frontier FROM book").fetchone()
            if staged == size:
                return
            for table in ("entry", "said", "mention"):
                connection.execute(f"DELETE FROM {table} WHERE idx >= ?", (size,))  # noqa: S608 (three fixed names)
            connection.execute("DELETE FROM node WHERE (idx + 1) << (? * level) > ?", (TILE_HEIGHT, size))
            connection.execute("UPDATE head SET size = ?, frontier = ?", (size, packed))

        self._write(drop)

    def forget_everything(self) -> None:
        """Be a copy of nothing, of the same log."""

        def drop(connection: sqlite3.Connection) -> None:
            for table in ("entry", "node", "batch", "checkpoint", "kind", "said", "mention", "word", "span", "tally"):
                connection.execute(f"DELETE FROM {table}")  # noqa: S608 (fixed names)
            connection.execute("UPDATE head SET size = 0, frontier = x''")
            connection.execute("UPDATE book SET size = 0, frontier = x'', note = ''")

        self._write(drop)

    # --- reading -------------------------------------------------------------------------------

    def of_kinds(self, kinds: Sequence[str], batch: int = 2048) -> Iterator[tuple[int, bytes]]:
        """Confirmed entries of these kinds with their indices, oldest first."""
        query = (
            "SELECT said.idx, entry.body FROM said JOIN entry ON entry.idx = said.idx"
            " WHERE said.idx > ? AND said.idx < (SELECT size FROM book)"
            " AND said.kind IN (SELECT id FROM kind WHERE name IN (SELECT value FROM json_each(?)))"
            " ORDER BY said.idx LIMIT ?"
        )
        at = -1
        while True:
            rows = self._rows(query, (at, json.dumps(kinds), batch))
            yield from rows
            if len(rows) < batch:
                return
            at = rows[-1][0]

    def of_party(self, kinds: Sequence[str], party: str, after: int = -1) -> list[int]:
        """Indices of confirmed entries of these kinds that name a participant, above ``after``, oldest first."""
        query = (
            "SELECT idx FROM mention WHERE word = ? AND role = ? AND idx > ? AND idx < (SELECT size FROM book)"
            " AND kind IN (SELECT id FROM kind WHERE name IN (SELECT value FROM json_each(?))) ORDER BY idx"
        )
        return [row[0] for row in self._rows(query, (word_key(party), PARTY, after, json.dumps(kinds)))]

    def about(self, subject: str, limit: int = -1) -> list[int]:
        """Indices of the entries of one subject, oldest first; ``limit`` -1: all."""
        return self._mentioned(subject, SUBJECT, limit)

    def naming(self, word: str, limit: int) -> list[int]:
        """Indices of the entries whose body names ``word``, oldest first."""
        return self._mentioned(word, NAMED, limit)

    def _mentioned(self, word: str, role: int, limit: int) -> list[int]:
        query = (
            "SELECT idx FROM mention WHERE word = ? AND role = ? AND idx < (SELECT size FROM book) ORDER BY idx LIMIT ?"
        )
        return [row[0] for row in self._read(lambda c: c.execute(query, (word_key(word), role, limit)).fetchall())]

    def found(self, wanted: Wanted) -> list[int]:
        """Indices that fit, newest first, at most ``wanted.limit``."""
        if wanted.words is not None and not wanted.words:
            return []
        return self._read(lambda connection: _found(connection, wanted))

    def bodies(self, indices: Sequence[int]) -> list[bytes]:
        """The entries at these indices, in their order; raises ``LogCorrupt`` where one is not there."""
        query = "SELECT CAST(body AS BLOB) FROM entry WHERE idx = ?"
        rows = self._read(lambda c: [c.execute(query, (index,)).fetchone() for index in indices])
        if not all(rows):
            raise LogCorrupt("The console's copy of the log lacks an entry.", remedy="Start the console again.")
        return [row[0] for row in rows]

    def words_like(self, text: str, limit: int = 20) -> list[str]:
        """Ids that begin with ``text``, then labels that hold it, in any case."""
        most = text + chr(0x10FFFF)
        begins = "SELECT text FROM word WHERE text >= ? AND text < ? LIMIT ?"
        holds = "SELECT text FROM word WHERE label = 1 AND instr(lower(text), lower(?)) > 0 LIMIT ?"

        def read(connection: sqlite3.Connection) -> list[str]:
            rows = connection.execute(begins, (text, most, limit)).fetchall()
            rows += connection.execute(holds, (text, limit)).fetchall()
            return list(dict.fromkeys(row[0] for row in rows))[:limit]

        return self._read(read)

    def tally(self, since: Instant = 0) -> dict[str, int]:
        """How many entries of each kind there are since the UTC day of an instant."""
        query = "SELECT name, sum(n) FROM tally JOIN kind ON kind.id = tally.kind WHERE day >= ? GROUP BY name"
        return dict(self._read(lambda c: c.execute(query, (since // DAY_MS,)).fetchall()))

    def days(self, kind: str, since: Instant = 0) -> list[tuple[Instant, int]]:
        """(start of a UTC day, entries of ``kind`` on it), oldest first."""
        query = "SELECT day, n FROM tally JOIN kind ON kind.id = tally.kind WHERE name = ? AND day >= ? ORDER BY day"
        rows = self._read(lambda c: c.execute(query, (kind, since // DAY_MS)).fetchall())
        return [(day * DAY_MS, count) for day, count in rows]

    def _rows(self, query: str, values: Sequence[object]) -> list[tuple[int, bytes]]:
        return self._read(lambda connection: connection.execute(query, values).fetchall())

    def close(self) -> None:
        """Close every connection; later calls raise ``LogClosed``."""
        super().close()
        while not self._idle.empty():
            self._idle.get_nowait().close()

    def _open(self) -> sqlite3.Connection:
        connection = super()._open()
        # A copy: what a power cut takes is fetched again.
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    def _read(self, act: Callable[[sqlite3.Connection], T]) -> T:
        if self._closed:
            raise LogClosed("The log store is closed.")
        connection = self._idle.get()
        try:
            with typed_errors():
                return act(connection)
        finally:
            if self._closed:
                connection.close()
            else:
                self._idle.put(connection)


def word_key(text: str) -> int:
    """A word as the index names it: 64 bits of its hash, signed. Whoever finds by it compares the entry itself."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big", signed=True)


_TALLIED = (
    f"INSERT INTO tally SELECT at / {DAY_MS}, kind, count(*) FROM said WHERE idx >= ? AND idx < ? GROUP BY 1, 2 "  # noqa: S608
    "ON CONFLICT (day, kind) DO UPDATE SET n = n + excluded.n"
)
_SPANNED = (
    f"INSERT INTO span SELECT idx / {BLOCK}, min(at), max(at) FROM said WHERE idx >= ? AND idx < ? GROUP BY 1 "  # noqa: S608
    "ON CONFLICT (block) DO UPDATE SET low = min(low, excluded.low), high = max(high, excluded.high)"
)


def _install(connection: sqlite3.Connection, origin: str) -> None:
    for statement in _SCHEMA.split(";"):
        if statement.strip():
            connection.execute(statement)
    connection.execute("INSERT OR IGNORE INTO book VALUES (1, ?, 0, x'', '')", (origin,))


def _index(connection: sqlite3.Connection, lines: Sequence[Line]) -> None:
    names = {line.kind for line in lines}
    connection.executemany("INSERT OR IGNORE INTO kind (name) VALUES (?)", [(name,) for name in sorted(names)])
    kinds = {name: number for number, name in connection.execute("SELECT id, name FROM kind")}
    connection.executemany("INSERT INTO said VALUES (?, ?, ?)", [(one.index, kinds[one.kind], one.at) for one in lines])
    words = {(text, label): word_key(text) for line in lines for _, text, label in line.words}
    connection.executemany(
        "INSERT INTO word VALUES (?, ?) ON CONFLICT (text) DO UPDATE SET label = max(label, excluded.label)"
        " WHERE label < excluded.label",
        sorted(words),
    )
    connection.executemany(
        "INSERT OR IGNORE INTO mention VALUES (?, ?, ?, ?)",
        sorted(
            (words[text, label], role, line.index, kinds[line.kind])
            for line in lines
            for role, text, label in line.words
        ),
    )


def _found(connection: sqlite3.Connection, wanted: Wanted) -> list[int]:
    bounds = _bounds(connection, wanted)
    kind = None
    if wanted.kind:
        row = connection.execute("SELECT id FROM kind WHERE name = ?", (wanted.kind,)).fetchone()
        if row is None:
            return []
        kind = int(row[0])
    filters = [
        _Filter((wanted.subject,), (SUBJECT, NAMED)) if wanted.subject else None,
        _Filter((wanted.party,), (PARTY,)) if wanted.party else None,
        _Filter(wanted.words, (SUBJECT, PARTY, NAMED)) if wanted.words is not None else None,
    ]
    given = [one for one in filters if one is not None]
    sources = given[0].pairs if given else ()
    query, values = _statement(sources, given[1:], kind, bounds, wanted)
    return [row[0] for row in connection.execute(query, values)]


class _Filter(msgspec.Struct, frozen=True):
    """Any of these words in any of these roles."""

    words: tuple[str, ...]
    roles: tuple[int, ...]

    @property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        return tuple((word_key(word), role) for word in self.words for role in self.roles)


def _statement(
    sources: Sequence[tuple[int, int]],
    others: Sequence[_Filter],
    kind: int | None,
    bounds: tuple[int, int],
    wanted: Wanted,
) -> tuple[str, list[int]]:
    """One ordered, limited look-up for each source, and the newest of all of them."""
    parts: list[str] = []
    values: list[int] = []
    for source in sources or (None,):
        table, own = ("mention", list(source)) if source is not None else ("said", [])
        clauses = ["m.word = ? AND m.role = ?"] if source is not None else []
        clauses.append("m.idx >= ? AND m.idx < ?")
        own += bounds
        if kind is not None:
            clauses.append("m.kind = ?")
            own.append(kind)
        if wanted.since is not None or wanted.until is not None:
            clauses.append("EXISTS (SELECT 1 FROM said s WHERE s.idx = m.idx AND s.at >= ? AND s.at < ?)")
            own += [wanted.since or 0, wanted.until if wanted.until is not None else 2**53]
        for other in others:
            pairs = " OR ".join(["f.word = ? AND f.role = ? AND f.idx = m.idx"] * len(other.pairs))
            clauses.append(f"EXISTS (SELECT 1 FROM mention f WHERE {pairs})")  # noqa: S608 (marks alone)
            own += [number for pair in other.pairs for number in pair]
        parts.append(
            f"SELECT * FROM (SELECT m.idx FROM {table} m WHERE {' AND '.join(clauses)}"  # noqa: S608 (fixed texts)
            " ORDER BY m.idx DESC LIMIT ?)"
        )
        values += [*own, wanted.limit]
    union = " UNION ".join(parts)
    return f"SELECT idx FROM ({union}) ORDER BY idx DESC LIMIT ?", [*values, wanted.limit]  # noqa: S608


def _bounds(connection: sqlite3.Connection, wanted: Wanted) -> tuple[int, int]:
    """The indices among which everything of the time asked for lies: entries come nearly in order of time."""
    (end,) = connection.execute("SELECT size FROM book").fetchone()
    low, high = 0, int(end)
    if wanted.after is not None:
        high = min(high, wanted.after)
    if wanted.since is not None:
        (block,) = connection.execute("SELECT min(block) FROM span WHERE high >= ?", (wanted.since,)).fetchone()
        low = high if block is None else block * BLOCK
    if wanted.until is not None:
        (block,) = connection.execute("SELECT max(block) FROM span WHERE low < ?", (wanted.until,)).fetchone()
        high = 0 if block is None else min(high, (block + 1) * BLOCK)
    return low, high
