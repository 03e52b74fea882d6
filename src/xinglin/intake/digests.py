"""Digests of 16 bytes under the ledger's key: which fact a row is a version of, what it says, whom it is about."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec

from xinglin.records.model import is_empty

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
        return self.facts([(value,) for value in row], 1)

    def name(self, key: Any) -> bytes:
        """Of the fact with that ``id``, whatever its version."""
        found = self._fact.copy()
        found.update(b"\x00%s" % str(key).encode("utf-8", "surrogatepass"))
        return found.digest()

    def facts(self, values: Sequence[Sequence[Any]], count: int) -> bytes:
        """``fact`` of every row, joined. ``values``: the columns, each of ``count`` rows."""
        begin, keys = self._fact.copy, values[self._id]
        versions = values[self._version] if self._version >= 0 else None
        found = []
        if versions is None or is_empty(versions):
            for key in keys:
                one = begin()
                one.update(f"\x00{key}\x000".encode("utf-8", "surrogatepass"))
                found.append(one.digest())
            return b"".join(found)
        for key, version in zip(keys, versions, strict=True):
            one = begin()
            one.update(f"\x00{key}\x00{version or 0}".encode("utf-8", "surrogatepass"))
            found.append(one.digest())
        return b"".join(found)

    def contents(self, values: Sequence[Sequence[Any]], count: int) -> bytes:
        """Of everything in each row but its place in the object; joined. Columns as for ``facts``."""
        told = [*values[: self._place], *values[self._place + 1 :]]
        begin, rows = self._content.copy, zip(*told, strict=True) if told else [()] * count
        found = []
        for data in map(_ENCODER.encode, rows):
            one = begin()
            one.update(data)
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
