"""A node's terminology on its disk: code systems, maps, value sets, and the review queue of local codes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from xinglin.kernel.codec import decode_msgpack, encode_msgpack
from xinglin.kernel.instants import Instant
from xinglin.records.terminology.local import Decision, LocalCode, LocalKey, State, decide
from xinglin.records.terminology.model import (
    CONCEPTS,
    CodeSystem,
    Concept,
    ConceptMap,
    Equivalence,
    Provenance,
    Translation,
    ValueSet,
    VocabularyFile,
)
from xinglin.stores.terms_database import TermsDatabase

TERMS_FILE = "terms.db"
REMEMBERED = 65_536
"""Answers kept in memory of each kind of point look-up, until something changes."""

_SYSTEM = "url, version, name, source, licence, digest, loaded_at, hierarchical, case_sensitive, concepts, fragment"
_DOWN = """WITH RECURSIVE down(code) AS (SELECT code FROM parent WHERE system = :system AND parent = :code
    UNION SELECT parent.code FROM parent JOIN down ON parent.system = :system AND parent.parent = down.code)
    SELECT code FROM down WHERE code != :code ORDER BY code"""
_UP = """WITH RECURSIVE up(code) AS (SELECT parent FROM parent WHERE system = :system AND code = :code
    UNION SELECT parent.parent FROM parent JOIN up ON parent.system = :system AND parent.code = up.code)
    SELECT code FROM up"""


class TermsStore:
    """A ``Vocabulary`` and a ``TermsSource`` in one file; one process writes, others read what was committed."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self._database = TermsDatabase(path, read_only=read_only)
        self._remembered = -1
        self._found = lru_cache(REMEMBERED)(self._concept)
        self._above = lru_cache(REMEMBERED)(self._ancestors)
        self._numbers: dict[tuple[str, str], tuple[int, CodeSystem] | None] = {}

    @classmethod
    def in_folder(cls, folder: Path, *, read_only: bool = False) -> TermsStore:
        """The terminology of a node's folder."""
        return cls(folder / TERMS_FILE, read_only=read_only)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def stamp(self) -> int:
        """See the port ``TermsSource``."""
        return self._database.stamp()

    # --- loading -----------------------------------------------------------------------------

    def load(self, file: VocabularyFile, at: Instant) -> None:
        """Take in everything that a loader gave, in one transaction; it becomes what is meant without a version.

        The same version of the same system, map or value set takes the place of the one before.
        """
        for _, concepts in file.systems:
            CONCEPTS.check(len(concepts))

        def work(c: sqlite3.Connection) -> None:
            for system, concepts in file.systems:
                _put_system(c, system, concepts, at)
            for one in file.maps:
                _put_map(c, one, at)
            for value_set in file.value_sets:
                c.execute("UPDATE value_set SET current = 0 WHERE url = ?", (value_set.url,))
                row = (value_set.url, value_set.version, at, encode_msgpack(value_set))
                c.execute(
                    "INSERT OR REPLACE INTO value_set (url, version, loaded_at, value, current) VALUES (?,?,?,?,1)", row
                )

        self._database.write(work)

    # --- the vocabulary ----------------------------------------------------------------------

    def systems(self) -> tuple[CodeSystem, ...]:
        """See the port."""
        rows = self._database.rows(f"SELECT {_SYSTEM} FROM system ORDER BY url, version")  # noqa: S608
        return tuple(_system(row) for row in rows)

    def system(self, url: str, version: str = "") -> CodeSystem | None:
        """See the port."""
        held = self._number(url, version)
        return held[1] if held else None

    def concept(self, url: str, code: str, version: str = "") -> Concept | None:
        """See the port."""
        held = self._number(url, version)
        if held is None:
            return None
        found = self._found(held[0], code)
        if found is None and not held[1].case_sensitive:
            query = "SELECT code FROM concept WHERE system = ? AND code = ? COLLATE NOCASE LIMIT 1"
            rows = self._database.rows(query, (held[0], code))
            found = self._found(held[0], rows[0][0]) if rows else None
        return found

    def concepts(self, url: str, version: str = "", text: str = "") -> Iterator[Concept]:
        """See the port."""
        held = self._number(url, version)
        if held is None:
            return
        wanted = text.casefold()
        after, page = "", 2_000
        while True:
            found = self._page(held[0], after, page)
            for concept in found:
                if not wanted or any(wanted in name.casefold() for name in (concept.code, *concept.names())):
                    yield concept
            if len(found) < page:
                return
            after = found[-1].code

    def is_below(self, url: str, code: str, ancestor: str, version: str = "") -> bool:
        """See the port."""
        held = self._number(url, version)
        return held is not None and code != ancestor and ancestor in self._above(held[0], code)

    def below(self, url: str, code: str, version: str = "", *, children_only: bool = False) -> Iterator[str]:
        """See the port."""
        held = self._number(url, version)
        if held is None:
            return
        if children_only:
            query = "SELECT code FROM parent WHERE system = ? AND parent = ? ORDER BY code"
            rows = self._database.rows(query, (held[0], code))
        else:
            rows = self._database.rows(_DOWN.replace(":system", "?1").replace(":code", "?2"), (held[0], code))
        yield from (row[0] for row in rows)

    def value_set(self, url: str, version: str = "") -> ValueSet | None:
        """See the port."""
        which = "version = ?" if version else "current = 1 AND ? = ''"
        rows = self._database.rows(f"SELECT value FROM value_set WHERE url = ? AND {which}", (url, version))  # noqa: S608
        return decode_msgpack(rows[0][0], ValueSet) if rows else None

    def maps(self) -> tuple[ConceptMap, ...]:
        """See the port."""
        query = "SELECT url, version, name, source, licence, digest, loaded_at, elements FROM map WHERE current = 1"
        return tuple(
            ConceptMap(row[0], row[1], row[2], Provenance(*row[3:7]), (), row[7])
            for row in self._database.rows(query + " ORDER BY url")
        )

    def mapped_systems(self) -> frozenset[str]:
        """See the port ``TermsSource``."""
        query = "SELECT DISTINCT system FROM element WHERE map IN (SELECT id FROM map WHERE current = 1)"
        return frozenset(row[0] for row in self._database.rows(query))

    def translations(self, system: str, code: str, url: str = "") -> tuple[Translation, ...]:
        """See the port."""
        query = """SELECT element.target, target_system, equivalence, display, map.url FROM element
            JOIN map ON map.id = element.map WHERE system = ? AND code = ? AND map.current = 1 AND ? IN ('', map.url)
            ORDER BY map.id, number"""
        rows = self._database.rows(query, (system, code, url))
        return tuple(Translation(r[0], r[1], msgspec.convert(r[2], Equivalence), r[3], r[4]) for r in rows)

    # --- local codes ---------------------------------------------------------------------------

    def decide(self, decisions: Sequence[Decision]) -> tuple[LocalCode, ...]:
        """The next version of each local code, all in one transaction; raises as ``local.decide`` does."""

        def work(c: sqlite3.Connection) -> tuple[LocalCode, ...]:
            done = []
            for decision in decisions:
                key = msgspec.structs.astuple(decision.key)
                where = "source = ? AND place = ? AND system = ? AND code = ? AND current = 1"
                held = c.execute(f"SELECT value FROM local WHERE {where}", key).fetchone()  # noqa: S608
                after = decide(decode_msgpack(held[0], LocalCode) if held else None, decision)
                c.execute(f"UPDATE local SET current = 0 WHERE {where}", key)  # noqa: S608
                row = (*key, after.version, after.state, 1, encode_msgpack(after))
                c.execute("INSERT INTO local VALUES (?,?,?,?,?,?,?,?)", row)
                done.append(after)
            return tuple(done)

        return self._database.write(work)

    def local(self, state: State | None = None, source: str = "") -> tuple[LocalCode, ...]:
        """Local codes as they are now, most frequent first."""
        query = "SELECT value FROM local WHERE current = 1 AND ? IN ('', state) AND ? IN ('', source)"
        found = [decode_msgpack(row[0], LocalCode) for row in self._database.rows(query, (state or "", source))]
        return tuple(sorted(found, key=lambda one: (-one.seen, one.key)))

    def accepted(self) -> tuple[LocalCode, ...]:
        """See the port ``TermsSource``."""
        return self.local("accepted")

    def history(self, key: LocalKey) -> tuple[LocalCode, ...]:
        """Every version of a local code, oldest first."""
        query = "SELECT value FROM local WHERE source = ? AND place = ? AND system = ? AND code = ? ORDER BY version"
        rows = self._database.rows(query, msgspec.structs.astuple(key))
        return tuple(decode_msgpack(row[0], LocalCode) for row in rows)

    # --- looking up ----------------------------------------------------------------------------

    def _number(self, url: str, version: str) -> tuple[int, CodeSystem] | None:
        stamp = self._database.stamp()
        if stamp != self._remembered:
            self._numbers.clear()
            self._found.cache_clear()
            self._above.cache_clear()
            self._remembered = stamp
        if (url, version) not in self._numbers:
            which = "version = ?" if version else "current = 1 AND ? = ''"
            query = f"SELECT id, {_SYSTEM} FROM system WHERE url = ? AND {which}"  # noqa: S608
            rows = self._database.rows(query, (url, version))
            self._numbers[url, version] = (rows[0][0], _system(rows[0][1:])) if rows else None
        return self._numbers[url, version]

    def _concept(self, number: int, code: str) -> Concept | None:
        query = "SELECT code, display, inactive, properties FROM concept WHERE system = ? AND code = ?"
        rows = self._database.rows(query, (number, code))
        return self._whole(number, rows)[0] if rows else None

    def _page(self, number: int, after: str, count: int) -> list[Concept]:
        query = "SELECT code, display, inactive, properties FROM concept WHERE system = ? AND code > ? ORDER BY code"
        return self._whole(number, self._database.rows(query + " LIMIT ?", (number, after, count)))

    def _whole(self, number: int, rows: list[Any]) -> list[Concept]:
        """Concepts with their designations and parents, of rows in the order of their codes."""
        if not rows:
            return []
        span = (number, rows[0][0], rows[-1][0])
        names: dict[str, list[tuple[str, str]]] = {}
        where = "WHERE system = ? AND code BETWEEN ? AND ?"
        for code, language, text in self._database.rows(f"SELECT code, language, text FROM designation {where}", span):  # noqa: S608
            names.setdefault(code, []).append((language, text))
        wider: dict[str, list[str]] = {}
        for code, parent in self._database.rows(f"SELECT code, parent FROM parent {where}", span):  # noqa: S608
            wider.setdefault(code, []).append(parent)
        return [
            Concept(
                code,
                display,
                tuple(wider.get(code, ())),
                tuple(names.get(code, ())),
                msgspec.msgpack.decode(properties, type=tuple[tuple[str, str], ...]) if properties else (),
                bool(inactive),
            )
            for code, display, inactive, properties in rows
        ]

    def _ancestors(self, number: int, code: str) -> frozenset[str]:
        query = _UP.replace(":system", "?1").replace(":code", "?2")
        return frozenset(row[0] for row in self._database.rows(query, (number, code)))


