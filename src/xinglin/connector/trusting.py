"""Trust by a table of literal headers: for tests and for the conformance kit, whose header is fixed."""

from __future__ import annotations

import hmac
from collections.abc import Mapping

from xinglin.kernel.verdict import Allowed, Verdict
from xinglin.wire.dsp.ports import Caller, Document, NoteRow


class LiteralHeaders:
    """``headers``: the whole ``Authorization`` header, and the participant it stands for ("" is no header at all)."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = [(text.encode(), Caller(participant)) for text, participant in headers.items()]

    async def __call__(self, header: str) -> Caller | None:
        """See the port ``Authenticate``; every header is compared, each in constant time."""
        given, found = header.encode(), None
        for text, caller in self._headers:
            if hmac.compare_digest(text, given):
                found = caller
        return found


class LiteralHeader:
    """The same header for everybody (port: ``Present``)."""

    def __init__(self, header: str = "") -> None:
        self._header = header

    async def __call__(self, participant: str, url: str) -> str:
        """See the port."""
        return self._header


class UnsafeAllowEverything:
    """A ``Decide`` that asks no terms: for the conformance kit alone."""

    async def __call__(self, step: str, caller: Caller, data_set: str, policy: Document) -> Verdict:
        """See the port."""
        return Allowed()


class KeptNotes:
    """An ``Evidence`` that keeps the newest notes in memory."""

    def __init__(self, most: int = 10_000) -> None:
        self._most = most
        self.notes: list[NoteRow] = []

    async def __call__(self, note: NoteRow) -> None:
        """See the port."""
        self.notes.append(note)
        del self.notes[: -self._most]
