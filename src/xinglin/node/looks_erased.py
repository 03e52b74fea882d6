"""Erasure reaches the book of looks: what persons said and the names in it go, the digests on its pages stay."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from xinglin.intake.erasing import Erasable, FoundPersons
from xinglin.node.joining import SALT_FILE
from xinglin.node.looks_counted import code_of
from xinglin.node.looks_store import has_look_book, open_look_book
from xinglin.node.settings import node_settings


class ErasableBook:
    """What an erasure sees of the lake (port ``intake.Erasable``), the node's book of looks with it."""

    def __init__(self, lake: Erasable, folder: Path) -> None:
        self._lake, self._folder = lake, folder

    def find(self, persons: Sequence[str]) -> FoundPersons:
        """See the port."""
        return self._lake.find(persons)

    def erase(self, persons: Sequence[str]) -> dict[str, int]:
        """See the port: the book first, while the links still tell by which keys a person stands in it."""
        gone = forget(self._folder, {*persons, *self._lake.find(persons).keys})
        rows = self._lake.erase(persons)
        return rows | {"looks": gone} if gone else rows


def forget(folder: Path, persons: set[str]) -> int:
    """Take these persons (every key of theirs) out of the node's book; how many looks and complaints named them."""
    settings = node_settings(folder).settings
    if not has_look_book(folder, settings):
        return 0
    salt = (folder / SALT_FILE).read_bytes() if (folder / SALT_FILE).exists() else b""
    book = open_look_book(folder, settings)
    try:
        return book.forget(persons, [code_of(one, salt) for one in sorted(persons)] if salt else ())
    finally:
        book.close()