def _put_system(c: sqlite3.Connection, system: CodeSystem, concepts: Sequence[Concept], at: Instant) -> None:
    held = c.execute("SELECT id FROM system WHERE url = ? AND version = ?", (system.url, system.version)).fetchone()
    if held:
        for table in ("concept", "designation", "parent"):
            c.execute(f"DELETE FROM {table} WHERE system = ?", held)  # noqa: S608 (fixed names)
        c.execute("DELETE FROM system WHERE id = ?", held)
    c.execute("UPDATE system SET current = 0 WHERE url = ?", (system.url,))
    told, flags = system.provenance, (system.hierarchical, system.case_sensitive, len(concepts), system.fragment)
    row = (system.url, system.version, system.name, told.source, told.licence, told.digest, at, *flags)
    number = c.execute(f"INSERT INTO system ({_SYSTEM}, current) VALUES (?,?,?,?,?,?,?,?,?,?,?,1)", row).lastrowid  # noqa: S608
    c.executemany("INSERT OR IGNORE INTO concept VALUES (?,?,?,?,?)", _concept_rows(number, concepts))
    c.executemany(
        "INSERT OR IGNORE INTO designation VALUES (?,?,?,?,?)",
        ((number, one.code, k, *pair) for one in concepts for k, pair in enumerate(one.designations)),
    )
    c.executemany(
        "INSERT OR IGNORE INTO parent VALUES (?,?,?)",
        ((number, one.code, parent) for one in concepts for parent in one.parents),
    )


