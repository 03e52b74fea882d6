"""Leaves of a connector: what a note becomes in the space's log, at a hub and at a node alike.

A leaf says that a negotiation or a transfer came to something, when, and commits to the rest by salted digests. The
salts follow from a secret in the folder: who holds it can open every commitment, and nobody else can guess one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import msgspec

from xinglin.connector.errors import NotPossible
from xinglin.evidence.commitments import commit, derive_salt
from xinglin.evidence.entry import Entry
from xinglin.kernel.canonical import sha256_digest
from xinglin.wire.dsp.ports import ContractRow, Item, NoteRow

KINDS = {
    "negotiation-finalized": "decision",
    "negotiation-terminated": "decision",
    "negotiation-accepted": "decision",
    "negotiation-refused": "decision",
    "transfer-started": "release-authorised",
    "transfer-data": "delivered",
    "transfer-suspended": "ended",
    "transfer-completed": "ended",
    "transfer-terminated": "ended",
}
"""What a note becomes in the log; ``what`` in the leaf commits to the note's own kind."""


class Leaves:
    """``submitter``: in whose name; ``is_member``: whether a counterparty may be named."""

    def __init__(self, submitter: str, is_member: Callable[[str], bool], secret: bytes) -> None:
        self._submitter, self._is_member, self._secret = submitter, is_member, secret

    def leaf(self, note: NoteRow) -> Entry:
        """The leaf of a note: the same bytes each time."""
        values = {"what": note.kind, **msgspec.json.decode(note.values, type=dict[str, str | int])}
        place = f"{note.subject} {note.kind} {note.at} {note.number}"
        committed = {
            name: commit(derive_salt(self._secret, f"{place} {name}"), value)
            for name, value in values.items()
            if value != ""
        }
        counterparty = str(values.get("participant", ""))
        return Entry(
            kind=KINDS[note.kind],
            at=note.at,
            submitter=self._submitter,
            parties=(self._submitter, counterparty) if self._is_member(counterparty) else (self._submitter,),
            subject=sha256_digest(note.subject.encode()),
            commitments=committed,
        )


class NoProducts:
    """Port ``Released`` where there are none: results are sealed to their studies' parties, and stay sealed."""

    async def find(self, contract: ContractRow) -> Item | None:
        """Nothing."""
        return None

    async def read(self, item: Item, start: int, end: int) -> AsyncIterator[bytes]:
        """Nothing to read."""
        raise NotPossible("There is no released product here.")
        yield b""
