"""Leaves of the hub's connector (port ``Evidence``), and what it has to give (port ``Released``).

A leaf says that a negotiation or a transfer came to something, when, and commits to the rest by salted digests. The
salts follow from a secret in the hub's folder: the hub can open every commitment, and nobody else can guess one.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator

import msgspec

from xinglin.connector.errors import NotPossible
from xinglin.evidence.commitments import commit, derive_salt
from xinglin.evidence.entry import Entry
from xinglin.hub.log import LogService
from xinglin.hub.members import Members
from xinglin.kernel.canonical import sha256_digest
from xinglin.wire.dsp.ports import ContractRow, Item, NoteRow

KINDS = {
    "negotiation-finalized": "decision",
    "negotiation-terminated": "decision",
    "transfer-started": "release-authorised",
    "transfer-data": "delivered",
    "transfer-suspended": "ended",
    "transfer-completed": "ended",
    "transfer-terminated": "ended",
}
"""What a note becomes in the log; ``what`` in the leaf commits to the note's own kind."""


class LogEvidence:
    """Port ``Evidence``: one leaf a note, once, however often it comes."""

    def __init__(self, log: LogService, members: Members, operator: str, secret: bytes) -> None:
        self._log, self._members, self._operator, self._secret = log, members, operator, secret

    async def __call__(self, note: NoteRow) -> None:
        """See the port."""
        leaf = self.leaf(note).to_bytes()
        await self._log.append([leaf], hashlib.sha256(b"dsp:%d:" % note.number + leaf).digest())
        self._members.catch_up()

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
        member = counterparty in self._members.directory.participants
        return Entry(
            kind=KINDS[note.kind],
            at=note.at,
            submitter=self._operator,
            parties=(self._operator, counterparty) if member else (self._operator,),
            subject=sha256_digest(note.subject.encode()),
            commitments=committed,
        )


class NoProducts:
    """Port ``Released`` of a hub that holds none: results are sealed to their studies' parties, and stay sealed."""

    async def find(self, contract: ContractRow) -> Item | None:
        """Nothing."""
        return None

    async def read(self, item: Item, start: int, end: int) -> AsyncIterator[bytes]:
        """Nothing to read."""
        raise NotPossible("The hub holds no released product.")
        yield b""