def _concept_rows(number: int | None, concepts: Iterable[Concept]) -> Iterator[tuple[Any, ...]]:
    for one in concepts:
        properties = msgspec.msgpack.encode(one.properties) if one.properties else None
        yield number, one.code, one.display, one.inactive, properties


def _put_map(c: sqlite3.Connection, one: ConceptMap, at: Instant) -> None:
    held = c.execute("SELECT id FROM map WHERE url = ? AND version = ?", (one.url, one.version)).fetchone()
    if held:
        c.execute("DELETE FROM element WHERE map = ?", held)
        c.execute("DELETE FROM map WHERE id = ?", held)
    c.execute("UPDATE map SET current = 0 WHERE url = ?", (one.url,))
    told = one.provenance
    row = (one.url, one.version, one.name, told.source, told.licence, told.digest, at, len(one.elements))
    names = "url, version, name, source, licence, digest, loaded_at, elements, current"
    number = c.execute(f"INSERT INTO map ({names}) VALUES (?,?,?,?,?,?,?,?,1)", row).lastrowid  # noqa: S608
    c.executemany(
        "INSERT INTO element VALUES (?,?,?,?,?,?,?,?)",
        (
            (number, e.source_system, e.code, k, e.target, e.target_system, e.equivalence, e.display)
            for k, e in enumerate(one.elements)
        ),
    )


def _system(row: Sequence[Any]) -> CodeSystem:
    url, version, name, source, licence, digest, loaded_at, hierarchical, case_sensitive, concepts, fragment = row
    told = Provenance(source, licence, digest, loaded_at)
    return CodeSystem(url, version, name, told, bool(hierarchical), bool(case_sensitive), concepts, bool(fragment))
