"""The offline bundle of a use: entries of the log, each proved, in one file for whoever has no network."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

import msgspec

from xinglin.console.book_readme import read_me
from xinglin.console.errors import NotThere, TooMany
from xinglin.evidence.notes import Note
from xinglin.evidence.receipt import build_receipt, verify_receipt
from xinglin.evidence.tiles import TileReader
from xinglin.kernel.instants import Clock
from xinglin.kernel.limits import Limit
from xinglin.sdk.logbook import Found
from xinglin.stores.console_book import BookStore
from xinglin.stores.evidence_archive import README, Manifest, Proved, write_archive
from xinglin.wire.record import SpaceRecord
from xinglin.wire.space import Space

BUNDLE_BYTES = Limit("entries of a bundle", 8 * 1024 * 1024, "bytes")
BUNDLES_AT_ONCE = 2
"""So many bundles are proved at once: each is up to a few seconds of a processor."""
_WAIT_S = 20.0


class Proving(Protocol):
    """What a bundle is made from: ``book.Book``."""

    space: Space
    clock: Clock
    store: BookStore
    hashes: TileReader

    @property
    def record(self) -> SpaceRecord:
        """Keys and policy."""

    def name(self, did: str) -> str:
        """A participant's label."""


_places = threading.BoundedSemaphore(BUNDLES_AT_ONCE)


def bundle_of(book: Proving, subject: str, found: Sequence[Found], note: Note, size: int) -> bytes:
    """The bundle of entries under the checkpoint ``note`` of ``size``.

    Raises ``NotThere`` for none, ``TooMany`` while others are made, ``LimitExceeded`` for too much.
    """
    with _one_of_few():
        proved: list[Proved] = []
        for one in found:
            if one.index < size:
                proved.append(_proof(book, one.index, note))
                BUNDLE_BYTES.check(sum(len(each.data) for each in proved))
    if not proved:
        raise NotThere("The log holds nothing of this.", remedy="Search the evidence for it.")
    dids = {did for one in found for did in (one.entry.submitter, *one.entry.parties)}
    manifest = Manifest(
        subject=subject,
        origin=book.space.origin,
        space=book.space.name,
        made=book.clock(),
        indices=tuple(one.index for one in proved),
        names={did: book.name(did) for did in sorted(dids)},
    )
    others = {
        README: read_me(manifest).encode(),
        "space.json": msgspec.json.format(msgspec.json.encode(book.space)),
    }
    return write_archive(manifest, proved, book.record.policy_text, note.to_text(), others)


def _proof(book: Proving, index: int, note: Note) -> Proved:
    (data,) = book.store.bodies([index])
    text = build_receipt(data, index, book.hashes, note).to_text()
    verify_receipt(text, book.record.policy, data)
    return Proved(index, data, text)


@contextmanager
def _one_of_few() -> Iterator[None]:
    if not _places.acquire(timeout=_WAIT_S):
        raise TooMany("Other bundles are being made.", remedy="Try again in a moment.")
    try:
        yield
    finally:
        _places.release()
