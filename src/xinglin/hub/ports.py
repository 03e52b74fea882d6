"""What the hub needs of a database: rows by key, each write durable before it returns."""

from __future__ import annotations

from typing import Protocol

from xinglin.kernel.instants import Instant
from xinglin.stores.hub_rows import AgreementLine, AgreementRow, MessageRow, RunRow

__all__ = ["AgreementLine", "AgreementRow", "HubStore", "MessageRow", "RunRow"]


class HubStore(Protocol):
    """Every method is one transaction, from any thread.

    The reference is ``xinglin.testing.MemoryHubStore``, the abstract test suite ``tests/unit/stores/hub_suite.py``.
    """

    def add_invite(self, secret_digest: str, role: str, expires: Instant) -> None:
        """Remember an invite by the digest of its secret; again changes nothing."""

    def use_invite(self, secret_digest: str, did: str, now: Instant) -> str | None:
        """The role, once, to one caller: None when unknown, used, or ``now`` is its ``expires`` or later."""

    def put_publication(self, provider: str, descriptions: bytes) -> None:
        """Replace what ``provider`` publishes."""

    def publications(self) -> tuple[tuple[str, bytes], ...]:
        """(provider, descriptions) pairs, in order of provider."""

    def put_agreement(self, row: AgreementRow) -> None:
        """Insert or replace an agreement."""

    def agreement(self, agreement_id: str) -> AgreementRow | None:
        """One agreement."""

    def agreements(self) -> tuple[AgreementRow, ...]:
        """All agreements, in no order that counts."""

    def agreement_lines(self) -> tuple[AgreementLine, ...]:
        """All agreements without what was signed, in no order that counts."""

    def add_run(self, row: RunRow) -> bool:
        """Insert a run; False when the id exists, and the run stays as it is."""

    def put_run(self, row: RunRow) -> None:
        """Insert or replace a run."""

    def run(self, run_id: str) -> RunRow | None:
        """One run."""

    def open_runs(self) -> tuple[RunRow, ...]:
        """Runs in state ``open``, in no order that counts."""

    def add_message(self, run_id: str, row: MessageRow) -> bool:
        """Keep a message; False when this node sent one of this kind and round before: the first one stands."""

    def messages(self, run_id: str) -> tuple[MessageRow, ...]:
        """A run's messages in order of arrival."""

    def drop_messages(self, run_id: str) -> None:
        """Forget a run's messages."""

    def remember(self, key: str, until: Instant, now: Instant) -> bool:
        """True to one caller, the first time ``key`` is shown; kept through ``until``.

        Port ``xinglin.trust.ports.ReplayStore``.
        """
