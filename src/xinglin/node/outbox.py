"""Reports about runs on their way to the hub; the channel is put in once it exists."""

from __future__ import annotations

from xinglin.kernel.verdict import Reason
from xinglin.node.channel import Channel
from xinglin.wire.budgets import BudgetReport
from xinglin.wire.channel import (
    Published,
    Report,
    RunAdmitted,
    RunMessage,
    RunRefused,
    RunReleased,
    RunStopped,
    RunWaiting,
)


class Outbox:
    """Says what happened; nothing said here depends on one hospital's rows."""

    def __init__(self) -> None:
        self.channel: Channel | None = None

    def admitted(self, run: str, advert: bytes, refs: bytes) -> None:
        """The node takes part."""
        self._put(RunAdmitted(run, advert, refs))

    def refused(self, run: str, reasons: tuple[Reason, ...]) -> None:
        """The node does not take part, for these reasons."""
        self._put(RunRefused(run, reasons))

    def message(self, run: str, kind: str, number: int, payload: bytes) -> None:
        """A message of the secure sum."""
        self._put(RunMessage(run, kind, number, payload))

    def released(self, run: str, attestation: bytes, sealed: dict[str, bytes]) -> None:
        """The outcome as this node signs it."""
        self._put(RunReleased(run, attestation, sealed))

    def stopped(self, run: str, code: str, words: str, attestation: bytes = b"") -> None:
        """The node ends its part of the run; ``attestation``: its own rules said no, as it signs that."""
        self._put(RunStopped(run, code, words, attestation))

    def waiting(self, run: str, reason: str, words: str) -> None:
        """The node waits, and goes on by itself."""
        self._put(RunWaiting(run, reason, words))

    def told(self, report: BudgetReport | Published) -> None:
        """How a budget of privacy stands, or what the hospital publishes and who may know of it."""
        self._put(report)

    async def taken(self) -> None:
        """Return once the hub has taken everything said so far."""
        if self.channel is not None:
            await self.channel.taken()

    def _put(self, report: Report) -> None:
        if self.channel is not None:
            self.channel.report(report)
