"""Digests of 16 bytes under the ledger's key: which fact a row is a version of, what it says, whom it is about."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from operator import itemgetter
from typing import Any

import msgspec

SIZE_BYTES = 16
_ENCODER = msgspec.msgpack.Encoder()


class RowDigests:
    """Digests of one source's rows of one table with the same columns.

    Guarantee: without the ledger's key a digest cannot be told from chance, so that nobody tries names with it.
    """

    def __init__(self, key: bytes, source: str, table: str, columns: tuple[str, ...]) -> None:
        name = b"\x00".join(text.encode() for text in (source, table))
        self._fact = hashlib.blake2b(name, digest_size=SIZE_BYTES, key=key, person=b"xinglin.fact")
        listed = "\x00".join(columns).encode()
        self._content = hashlib.blake2b(listed, digest_size=SIZE_BYTES, key=key, person=b"xinglin.content")
        self._id, self._place = columns.index("id"), columns.index("place")
        self._version = columns.index("version_at") if "version_at" in columns else -1
        told = [at for at in range(len(columns)) if at != self._place]
        # With one column left, a getter would give its value and no tuple.
        self._told = itemgetter(*told) if len(told) > 1 else lambda row: tuple(row[at] for at in told)

    def fact(self, row: tuple[Any, ...]) -> bytes:
        """Of the fact and its version."""
        return self.facts((row,))

    def name(self, row: tuple[Any, ...]) -> bytes:
        """Of the fact, whatever its version."""
        found = self._fact.copy()
        found.update(b"\x00%s" % str(row[self._id]).encode("utf-8", "surrogatepass"))
        return found.digest()

    def facts(self, rows: Iterable[tuple[Any, ...]]) -> bytes:
        """``fact`` of every row, joined."""
        begin, name_at, version_at = self._fact.copy, self._id, self._version
        found = []
        for row in rows:
            one = begin()
            version = (row[version_at] or 0) if version_at >= 0 else 0
            one.update(f"\x00{row[name_at]}\x00{version}".encode("utf-8", "surrogatepass"))
            found.append(one.digest())
        return b"".join(found)

    def contents(self, rows: Iterable[tuple[Any, ...]]) -> bytes:
        """Of everything in each row but its place in the object; joined."""
        begin, told, encode = self._content.copy, self._told, _ENCODER.encode
        found = []
        for row in rows:
            one = begin()
            one.update(encode(told(row)))
            found.append(one.digest())
        return b"".join(found)


def person_digest(key: bytes, person: str) -> bytes:
    """Of a person's key, as the lake has it (with the source's namespace)."""
    words = person.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(words, digest_size=SIZE_BYTES, key=key, person=b"xinglin.person").digest()


def qualified(namespace: str, key: str) -> str:
    """A source's key as the lake has it.

    >>> qualified("his", "Patient/1"), qualified("", "Patient/1")
    ('his/Patient/1', 'Patient/1')
    """
    return f"{namespace}/{key}" if namespace else key


def unqualified(namespace: str, key: str) -> str:
    """A key of the lake as its source writes it.

    >>> unqualified("his", "his/Patient/1"), unqualified("", "Patient/1")
    ('Patient/1', 'Patient/1')
    """
    return key.removeprefix(f"{namespace}/") if namespace else key
