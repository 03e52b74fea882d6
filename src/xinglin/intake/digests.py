"""Digests of 16 bytes under the ledger's key: which fact a row is a version of, what it says, whom it is about."""

from __future__ import annotations

import hashlib
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

    def fact(self, row: tuple[Any, ...]) -> bytes:
        """Of the fact and its version."""
        found = self._fact.copy()
        version = row[self._version] if self._version >= 0 else None
        found.update(b"\x00%s\x00%d" % (str(row[self._id]).encode("utf-8", "surrogatepass"), version or 0))
        return found.digest()

    def name(self, row: tuple[Any, ...]) -> bytes:
        """Of the fact, whatever its version."""
        found = self._fact.copy()
        found.update(b"\x00%s" % str(row[self._id]).encode("utf-8", "surrogatepass"))
        return found.digest()

    def content(self, row: tuple[Any, ...]) -> bytes:
        """Of everything in the row but its place in the object."""
        found = self._content.copy()
        found.update(_ENCODER.encode(row[: self._place] + row[self._place + 1 :]))
        return found.digest()


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
