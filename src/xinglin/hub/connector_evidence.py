"""Leaves of the hub's connector (port ``Evidence``), appended by the hub itself."""

from __future__ import annotations

import hashlib

from xinglin.connector.leaves import Leaves
from xinglin.hub.log import LogService
from xinglin.hub.members import Members
from xinglin.wire.dsp.ports import NoteRow


class LogEvidence:
    """Port ``Evidence``: one leaf a note, once, however often it comes."""

    def __init__(self, log: LogService, members: Members, operator: str, secret: bytes) -> None:
        self._log, self._members = log, members
        self._leaves = Leaves(operator, lambda did: did in members.directory.participants, secret)

    async def __call__(self, note: NoteRow) -> None:
        """See the port."""
        leaf = self._leaves.leaf(note).to_bytes()
        await self._log.append([leaf], hashlib.sha256(b"dsp:%d:" % note.number + leaf).digest())
        self._members.catch_up()
