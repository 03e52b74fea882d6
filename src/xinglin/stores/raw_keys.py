"""The key table of a raw store: data keys wrapped under key-encrypting keys, tombstones, and the erasure's journal.

One SQLite file, ``synchronous=FULL``, apart from the ciphertext. A segment or large object has a key of its own,
whose number is its file's name and is never used twice; whoever deletes the key has erased every copy of the file.
A copy of *this* file made before an erasure still opens what was erased: rotate afterwards and destroy the old
key-encrypting key, and such a copy is useless too.

Schema 1 (append-only). A *mark* is HMAC-SHA-256 of an object's digest under a key of the store: index and
tombstones hold marks and no digests, since a digest lets anyone who guesses a short message confirm the guess.
"""

from __future__ import annotations

import hmac
import os
import sqlite3
import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from xinglin.kernel.instants import Instant
from xinglin.stores.raw_database import RawDatabase
from xinglin.stores.raw_errors import RawForeign, RawTooNew, RawWrongKey
from xinglin.stores.raw_format import STORE_ID_BYTES, damaged
from xinglin.stores.raw_model import SUITE, Kek, KeyRing, RawSettings, Step, no_step

SCHEMA_VERSION = 1
RESERVE_KEYS = 32
REWRAP_KEYS = 1_000
_CACHED_KEYS = 4_096
_NAMES_AT_ONCE = 500
_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS kek (id TEXT PRIMARY KEY, binding BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS key (id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, kek TEXT NOT NULL,
    wrapped BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS tombstone (mark BLOB PRIMARY KEY, erased_at INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS erasure (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, state TEXT NOT NULL,
    replacement INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS loss (segment INTEGER, sequence INTEGER, at INTEGER NOT NULL,
    PRIMARY KEY (segment, sequence)) WITHOUT ROWID;
"""


class Erasure(msgspec.Struct, frozen=True):
    """A segment or object that has to go. ``state``: doomed (key there), shredded (key gone, file to remove)."""

    id: int
    kind: str
    state: str
    replacement: int


class KeyTable:
    """The keys of one store. Open it with a ring that holds every key-encrypting key that is still in use."""

    def __init__(self, path: Path, ring: KeyRing, settings: RawSettings, read_only: bool = False) -> None:
        self._ring = ring
        self._lock = threading.Lock()
        self._reserve: list[int] = []
        self._ciphers: dict[int, AESGCM] = {}
        self._read_only = read_only
        self._database = RawDatabase(path, _SCHEMA, SCHEMA_VERSION, "FULL", settings.busy_timeout_s, read_only)
        try:
            self.store_id, self.tenant = self._identify(settings.tenant)
            self._check_ring()
            self._mark_key = self._find_mark_key()
        except BaseException:
            self._database.close()
            raise

    def mark(self, digest: bytes) -> bytes:
        """The name under which this store remembers an object."""
        return hmac.digest(self._mark_key, digest, "sha256")

    def take(self) -> int:
        """The number of a fresh data key, durable before anything is sealed under it."""
        with self._lock:
            if not self._reserve:
                self._reserve = self._database.write(lambda c: [self._add(c, "data") for _ in range(RESERVE_KEYS)])
            return self._reserve.pop(0)

    def give_back(self, key_id: int) -> None:
        """A key that nothing was sealed under."""
        with self._lock:
            self._reserve.insert(0, key_id)

    def cipher(self, key_id: int) -> AESGCM:
        """The cipher under a data key; ``RawDamaged`` where the key is gone or altered."""
        known = self._ciphers.get(key_id)
        if known is None:
            known = AESGCM(self._unwrap(key_id, "data"))
            if len(self._ciphers) >= _CACHED_KEYS:
                self._ciphers.clear()
            self._ciphers[key_id] = known
        return known

    def erased_at(self, mark: bytes) -> Instant | None:
        """When the object of that mark was erased, or None."""
        rows = self._database.read("SELECT erased_at FROM tombstone WHERE mark = ?", (mark,))
        return int(rows[0][0]) if rows else None

    def erased(self, marks: Sequence[bytes]) -> set[bytes]:
        """Those of ``marks`` that have a tombstone."""
        found: set[bytes] = set()
        for start in range(0, len(marks), _NAMES_AT_ONCE):
            part = tuple(marks[start : start + _NAMES_AT_ONCE])
            query = f"SELECT mark FROM tombstone WHERE mark IN ({','.join('?' * len(part))})"  # noqa: S608
            found.update(row[0] for row in self._database.read(query, part))
        return found

    def key_ids(self) -> set[int]:
        """Every data key's number."""
        return {row[0] for row in self._database.read("SELECT id FROM key WHERE kind = 'data'")}

    def spare(self) -> set[int]:
        """Numbers made in reserve by this process and not used yet."""
        with self._lock:
            return set(self._reserve)

    def floor(self) -> int:
        """No sequence number up to this one is given again."""
        return int(self._meta("floor") or 0)

    def destroy(self, key_ids: Sequence[int]) -> None:
        """Delete data keys that protect nothing (their files were never finished)."""
        self._drop(key_ids)
        self._database.write(lambda c: c.executemany("DELETE FROM key WHERE id = ?", [(each,) for each in key_ids]))

    def number_above(self, key_id: int) -> None:
        """No key's number up to this one is given again."""
        if key_id > int(self._database.read("SELECT seq FROM sqlite_sequence WHERE name = 'key'")[0][0]):
            query = "UPDATE sqlite_sequence SET seq = ? WHERE name = 'key'"
            self._database.write(lambda c: c.execute(query, (key_id,)))

    def begin_erasure(self, marks: Sequence[bytes], doomed: Sequence[Erasure], floor: int, now: Instant) -> None:
        """In one durable step: tombstones for ``marks``, and what has to go for their sake."""

        def work(c: sqlite3.Connection) -> None:
            c.executemany("INSERT OR IGNORE INTO tombstone VALUES (?, ?)", [(mark, now) for mark in marks])
            rows = [(one.id, one.kind, one.state, one.replacement) for one in doomed]
            c.executemany("INSERT OR IGNORE INTO erasure VALUES (?, ?, ?, ?)", rows)
            c.execute("INSERT OR REPLACE INTO meta VALUES ('floor', max(?, coalesce(?, 0)))", (floor, self.floor()))

        self._database.write(work)

    def erasures(self) -> list[Erasure]:
        """What still has to go, in order."""
        rows = self._database.read("SELECT id, kind, state, replacement FROM erasure ORDER BY id")
        return [Erasure(*row) for row in rows]

    def plan_replacement(self, doomed: int, replacement: int) -> None:
        """Say which key's file will stand for a doomed segment, before it is written."""
        self._database.write(
            lambda c: c.execute("UPDATE erasure SET replacement = ? WHERE id = ?", (replacement, doomed))
        )

    def shred(self, doomed: int, lost: Sequence[int], now: Instant) -> None:
        """Destroy a doomed key; ``lost``: objects that were damaged before and cannot be carried over."""
        self._drop([doomed])

        def work(c: sqlite3.Connection) -> None:
            c.execute("DELETE FROM key WHERE id = ?", (doomed,))
            c.execute("UPDATE erasure SET state = 'shredded' WHERE id = ?", (doomed,))
            c.executemany("INSERT OR IGNORE INTO loss VALUES (?, ?, ?)", [(doomed, each, now) for each in lost])

        self._database.write(work)

    def end_erasure(self, doomed: int) -> None:
        """Its file is gone too."""
        self._database.write(lambda c: c.execute("DELETE FROM erasure WHERE id = ?", (doomed,)))

    def forget(self) -> None:
        """Leave no byte of a deleted key in this file."""
        self._database.forget()

    def losses(self) -> list[tuple[int, int]]:
        """Segment and sequence of objects that were damaged when their segment was rewritten (0: unknown)."""
        return [(row[0], row[1]) for row in self._database.read("SELECT segment, sequence FROM loss")]

    def rotate(self, ring: KeyRing, step: Step = no_step) -> int:
        """Rewrap everything under ``ring.current``; how many keys that were. Goes on where it was stopped."""
        for kek_id, binding in self._database.read("SELECT id, binding FROM kek"):
            self._check_binding(ring, kek_id, binding)
        self._ring = ring
        self._bind(ring.current)
        count = 0
        while rewrapped := self._database.write(partial(self._rewrap, new=ring.current)):
            count += rewrapped
            step("rewrapped")
        self._database.write(lambda c: c.execute("DELETE FROM kek WHERE id <> ?", (ring.current.id,)))
        step("rotated")
        self._database.forget()
        return count

    def keks(self) -> list[str]:
        """Ids of the key-encrypting keys in use."""
        return [row[0] for row in self._database.read("SELECT id FROM kek ORDER BY id")]

    def unreadable(self) -> list[int]:
        """Numbers of data keys that cannot be unwrapped."""
        rows = self._database.read("SELECT id, kek, wrapped FROM key WHERE kind = 'data'")
        return [row[0] for row in rows if self._open_wrapped(row[0], "data", row[1], row[2]) is None]

    def close(self) -> None:
        """Delete the reserve, and close."""
        reserve, self._reserve = self._reserve, []
        if reserve and not self._read_only:
            self.destroy(reserve)
        self._ciphers.clear()
        self._database.close()

    def _rewrap(self, c: sqlite3.Connection, new: Kek) -> int:
        query = "SELECT id, kind, kek, wrapped FROM key WHERE kek <> ? LIMIT ?"
        rows = c.execute(query, (new.id, REWRAP_KEYS)).fetchall()
        for key_id, kind, kek_id, wrapped in rows:
            plain = self._open_wrapped(key_id, kind, kek_id, wrapped)
            if plain is None:
                raise damaged(f"Key {key_id} cannot be unwrapped, so the rotation cannot end.")
            sealed = self._wrap(key_id, kind, new, plain)
            c.execute("UPDATE key SET kek = ?, wrapped = ? WHERE id = ?", (new.id, sealed, key_id))
        return len(rows)

    def _drop(self, key_ids: Sequence[int]) -> None:
        for each in key_ids:
            self._ciphers.pop(each, None)

    def _meta(self, name: str) -> Any:
        rows = self._database.read("SELECT value FROM meta WHERE name = ?", (name,))
        return rows[0][0] if rows else None

    def _identify(self, tenant: str) -> tuple[bytes, str]:
        def work(c: sqlite3.Connection) -> None:
            if not c.execute("SELECT 1 FROM meta WHERE name = 'store'").fetchone():
                rows = [("store", os.urandom(STORE_ID_BYTES)), ("tenant", tenant), ("suite", SUITE)]
                c.executemany("INSERT INTO meta VALUES (?, ?)", rows)

        if not self._read_only:
            self._database.write(work)
        if self._meta("suite") != SUITE:
            raise RawTooNew("The keys are wrapped under another suite.", remedy="Start the newer version of xinglin.")
        store = self._meta("store")
        if not isinstance(store, bytes) or len(store) != STORE_ID_BYTES:
            raise damaged("The key table does not say whose it is.")
        if self._meta("tenant") != tenant:
            raise RawForeign("This folder belongs to another tenant.", remedy="Check the folder and the tenant.")
        return store, tenant

    def _check_ring(self) -> None:
        bindings = self._database.read("SELECT id, binding FROM kek")
        for kek_id, binding in bindings:
            self._check_binding(self._ring, kek_id, binding)
        if not self._read_only and self._ring.current.id not in {row[0] for row in bindings}:
            self._bind(self._ring.current)

    def _bind(self, kek: Kek) -> None:
        nonce = os.urandom(12)
        binding = nonce + AESGCM(kek.key).encrypt(nonce, b"", self._bound_to(kek.id))
        self._database.write(lambda c: c.execute("INSERT OR REPLACE INTO kek VALUES (?, ?)", (kek.id, binding)))

    def _check_binding(self, ring: KeyRing, kek_id: str, binding: bytes) -> None:
        kek = ring.find(kek_id)
        if kek is None:
            raise RawWrongKey(
                f"Keys of this folder are wrapped under {kek_id!r}, which was not handed in.",
                remedy="Hand it in as an old key, or check whose folder this is.",
            )
        try:
            AESGCM(kek.key).decrypt(binding[:12], binding[12:], self._bound_to(kek_id))
        except (InvalidTag, ValueError) as error:
            raise RawWrongKey(
                f"The key handed in as {kek_id!r} is another one than this folder's.",
                remedy="Check the key and whose folder this is.",
            ) from error

    def _bound_to(self, kek_id: str) -> bytes:
        # Lengths before the words: no two stores and tenants give the same bytes.
        parts = [SUITE.encode(), self.store_id, self.tenant.encode(), kek_id.encode()]
        return b"xinglin raw kek\0" + b"".join(len(part).to_bytes(4, "big") + part for part in parts)

    def _find_mark_key(self) -> bytes:
        def work(c: sqlite3.Connection) -> None:
            if not c.execute("SELECT 1 FROM key WHERE kind = 'mark'").fetchone():
                self._add(c, "mark")

        if not self._read_only:
            self._database.write(work)
        rows = self._database.read("SELECT id FROM key WHERE kind = 'mark'")
        if not rows:
            raise damaged("The key table holds no key for marks.")
        return self._unwrap(rows[0][0], "mark")

    def _add(self, c: sqlite3.Connection, kind: str) -> int:
        kek = self._ring.current
        key_id = c.execute("INSERT INTO key (kind, kek, wrapped) VALUES (?, ?, x'')", (kind, kek.id)).lastrowid or 0
        wrapped = self._wrap(key_id, kind, kek, os.urandom(32))
        c.execute("UPDATE key SET wrapped = ? WHERE id = ?", (wrapped, key_id))
        return key_id

    def _wrap(self, key_id: int, kind: str, kek: Kek, plain: bytes) -> bytes:
        nonce = os.urandom(12)
        return nonce + AESGCM(kek.key).encrypt(
            nonce, plain, self._bound_to(kek.id) + b"%d %s" % (key_id, kind.encode())
        )

    def _unwrap(self, key_id: int, kind: str) -> bytes:
        rows = self._database.read("SELECT kek, wrapped FROM key WHERE id = ? AND kind = ?", (key_id, kind))
        if not rows:
            raise damaged(f"Key {key_id} is not in the key table.")
        if self._ring.find(rows[0][0]) is None:
            raise RawWrongKey(f"Keys were rotated to {rows[0][0]!r}.", remedy="Open the store with that key.")
        plain = self._open_wrapped(key_id, kind, *rows[0])
        if plain is None:
            raise damaged(f"Key {key_id} cannot be unwrapped.")
        return plain

    def _open_wrapped(self, key_id: int, kind: str, kek_id: str, wrapped: bytes) -> bytes | None:
        kek = self._ring.find(kek_id)
        try:
            bound = self._bound_to(kek_id) + b"%d %s" % (key_id, kind.encode())
            return None if kek is None else AESGCM(kek.key).decrypt(wrapped[:12], wrapped[12:], bound)
        except (InvalidTag, ValueError):
            return None
